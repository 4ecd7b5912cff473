"""Fidelity and its price: each network with 10 bits everywhere, and with the bits that its export chose.

``python -m benchmarks.fidelity_table FOLDER`` prints Markdown and stores every row in FOLDER/fidelity.json at
once. ``--runs 0`` predicts and measures no time. Agreement is that of the integer network with the float one
on images that no bits were chosen on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.fidelity_networks import NETWORKS, FidelityNetwork, pi_bench
from benchmarks.markdown import table
from pi_bench.network.compiler import CompileOptions

_DEFAULT = CompileOptions()
SETTINGS: dict[str, tuple[str, ...]] = {
    "before": (
        *("--activation-bits", str(_DEFAULT.activation_bits)),
        *("--weight-bits", str(_DEFAULT.weight_bits)),
    ),
    "after": (),
}
HEADER = ("network", "bits", "activation bits", "weight bits", "same class", "95 % interval")
HEADER_OF_COST = ("typical logit error", "online, predicted", "online, measured", "measured, over before")


def measure(network: FidelityNetwork, folder: Path, runs: int, limit: int) -> list[dict[str, Any]]:
    """Rows of a network: one with the bits before, and one with those after."""
    folder.mkdir(parents=True, exist_ok=True)
    data, model = network.make(folder), folder / "model.pt"
    rows = []
    for setting, flags in SETTINGS.items():
        answers, cost = folder / f"{setting}-accuracy.json", folder / f"{setting}-cost.json"
        pi_bench(
            *("accuracy", model, "--data", data, "--limit", limit, "--private-sample", 0, "--no-remedies"),
            *(*flags, "--json", answers),
        )
        pi_bench("inspect", model, *flags, "--json", cost)
        found = json.loads(answers.read_text())
        integer, bits = found["integer"], found["bits"]
        row = {
            "network": network.name,
            "setting": setting,
            "bits": bits,
            "image_count": integer["image_count"],
            "same_class_pct": integer["same_class_as_float_pct"],
            "same_class_interval_pct": integer["same_class_interval_pct"],
            "typical_logit_error_pct": integer["typical_logit_error_pct"],
            "predicted_online_s": json.loads(cost.read_text())["prediction"]["online"]["latency_s"],
            "online_s": None,
        }
        if runs:
            pi_bench("latency", model, *flags, "--runs", runs, "--json", cost)
            row["online_s"] = json.loads(cost.read_text())["online"]["latency_s"]["median"]
        rows.append(row)
    return rows


def render(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table as lines of Markdown."""
    before = {row["network"]: row for row in rows if row["setting"] == "before"}
    cells = []
    for row in rows:
        low, high = row["same_class_interval_pct"]
        measured, first = row["online_s"], before[row["network"]]["online_s"]
        error = row["typical_logit_error_pct"]
        cells.append(
            (
                row["network"],
                row["setting"],
                _span(row["bits"]["activations"]),
                _span(row["bits"]["weights"]),
                f"{row['same_class_pct']:.1f} % of {row['image_count']}",
                f"{low:.1f} to {high:.1f} %",
                "-" if error is None else f"{error:.2g} %",
                f"{1e3 * row['predicted_online_s']:,.1f} ms",
                "-" if measured is None else f"{1e3 * measured:,.1f} ms",
                "-" if measured is None else f"{measured / first:.2f}",
            )
        )
    return table((*HEADER, *HEADER_OF_COST), cells)


def _span(bits: dict[str, int]) -> str:
    least, most = min(bits.values()), max(bits.values())
    return f"{least}" if least == most else f"{least} to {most}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for model files and results")
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each; 0 for none (5)")
    parser.add_argument("--limit", type=int, default=256, help="images of each (256)")
    parser.add_argument("--only", nargs="+", choices=[network.name for network in NETWORKS], metavar="NAME")
    settings = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    for number, network in enumerate(NETWORKS):
        if settings.only is not None and network.name not in settings.only:
            continue
        if network.missing:
            print(f"{network.name}: left out, {', '.join(network.missing)} is missing", file=sys.stderr)
            continue
        print(f"{network.name} ...", file=sys.stderr)
        try:
            rows += measure(network, settings.folder / str(number), settings.runs, settings.limit)
        except RuntimeError as error:
            print(f"{network.name}: {error}", file=sys.stderr)
            continue
        (settings.folder / "fidelity.json").write_text(json.dumps(rows, indent=1) + "\n")
    print("\n".join(render(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
