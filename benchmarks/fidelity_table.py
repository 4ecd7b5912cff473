"""Fidelity and its price: each network with 10 bits everywhere, and with the bits that its export chose.

``python -m benchmarks.fidelity_table FOLDER --runs 0`` makes the networks, measures how often the integer
network agrees with the float one on images that no bits were chosen on, and predicts the online time. This
takes an hour and needs no quiet machine. ``python -m benchmarks.fidelity_table FOLDER --runs 5`` then
measures the online times alone. Both print Markdown, store every row in FOLDER at once, and keep the rows
that are there, so an interrupted command continues. `--only` chooses networks by parts of their names.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fidelity_agreement import agreement_rows
from benchmarks.fidelity_networks import NETWORKS, FidelityNetwork
from benchmarks.fidelity_times import time_rows
from benchmarks.markdown import table
from benchmarks.resumable import Row

HEADER = ("network", "bits", "activation bits", "weight bits", "same class", "95 % interval")
HEADER_OF_COST = ("typical logit error", "online, predicted", "online, measured")
HEADER_OF_RATIO = ("measured, over before", "99 % interval", "verdict")


def render(rows: Sequence[Row], times: Sequence[Row]) -> list[str]:
    """Returns the table as lines of Markdown: two lines per network, of which both rows are there."""
    both = {(row["network"], row["setting"]): row for row in rows}
    timed = {row["network"]: row for row in times}
    cells = []
    for row in rows:
        network, setting = row["network"], row["setting"]
        if not {(network, "before"), (network, "after")} <= both.keys():
            continue
        low, high = row["same_class_interval_pct"]
        error, time = row["typical_logit_error_pct"], timed.get(network)
        cells.append(
            (
                network,
                setting,
                _span(row["bits"]["activations"]),
                _span(row["bits"]["weights"]),
                f"{row['same_class_pct']:.1f} % of {row['image_count']}",
                f"{low:.1f} to {high:.1f} %",
                "-" if error is None else f"{error:.2g} %",
                f"{1e3 * row['predicted_online_s']:,.1f} ms",
                "-" if time is None else f"{1e3 * time[f'{setting}_s']:,.1f} ms",
                *(("-",) * 3 if time is None or setting == "before" else _ratio(time)),
            )
        )
    return table((*HEADER, *HEADER_OF_COST, *HEADER_OF_RATIO), cells)


def _ratio(time: Row) -> tuple[str, str, str]:
    interval = time["interval"]
    span = "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
    return "-" if time["ratio"] is None else f"{time['ratio']:.3f}", span, time["verdict"]


def _span(bits: dict[str, int]) -> str:
    least, most = min(bits.values()), max(bits.values())
    return f"{least}" if least == most else f"{least} to {most}"


def present(networks: Sequence[FidelityNetwork]) -> list[FidelityNetwork]:
    """Returns the networks whose packages are installed, and says which packages the others need."""
    for network in networks:
        if network.missing:
            print(f"{network.name}: left out, {', '.join(network.missing)} is missing", file=sys.stderr)
    return [network for network in networks if not network.missing]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for model files and results")
    parser.add_argument("--runs", type=int, default=5, help="timed runs per round; 0 for no times (5)")
    parser.add_argument("--rounds", type=int, help="rounds of new processes (default: the network's own)")
    parser.add_argument("--limit", type=int, default=256, help="images of each (256)")
    parser.add_argument("--only", nargs="+", metavar="PART", help="networks whose names contain a PART")
    settings = parser.parse_args(arguments)
    chosen = [
        network
        for network in NETWORKS
        if settings.only is None or any(part.lower() in network.name.lower() for part in settings.only)
    ]
    if not chosen:
        names = "; ".join(network.name for network in NETWORKS)
        parser.error(f"--only {' '.join(settings.only)}: no network has such a name; there are {names}")
    chosen = present(chosen)
    rows = agreement_rows(chosen, settings.folder, settings.limit)
    times = time_rows(chosen, settings.folder, settings.rounds, settings.runs)
    print("\n".join(render(rows, times)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
