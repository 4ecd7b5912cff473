"""Fidelity and its price: each network with 10 bits everywhere, and with the bits that its export chose.

``python -m benchmarks.fidelity_table FOLDER`` prints Markdown and stores every row in FOLDER/fidelity.json at
once. Called again, it keeps the rows and the networks that are there, and measures the others. ``--runs 0``
predicts and measures no time. Agreement is that of the integer network with the float one on images that no
bits were chosen on.
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
from pi_bench.atomic_file import whole_file
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


def made(network: FidelityNetwork, folder: Path) -> str:
    """Makes the network's model.pt in its folder, unless that is done, and returns its ``--data``."""
    note = folder / "data.txt"  # written last: it says that the model file is whole
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        data = network.make(folder)
        note.write_text(data)
    return note.read_text()


def measure(network: FidelityNetwork, setting: str, folder: Path, runs: int, limit: int) -> dict[str, Any]:
    """The row of a network with the bits before, or with those after."""
    data, model, flags = made(network, folder), folder / "model.pt", SETTINGS[setting]
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
        "asked": [runs, limit],
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
    return row


def all_rows(
    networks: Sequence[FidelityNetwork], folder: Path, runs: int, limit: int
) -> list[dict[str, Any]]:
    """Measures the rows that FOLDER/fidelity.json does not have, and stores each at once."""
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "fidelity.json"
    stored = json.loads(store.read_text()) if store.exists() else []
    rows = {(row["network"], row["setting"]): row for row in stored if row["asked"] == [runs, limit]}
    for network in networks:
        for setting in SETTINGS:
            if (network.name, setting) in rows:
                continue
            if network.missing:
                print(f"{network.name}: left out, {', '.join(network.missing)} is missing", file=sys.stderr)
                break
            print(f"{network.name}, {setting} ...", file=sys.stderr)
            try:
                row = measure(network, setting, folder / network.folder, runs, limit)
            except RuntimeError as error:
                print(f"{network.name}: {error}", file=sys.stderr)
                break
            rows[network.name, setting] = row
            with whole_file(store) as file:
                file.write(json.dumps([*rows.values()], indent=1).encode() + b"\n")
    names = {network.name for network in networks}
    return [row for row in rows.values() if row["network"] in names]


def render(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table as lines of Markdown."""
    before = {row["network"]: row for row in rows if row["setting"] == "before"}
    rows = [row for row in rows if row["network"] in before]
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
    chosen = [network for network in NETWORKS if settings.only is None or network.name in settings.only]
    print("\n".join(render(all_rows(chosen, settings.folder, settings.runs, settings.limit))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
