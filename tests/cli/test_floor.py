"""The floor compared with real runs of both parties, and the option that leaves it out."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from pi_bench.channel.link import Link
from pi_bench.cli import main
from pi_bench.costs import LIMIT_NAMES
from pi_bench.launch.placement import place
from pi_bench.measurement_options.table import MeasurementOptions
from pi_bench.metrics.limits_process import measure_limits
from pi_bench.prediction.floor import floor_of
from pi_bench.prediction.limits import Limits
from pi_bench.registry import loadable_protocols
from pi_bench.report.documents.latency import Result
from pi_bench.tasks import PreparedTask, Task, prepared

PLACE = place(1)
LINKS = (None, Link.parse("lan"))


def below_floor(limits: Limits, runs: list[tuple[PreparedTask, Result]]) -> list[str]:
    """Names the runs that took less time than these limits allow."""
    found = []
    for whole, result in runs:
        task, link, rounds = whole.task, whole.task.measuring.link, result.online.comm_round_count
        floor = floor_of(task.info, whole.model.program, task.options, limits, link, round_count=rounds)
        assert floor.online.whole.time_s > 0
        for phase, samples in (
            (floor.online, result.online.latency_s.samples),
            (floor.offline, result.offline.samples_s),
        ):
            if phase.whole.time_s > min(samples):
                found.append(f"{task.info.name}, {link}: {min(samples)} s, floor {phase.whole.time_s} s")
    return found


def test_no_real_run_is_below_its_floor(model_file: Path) -> None:
    """Load during a run only slows the run. Load while the limits are measured spoils them, so they are
    measured up to three times, and the best of each counts."""
    runs = []
    for info in loadable_protocols():
        for link in LINKS:
            options = info.configure(threads=PLACE.threads)
            measuring = MeasurementOptions(runs=2, warmup=0, link=link)
            task = Task(model=model_file, info=info, options=options, place=PLACE, measuring=measuring)
            whole = prepared(task)
            runs.append((whole, whole.result(whole.measure())))
    assert len(runs) >= 4 * len(LINKS)
    best, below = dict.fromkeys(LIMIT_NAMES, math.inf), ["nothing is measured"]
    for _ in range(3):
        if below:
            found = measure_limits(PLACE.threads, PLACE.client_cores, PLACE.server_cores)
            best = {name: min(best[name], found[name]) for name in LIMIT_NAMES}
            below = below_floor(Limits(best, PLACE.threads), runs)
    assert not below


def test_the_floor_stands_beside_the_latency(
    model_file: Path, tmp_path: Path, made_up_limits: Limits, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "result.json"
    words = [
        "latency",
        str(model_file),
        "--runs",
        "2",
        "--warmup",
        "0",
        "--no-history",
        "--json",
        str(written),
    ]
    assert main(words) == 0
    text, result = capsys.readouterr().out, json.loads(written.read_text())
    assert re.search(
        r"floor +online [\d.,]+ times the [\d.]+ [mu]s that .* needs? at least on this machine", text
    )
    assert "caution: so few runs show no spread" in text
    assert "few-runs" in [caution["code"] for caution in result["cautions"]]
    assert result["limits"]["unit_s"] == dict(made_up_limits.unit_s)
    floor: dict[str, Any] = result["floor"]
    for phase, median_s in (
        ("online", result["online"]["latency_s"]["median"]),
        ("offline", result["offline"]["time_s"]),
    ):
        assert floor[phase]["times_floor"] == pytest.approx(median_s / floor[phase]["time_s"])
        parts = [floor[phase][f"{part}_s"] for part in ("client", "server", "link")]
        assert floor[phase]["time_s"] == max(parts) == floor[phase][f"{floor[phase]['bound_by']}_s"]
    layers = result["online"]["layers"]
    assert [layer["id"] for layer in floor["layers"]] == [layer["id"] for layer in layers]
    assert max(layer["online"]["time_s"] for layer in floor["layers"]) > 0
    assert main([*words, "--no-limits"]) == 0
    without = json.loads(written.read_text())
    assert without["floor"] is None is without["limits"]
    assert "floor" not in capsys.readouterr().out
