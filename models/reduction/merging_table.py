"""merging.csv: the effect of merging on each network's convolutions, accuracy, borders and private cost."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..training.training_files import write_whole
from .candidate import Candidate, caution_codes
from .merging_work import MERGING_FILE, UNMERGED_FOLDERS
from .private_latency import LATENCY_FILE

MERGING_TABLE = "merging.csv"

_COUNTS = ("conv_count", "shortcut_count", "parameter_count")
_STATES = ("unmerged", "merged")
_MEASURED = ("comm_round_count", "truncation_count", "latency_s", "online_bytes", "offline_s", "cautions")


def merging_rows(candidates: Sequence[Candidate], root: Path) -> list[dict[str, Any]]:
    """Returns a row for each finetuned network of `merge.merge_networks`. None stands for an unknown figure.

    `inside_difference` and `border_difference` are the largest ones of the network's values
    (`merging.borders`).

    >>> merging_rows([], Path("merged"))
    []
    """
    return [_row(one, root) for one in candidates]


def write_merging_table(rows: Sequence[Mapping[str, Any]], root: Path) -> None:
    """Writes the rows to merging.csv in `root`.

    Raises:
        OutputError: The file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     write_merging_table([{"name": "culled", "latency_s_merged": None}], Path(name))
    ...     Path(name, "merging.csv").read_text()
    'name,latency_s_merged\\nculled,\\n'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _written(value) for key, value in row.items()})
    write_whole(root / MERGING_TABLE, text.getvalue().encode())


def _row(one: Candidate, root: Path) -> dict[str, Any]:
    extent, _, name = one.step.partition("-")
    folder = root / "merged" / name
    found = json.loads((folder / MERGING_FILE).read_text())
    row: dict[str, Any] = {"name": name, "extent": extent, "relu_count": one.relu_count}
    for key in _COUNTS:
        row |= {f"{key}_unmerged": found[f"{key}_unmerged"], f"{key}_merged": found[key]}
    for split in ("test", "validation"):
        row |= {f"{split}_{state}_pct": found.get(f"{split}_accuracy_{state}_pct") for state in _STATES}
        row[f"{split}_finetuned_pct"] = getattr(one, f"{split}_accuracy_pct")
    effect = found["border_effect"]
    for key in ("inside_difference", "border_difference"):
        row[key] = max((value[key] for value in effect["values"] if value[key] is not None), default=None)
    row |= {key: effect[key] for key in ("logit_difference", "changed_answer_pct")}
    places = {state: folder / state for state in UNMERGED_FOLDERS} | {"merged": root / one.folder}
    for state, place in places.items():
        figures = _private(place / LATENCY_FILE)
        row |= {f"{key}_{state.replace('-', '_')}": figures.get(key) for key in _MEASURED}
    return row | {"failure": one.failure}


def _private(path: Path) -> dict[str, Any]:
    """Returns the figures of a result of `pi-bench latency`, none if the network was not measured."""
    try:
        result = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    online = result["online"]
    figures = (
        online["comm_round_count"],
        result["network"]["truncation_count"],
        online["latency_s"]["median"],
        sum(online["bytes"].values()),
        result["offline"]["time_s"],
        " ".join(caution_codes(result)),
    )
    return dict(zip(_MEASURED, figures, strict=True))


def _written(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
