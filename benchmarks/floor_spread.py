"""The same measurement several times on a quiet and on a loaded machine: its spread, absolute and by floors.

`python -m benchmarks.floor_spread MODEL.pt` measures the network three times as the machine is, and three
times while it runs busy loops (`--busy N`, by default one). Each measurement has limits of its own. It
prints Markdown: the medians, how many times the floor they are, and the spread of both, which is the largest
value divided by the smallest one, less one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.markdown import table
from pi_bench.launch.placement import place
from pi_bench.metrics.limits_process import measure_limits
from pi_bench.report.quantities import percent

_BUSY_LOOP = "while True: pass"


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one measurement."""

    online_s: float
    floor_s: float
    offline_s: float
    offline_floor_s: float

    @classmethod
    def of(cls, result: dict[str, Any]) -> Measured:
        """Reads the figures from a result of `pi-bench latency`."""
        floor = result["floor"]
        return cls(
            result["online"]["latency_s"]["median"],
            floor["online"]["time_s"],
            result["offline"]["time_s"],
            floor["offline"]["time_s"],
        )


def spread(values: Sequence[float]) -> float:
    """Divides the largest value by the smallest one and subtracts one: 0.1 means a tenth."""
    return max(values) / min(values) - 1


def lines(measured: dict[str, list[Measured]]) -> list[str]:
    """Writes the table of the states of the machine, and of all of them together."""
    together = [each for found in measured.values() for each in found]
    rows = []
    for phase in ("online", "offline"):
        for state, found in {**measured, "both": together}.items():
            if phase == "online":
                times, floors = [one.online_s for one in found], [one.floor_s for one in found]
            else:
                times, floors = [one.offline_s for one in found], [one.offline_floor_s for one in found]
            ratios = [time_s / floor_s for time_s, floor_s in zip(times, floors, strict=True)]
            rows.append(
                (
                    f"{phase}, {state}",
                    " / ".join(f"{1e3 * time_s:.2f}" for time_s in times),
                    percent(spread(times)),
                    " / ".join(f"{1e3 * floor_s:.2f}" for floor_s in floors),
                    " / ".join(f"{ratio:.2f}" for ratio in ratios),
                    percent(spread(ratios)),
                )
            )
    return table(("state", "median, ms", "spread", "floor, ms", "times its floor", "spread"), rows)


def measure(model: Path, flags: Sequence[str]) -> Measured:
    """Runs `pi-bench latency` once, with limits that are measured now."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        command = [sys.executable, "-m", "pi_bench", "latency", str(model), "--no-history"]
        subprocess.run(
            [*command, "--json", str(result), *flags],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "XDG_CACHE_HOME": folder},
        )
        return Measured.of(json.loads(result.read_text()))


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keeps `count` processes busy meanwhile."""
    loops = [subprocess.Popen([sys.executable, "-c", _BUSY_LOOP]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--times", type=int, default=3, help="measurements per state of the machine")
    parser.add_argument("--busy", type=int, default=1, help="busy loops of the loaded machine")
    parser.add_argument("--runs", default="5", help="runs per measurement")
    parser.add_argument("--costs", help="file of costs, so that none are measured")
    parsed = parser.parse_args()
    flags = ["--runs", parsed.runs, *(["--costs", parsed.costs] if parsed.costs else [])]
    started, here = time.perf_counter(), place(None)
    measure_limits(here.threads, here.client_cores, here.server_cores)
    limits_s = time.perf_counter() - started
    quiet = [measure(parsed.model, flags) for _ in range(parsed.times)]
    with busy_loops(parsed.busy):
        loaded = [measure(parsed.model, flags) for _ in range(parsed.times)]
    print("\n".join(lines({"quiet": quiet, f"{parsed.busy} busy": loaded})))
    print(f"\nThe limits were measured in {limits_s:.2f} s on the quiet machine.")


if __name__ == "__main__":
    main()
