"""The same networks under this project and under others, alternating, on the same two cores.

``python -m benchmarks.peers.compare PEERS`` where PEERS holds the environments that `make bench-peers`
makes; prints Markdown and stores all samples as JSON. README.md says which figures are comparable.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.layer_graphs import layer_graph
from benchmarks.peers.equal_error import NAME as EQUAL
from benchmarks.peers.equal_error import at_the_error_of
from benchmarks.peers.plain_export import plain_network
from benchmarks.peers.plain_network import noise
from benchmarks.peers.systems import (
    CRYPTEN,
    PI_BENCH,
    SPU_CHEETAH_32,
    SPU_CHEETAH_64,
    SPU_SEMI2K,
    Run,
    System,
    Workload,
)
from benchmarks.report import load_warning
from pi_bench.metrics.environment import describe_environment
from pi_bench.network.files.model_file import load_model, save_model
from pi_bench.network.graph.float_run import outputs

STORED = Path(".benchmarks/peers.json")
PLANS: dict[str, tuple[System, ...]] = {
    "conv3x3 64 to 64, 32x32": (PI_BENCH, SPU_CHEETAH_64, SPU_SEMI2K, CRYPTEN),
    "65,536 ReLUs": (PI_BENCH, SPU_CHEETAH_32, SPU_CHEETAH_64, SPU_SEMI2K, CRYPTEN),
    "ResNet18, 12,288 ReLUs": (PI_BENCH, SPU_SEMI2K, CRYPTEN),
    "ResNet18, 557,056 ReLUs": (PI_BENCH, SPU_SEMI2K, CRYPTEN),
}


def prepare(name: str, folder: Path) -> tuple[Workload, np.ndarray]:
    """Writes the model file, the same floats for the others, the input, and the float network's own answer.

    Those that are in the folder are taken as they are.
    """
    number = list(PLANS).index(name)
    model, network = folder / f"{number}.pt", folder / f"{number}.npz"
    if network.with_suffix(".npy").exists():  # written last
        graph = load_model(model)
        return Workload(name, model, network), outputs(graph, np.load(network.with_suffix(".npy")))
    if name.startswith("ResNet18"):
        relus = name.split()[1].replace(",", "")
        models = importlib.import_module("pi_bench.models")
        models.export_recipe(models.load_recipe(f"resnet18-cifar100-{relus}"), model)
        graph = load_model(model)
    else:
        graph = layer_graph("conv" if name.startswith("conv") else "relu")
        save_model(graph, model)
    plain = plain_network(graph)
    plain.save(network)
    inputs = noise(plain)
    np.save(network.with_suffix(".npy"), inputs)
    return Workload(name, model, network), outputs(graph, inputs)


def measure(
    workload: Workload,
    expected: np.ndarray,
    systems: Sequence[System],
    peers: Path,
    rounds: int,
    repetitions: int,
) -> list[dict[str, Any]]:
    """Rounds of one start of every system in turn; a system that fails is named, not dropped."""
    runs: dict[str, list[Run]] = {system.name: [] for system in systems}
    failures: dict[str, str] = {}
    for _ in range(rounds):
        for system in systems:
            if system.name in failures:
                continue
            try:
                if system.peer is not None and not (peers / system.peer / "bin" / "python").exists():
                    raise RuntimeError("no environment; `make bench-peers` makes it")
                runs[system.name].append(system.run(workload, peers, repetitions))
            except (RuntimeError, LookupError, StopIteration, OSError, subprocess.SubprocessError) as error:
                failures[system.name] = f"{type(error).__name__}: {error}"[:200]
    ours = _summary(runs[PI_BENCH.name], expected) if PI_BENCH.name not in failures else None
    equal = None
    if EQUAL in runs and EQUAL not in failures:
        equal = _summary(runs[EQUAL], expected)
    rows = []
    for system in systems:
        row: dict[str, Any] = {"workload": workload.name, "system": system.name, "security": system.security}
        if system.name in failures:
            row["failure"] = failures[system.name]
        else:
            row |= _summary(runs[system.name], expected)
            row["runs"] = [_without_output(run) for run in runs[system.name]]
            if ours is not None:
                row["online_ratio"] = row["online_s"] / ours["online_s"]
                row["total_ratio"] = row["total_s"] / ours["total_s"]
                row["our_error"] = ours["largest_error"]
            if equal is not None:
                row["equal_error"] = equal["largest_error"]
                row["equal_ratio"] = row["online_s"] / equal["online_s"]
        rows.append(row)
    return rows


def _without_output(run: Run) -> dict[str, Any]:
    return {name: value for name, value in asdict(run).items() if name != "output"}


def _summary(runs: Sequence[Run], expected: np.ndarray) -> dict[str, Any]:
    """Returns medians. The first inference of a start pays for the lazy work of a system; it is in `total_s`,
    and `online_s` and `steady_s` are of the later ones."""
    later = [time_s for run in runs for time_s in (run.online_s[1:] or run.online_s)]
    offline = [time_s for run in runs for time_s in (run.offline_s[1:] or run.offline_s)]
    online_s, offline_s = statistics.median(later), statistics.median(offline) if offline else 0.0
    errors = [float(np.abs(np.reshape(run.output, expected.shape) - expected).max()) for run in runs]
    return {
        "online_s": online_s,
        "offline_s": offline_s,
        "steady_s": online_s + offline_s,
        "total_s": statistics.median(
            run.set_up_s + (run.offline_s[0] if run.offline_s else 0.0) + run.online_s[0] for run in runs
        ),
        "online_bytes": runs[-1].online_bytes,
        "offline_bytes": runs[-1].offline_bytes,
        "largest_error": max(errors),
        "bits": runs[-1].bits,
    }


MOST_ERROR_RATIO = 10.0
"""Times of answers whose largest errors differ by more than this factor are not compared."""

HEADER: tuple[str, ...] = (
    "system",
    "online",
    "x ours",
    "x ours at CrypTen's error",
    "offline",
    "set-up + offline + online, first",
    "x ours",
)
HEADER += ("MB online", "MB offline", "bits", "error")


def render(rows: Sequence[dict[str, Any]]) -> str:
    lines = []
    for name in dict.fromkeys(row["workload"] for row in rows):
        lines += ["", f"**{name}**", "", f"| {' | '.join(HEADER)} |"]
        lines.append(f"|---|{'|'.join(['---:'] * (len(HEADER) - 1))}|")
        lines += [_row(row) for row in rows if row["workload"] == name]
    securities = {row["system"]: row["security"] for row in rows}
    return "\n".join([*lines, "", *(f"- {name}: {words}" for name, words in securities.items())])


def _row(row: dict[str, Any]) -> str:
    if "failure" in row:
        return f"| {row['system']} | not run: {row['failure']} |" + " |" * (len(HEADER) - 2)
    cells = [
        row["system"],
        f"{1e3 * row['online_s']:,.1f} ms",
        _ratio(row, "online_ratio", "our_error"),
        _ratio(row, "equal_ratio", "equal_error"),
        f"{1e3 * row['offline_s']:,.0f} ms" if row["offline_s"] else "none",
        f"{1e3 * row['total_s']:,.0f} ms",
        _ratio(row, "total_ratio", "our_error"),
        f"{row['online_bytes'] / 1e6:.1f}",
        f"{row['offline_bytes'] / 1e6:.1f}",
        row["bits"],
        f"{row['largest_error']:.2g}",
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(row: dict[str, Any], name: str, error_name: str) -> str:
    """Writes a ratio of times in two digits, or nothing if it is unknown or the errors are not comparable."""
    if name not in row:
        return ""
    least, largest = sorted((row["largest_error"], row[error_name]))
    if largest > MOST_ERROR_RATIO * least:
        return ""
    value = row[name]
    return f"{value:.1f}" if value < 9.95 else f"{float(f'{value:.2g}'):,.0f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", type=Path, help="the folder of the peers' environments")
    parser.add_argument("--rounds", type=int, default=3, help="starts of each system; 0 only prepares (3)")
    parser.add_argument("--folder", type=Path, help="keep the prepared networks here, and take those there")
    parser.add_argument("--repetitions", type=int, default=3, help="inferences a start (3)")
    parser.add_argument("--only", nargs="+", choices=tuple(PLANS), default=tuple(PLANS), metavar="WORKLOAD")
    settings = parser.parse_args(arguments)
    load_average = os.getloadavg()[0]  # before the first of them
    rows: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        folder = settings.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        for name in settings.only:
            print(f"{name} ...", file=sys.stderr)
            workload, expected = prepare(name, folder)
            inputs = np.load(workload.network.with_suffix(".npy"))
            first, *others = PLANS[name]
            equal = at_the_error_of(CRYPTEN, workload, inputs, expected, settings.peers)
            systems = (first, equal, *others)
            if settings.rounds:
                rows += measure(
                    workload, expected, systems, settings.peers, settings.rounds, settings.repetitions
                )
    if not settings.rounds:
        return 0
    environment = describe_environment() | {"load_average": load_average}
    time = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    STORED.parent.mkdir(exist_ok=True)
    STORED.write_text(json.dumps({"environment": environment, "time": time, "rows": rows}, indent=1) + "\n")
    where = f"{environment['cpu_model']}, {environment['usable_core_count']} cores"
    print(f"{where}, commit {environment['commit']}, {time}")
    print("\n".join(load_warning(load_average)))
    print(render(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
