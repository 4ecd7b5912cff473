"""Methods of `pi-bench reduce` compared by measured time: one table and one figure for all their networks.

``python -m benchmarks.method_frontier FOLDER SEARCH… --data fashion-mnist`` reads the folders of finished
searches, measures every network on loopback, LAN and WAN, scores those on a frontier in fixed point and in
private, and writes FOLDER/networks.csv and FOLDER/frontiers.svg. It prints as Markdown the fastest network
above each accuracy and the table of all, and the rank correlation (Spearman) and the ratio of measured and
predicted times. Every row is kept in FOLDER at once, so a
command that was interrupted continues. With ``--runs 0`` and ``--limit 0`` it measures nothing and prints
the rows that are there.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.markdown import table
from benchmarks.method_figure import write_figure
from benchmarks.method_rows import TIMES, accuracy_rows, baseline_of, networks_of, on_some_frontier, time_rows
from benchmarks.resumable import Row
from pi_bench.atomic_file import whole_file

LINKS = ("loopback", "lan", "wan")
LEAST_ACCURACIES_PCT = (92.0, 91.0, 90.0, 89.0, 87.0, 85.0, 80.0)


def render(times: Sequence[Row], accuracies: Sequence[Row]) -> list[str]:
    """Returns the table as lines of Markdown: one line per network, with the times on each link in ms."""
    links = list(dict.fromkeys(row["link"] for row in times))
    scored = {row["network"]: row for row in accuracies}
    header = ["network", "ReLUs", "test accuracy", "fixed point", "private, same class"]
    header += [f"{time}, {link}" for link in links for time in TIMES]
    lines = []
    for name in dict.fromkeys(row["network"] for row in times):
        own = {row["link"]: row for row in times if row["network"] == name}
        first, score = next(iter(own.values())), scored.get(name, {})
        cells = [name, f"{first['relu_count']:,}", f"{first['test_accuracy_pct']:.2f} %"]
        cells += [_scored(score), _equal(score)]
        for link in links:
            cells += [f"{1e3 * own[link][f'{time}_s']:,.1f} ms" if link in own else "-" for time in TIMES]
        lines.append(cells)
    return table(header, lines)


def fastest(times: Sequence[Row], least_accuracies_pct: Sequence[float]) -> list[str]:
    """Returns a table as lines of Markdown: the fastest network above each accuracy, by time and link."""
    links = list(dict.fromkeys(row["link"] for row in times))
    kinds = [(time, link) for time in TIMES for link in links]
    lines = []
    for least in least_accuracies_pct:
        cells = [f"{least:g} %"]
        for time, link in kinds:
            able = [row for row in times if row["link"] == link and row["test_accuracy_pct"] >= least]
            best = min(able, key=lambda row: row[f"{time}_s"], default=None)
            cells.append("-" if best is None else f"{best['network']} {1e3 * best[f'{time}_s']:,.1f} ms")
        lines.append(cells)
    return table(["at least", *(f"{time}, {link}" for time, link in kinds)], lines)


def _scored(score: Row) -> str:
    """Returns the accuracy of the integer network, and that of the float network on the same images."""
    if score.get("integer_accuracy_pct") is None:
        return "-"
    return f"{score['integer_accuracy_pct']:.1f} % ({score['float_accuracy_pct']:.1f} %)"


def _equal(score: Row) -> str:
    """Returns how many of the private answers have the class that the float network gives."""
    if score.get("private_same_class_as_float_pct") is None:
        return "-"
    count = score["private_image_count"]
    return f"{round(count * score['private_same_class_as_float_pct'] / 100)} of {count}"


def agreement(times: Sequence[Row]) -> list[str]:
    """Returns a line per link and time: how predicted times agree with measured ones.

    It has Spearman's rank correlation, and the least and the largest ratio of measured to predicted time.
    """
    from scipy.stats import spearmanr  # here, because its import takes a second

    found = []
    for link in dict.fromkeys(row["link"] for row in times):
        own = [row for row in times if row["link"] == link]
        for time in TIMES:
            rank = spearmanr([row[f"predicted_{time}_s"] for row in own], [row[f"{time}_s"] for row in own])
            ratios = [row[f"{time}_s"] / row[f"predicted_{time}_s"] for row in own]
            words = (
                f"rank correlation {rank.statistic:.3f}, measured is {min(ratios):.2f} to {max(ratios):.2f}"
            )
            found.append(f"{time} time on {link}, {len(own)} networks: {words} times predicted")
    return found


def write_rows(path: Path, times: Sequence[Row], accuracies: Sequence[Row]) -> None:
    """Writes one line per network and link as CSV, with the scores of the networks that have some."""
    scored = {row["network"]: row for row in accuracies}
    rows = [scored.get(row["network"], {}) | row for row in times]
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with whole_file(path) as file:
        file.write(text.getvalue().encode())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the missing rows, writes the table and the figure, and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.method_frontier", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("searches", type=Path, nargs="+", metavar="SEARCH")
    parser.add_argument("--baseline", type=Path, metavar="TRAINING", help="folder of the searches' teacher")
    parser.add_argument("--data", required=True)
    parser.add_argument("--protocol", default="delphi")
    parser.add_argument("--links", nargs="+", default=LINKS)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit", type=int, default=1000, help="test images of the integer network")
    parser.add_argument("--private-sample", type=int, default=8, help="images that two parties answer")
    parser.add_argument(
        "--least-accuracies", nargs="+", type=float, default=LEAST_ACCURACIES_PCT, metavar="PCT",
        help="accuracies of the table of fastest networks",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    try:
        baseline = {} if given.baseline is None else baseline_of(given.baseline)
        networks = baseline | networks_of(given.searches)
    except ValueError as error:
        parser.error(str(error))
    times = time_rows(networks, given.folder, given.data, given.links, given.protocol, given.runs)
    if not times:
        sys.exit(f"{given.folder} has no times of these networks: measure them with --runs 5")
    best = on_some_frontier(times)
    scored = accuracy_rows(
        {name: network for name, network in networks.items() if name in best},
        *(given.folder, given.data, given.protocol, given.limit, given.private_sample),
    )
    write_rows(given.folder / "networks.csv", times, scored)
    write_figure(given.folder / "frontiers.svg", times)
    parts = (fastest(times, given.least_accuracies), render(times, scored), agreement(times))
    print("\n\n".join("\n".join(part) for part in parts))


if __name__ == "__main__":
    main()
