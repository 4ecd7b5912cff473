"""Online times of the fidelity table's networks, before and after, in turns. This needs a quiet machine.

`pi-bench compare` measures both settings in rounds of new processes, A B A B, so that both meet the same
state of the machine, and gives the ratio with its interval and a verdict.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.fidelity_networks import FidelityNetwork, pi_bench
from benchmarks.resumable import Row, resumed
from pi_bench.network.files.model_file import load_model, save_model

_NOTES_OF_BITS = ("bits", "fidelity", "headroom_bits")


def write_without_bits(model: Path, path: Path) -> None:
    """Writes the network of `model` without the bits that its export chose; it then runs with the default."""
    graph = load_model(model)
    meta = {name: note for name, note in graph.meta.items() if name not in _NOTES_OF_BITS}
    save_model(dataclasses.replace(graph, meta=meta), path)


def measure_times(folder: Path, rounds: int, runs: int) -> Row:
    """Compares the online times of the network in FOLDER/model.pt after with those before."""
    before, after, result = folder / "before.pt", folder / "model.pt", folder / "times.json"
    if not after.exists():
        raise RuntimeError("its model file is missing; make it first with --runs 0")
    write_without_bits(after, before)
    pi_bench("compare", before, after, "--rounds", rounds, "--runs", runs, "--no-history", "--json", result)
    found = json.loads(result.read_text())
    ratio = next(ratio for ratio in found["ratios"] if ratio["phase"] == "online")
    return {
        **dict(zip(("before_s", "after_s"), map(_median, found["sides"]), strict=True)),
        **{name: ratio[name] for name in ("ratio", "interval", "verdict")},
        **{name: found["environment"][name] for name in ("time", "commit", "cpu_model")},
    }


def _median(side: dict[str, Any]) -> float:
    return statistics.median(time_s for session in side["sessions"] for time_s in session["online_s"])


def time_rows(networks: Sequence[FidelityNetwork], folder: Path, rounds: int | None, runs: int) -> list[Row]:
    """Returns a row per network, from FOLDER/times.json or measured now.

    If `rounds` is None, each network has its own number. With 0 runs, rows of any number of runs are
    returned, and nothing is measured.
    """
    wanted = []
    for network in networks:
        count = network.rounds if rounds is None else rounds
        key = {"network": network.name, **({"rounds": count, "runs": runs} if runs else {})}
        wanted.append((key, partial(measure_times, folder / network.folder, count, runs)))
    return resumed(folder / "times.json", wanted, measuring=runs > 0)
