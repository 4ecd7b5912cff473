"""Files of costs from other versions and protocols."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pi_bench.cli import main
from pi_bench.costs import Costs
from pi_bench.launch import cached_costs as costs_module
from pi_bench.prediction.costs_file import read_costs


def test_a_file_may_know_more_and_must_not_know_less(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A unit of another protocol does no harm. A missing one is refused before anything runs."""
    fields = json.loads(Path(os.environ["PI_BENCH_COSTS"]).read_text())
    fields["unit_s"]["a unit of another protocol"] = 1.0
    more = tmp_path / "more.json"
    more.write_text(json.dumps(fields))
    assert main(["inspect", str(model_file), "--costs", str(more)]) == 0
    del fields["unit_s"]["evaluate gate"]
    less = tmp_path / "less.json"
    less.write_text(json.dumps(fields))
    capsys.readouterr()
    for command in ("inspect", "latency"):
        assert main([command, str(model_file), "--costs", str(less)]) == 4
        out, error = capsys.readouterr()
        assert f"error: {less}: the costs lack the unit 'evaluate gate'" in error
        assert out == ""


def test_costs_of_a_busy_minute_are_measured_again(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cached costs that predict a hundred times the measured time are replaced in the same command."""
    right = read_costs(Path(os.environ["PI_BENCH_COSTS"]))
    busy = Costs({unit: 100 * cost_s for unit, cost_s in right.unit_s.items()}, right.threads, right.machine)
    asked = []

    def machine_costs(info: object, threads: int, progress: object, *, again: bool = False) -> Costs:
        asked.append(again)
        return right if again else busy

    monkeypatch.setattr(costs_module, "machine_costs", machine_costs)
    command = ["latency", str(model_file), "--runs", "1", "--warmup", "0", "--no-history", "--json"]
    fixed = tmp_path / "fixed.json"
    assert main([*command, str(fixed), "--costs", os.environ["PI_BENCH_COSTS"]]) == 0
    assert asked == []
    monkeypatch.delenv("PI_BENCH_COSTS")
    renewed = tmp_path / "renewed.json"
    assert main([*command, str(renewed)]) == 0
    assert asked == [False, True]
    predicted = [
        json.loads(path.read_text())["prediction"]["online"]["latency_s"] for path in (fixed, renewed)
    ]
    assert predicted[0] == predicted[1]
