"""The part of each phase in which a trace says nothing of a party, on a whole network."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.long
@pytest.mark.parametrize("protocol", ["delphi", "fss", "null"])
def test_unaccounted(
    benchmark, target, network: Callable[[int], Path], tmp_path: Path, protocol: str
) -> None:
    trace, result = tmp_path / "trace.json", tmp_path / "result.json"
    words = ("latency", str(network(12_288)), "--protocol", protocol, "--threads", "1", "--runs", "3")
    files = ("--no-limits", "--trace", str(trace), "--json", str(result))
    command = [sys.executable, "-P", "-m", "pi_bench", *words, *files]
    benchmark.pedantic(subprocess.run, (command,), {"check": True, "capture_output": True}, rounds=1)
    found = json.loads(result.read_text())
    parts = {phase: found["trace"][phase] for phase in ("offline", "online")}
    benchmark.extra_info.update(
        trace=found["trace"],
        trace_bytes=trace.stat().st_size,
        online_latency_s={
            "timed": found["online"]["latency_s"]["median"],
            "traced": parts["online"]["time_s"],
        },
    )
    target(f"trace-{protocol}", max(max(part["unaccounted"].values()) for part in parts.values()))
