"""The time of a sweep over that of the same measurements by `pi-bench latency`, one call each.

Both measure the same model file, and both keep their results as JSON and in a history. A sweep imports its
code once and not once per cell, so the ratio may be below 1.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PROTOCOLS, LINKS = ("delphi", "fss"), ("loopback", "lan")
OPTIONS = ("--runs", "5", "--warmup", "1", "--threads", "1")


def _elapsed_s(*words: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pi_bench", *words], check=True, capture_output=True)
    return time.perf_counter() - started


@pytest.mark.long
def test_overhead(benchmark, target, network: Callable[[int], Path], tmp_path: Path) -> None:
    model, history = str(network(12_288)), ["--history", str(tmp_path / "history.db")]
    _elapsed_s("latency", model, *OPTIONS, *history)  # the caches of costs and limits are there afterwards
    alone_s = sum(
        _elapsed_s(
            "latency",
            model,
            *("--protocol", protocol, "--link", link, *OPTIONS, *history),
            *("--json", str(tmp_path / f"{protocol}-{link}.json")),
        )
        for protocol in PROTOCOLS
        for link in LINKS
    )
    settings = ("--protocol", ",".join(PROTOCOLS), "--link", ",".join(LINKS))
    words = ("sweep", "--network", model, *settings, *OPTIONS, *history, "-o", str(tmp_path / "figures"))
    swept_s = benchmark.pedantic(_elapsed_s, words, rounds=1)
    benchmark.extra_info.update(latency_s=alone_s, sweep_s=swept_s, cells=len(PROTOCOLS) * len(LINKS))
    target("sweep-overhead", swept_s / alone_s)
