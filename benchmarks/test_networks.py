"""Whole networks between two processes: `pi-bench latency`, its result in ``extra_info``.

The time that pytest-benchmark shows is that of the whole command (start, set-up, every run and its
verification); the figures that matter are in ``extra_info``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.targets import NETWORKS, TARGETS

RUNS, WARMUP = 9, 2


def _latency(model: Path, *arguments: str) -> dict[str, Any]:
    """Runs the command; every timed run of it has been verified, or it fails."""
    result = model.with_suffix(".json")
    command = [sys.executable, "-P", "-m", "pi_bench", "latency", str(model), "--json", str(result)]
    command += ["--runs", str(RUNS), "--warmup", str(WARMUP), *arguments]
    # Each party's threads are the command's own choice, not this process's.
    variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def _note(benchmark, result: dict[str, Any]) -> None:
    online, offline = result["online"], result["offline"]
    benchmark.extra_info.update(
        relu_count=result["network"]["relu_count"],
        truncation_count=result["network"]["truncation_count"],
        mode=result["mode"],
        label_chunk=result["options"]["label_chunk"],
        online_s={name: online["latency_s"][name] for name in ("median", "q1", "q3", "min", "max")},
        offline_s=offline["time_s"],
        set_up_s=result["setup"]["time_s"],
        first_inference_s=result["first_inference_s"],
        online_bytes=online["wire_bytes"],
        offline_bytes=offline["wire_bytes"],
        rounds=online["comm_round_count"],
        storage_bytes=result["storage_bytes_per_inference"],
        peak_memory_bytes=result["peak_memory_bytes"],
        placement={name: result["environment"][name] for name in ("threads", "pinned")},
        verified=result["verification"]["passed"],
    )


@pytest.mark.long
@pytest.mark.parametrize("relu_count", NETWORKS)
def test_delphi(benchmark, target, network: Callable[[int], Path], relu_count: int) -> None:
    result = benchmark.pedantic(_latency, (network(relu_count),), rounds=1)
    _note(benchmark, result)
    target(f"online-{relu_count}", result["online"]["latency_s"]["median"])
    target(f"offline-{relu_count}", result["offline"]["time_s"])
    if f"offline-bytes-{relu_count}" in TARGETS:
        target(f"offline-bytes-{relu_count}", sum(result["offline"]["wire_bytes"].values()))


@pytest.mark.long
@pytest.mark.parametrize("label_chunk", [2, 3])
def test_label_chunks(benchmark, network: Callable[[int], Path], label_chunk: int) -> None:
    """Measures the costs and savings of fewer labels on the wire, on a whole network."""
    arguments = (network(57_344), "--label-chunk", str(label_chunk))
    _note(benchmark, benchmark.pedantic(_latency, arguments, rounds=1))


@pytest.mark.long
@pytest.mark.parametrize("relu_count", [NETWORKS[0], NETWORKS[-1]])
def test_null(benchmark, target, network: Callable[[int], Path], relu_count: int) -> None:
    """Measures the same messages in plain arithmetic: the cost of harness, operating system and link."""
    arguments = (network(relu_count), "--protocol", "null")
    result = benchmark.pedantic(_latency, arguments, rounds=1)
    _note(benchmark, result)
    if f"null-{relu_count}" in TARGETS:
        target(f"null-{relu_count}", result["online"]["latency_s"]["median"])
