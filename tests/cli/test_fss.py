"""`fss` through every command that runs a protocol, with parties in two processes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_bench.cli import main
from pi_bench.costs import Costs
from pi_bench.prediction.costs_file import write_costs
from pi_bench.primitives.fss import FSS

CAVEAT = "reviewed inside this project, not by outside cryptographers"


@pytest.fixture(autouse=True)
def costs(monkeypatch: pytest.MonkeyPatch, made_up_costs: Costs, tmp_path: Path) -> None:
    """Made-up costs with the units of tables, which cost most."""
    units = made_up_costs.unit_s | dict.fromkeys(FSS.units, 1e-5)
    write_costs(replace(made_up_costs, unit_s=units), tmp_path / "costs.json")
    monkeypatch.setenv("PI_BENCH_COSTS", str(tmp_path / "costs.json"))


def run(command: str, folder: Path, *arguments: Any, name: str = "fss") -> dict[str, Any]:
    target = folder / f"{command}.json"
    own = ("--runs", "1", "--warmup", "0") if command == "latency" else ()
    assert main([command, *map(str, arguments), *own, "--protocol", name, "--json", str(target)]) == 0
    result: dict[str, Any] = json.loads(target.read_text())
    return result


def test_latency_verifies_predicts_and_says_what_the_protocol_is(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run("latency", tmp_path, model_file, "--batch", 2, "--link", "lan", "--explain")
    assert result["verification"]["passed"] and result["secure"]
    assert result["network"]["relu_count"] == sum(layer["relu_count"] for layer in result["online"]["layers"])
    for phase in ("online", "offline"):
        measured, predicted = result[phase], result["prediction"][phase]
        assert predicted["bytes"] == measured["bytes"]
        assert list(predicted["parts"]) == list(measured["parts"])
    assert result["prediction"]["online"]["comm_round_count"] == result["online"]["comm_round_count"]
    caveat, gadgets = result["notes"]
    assert CAVEAT in caveat
    assert f"{result['network']['relu_count']:,} activations use shared tables" in gadgets
    text, warned = capsys.readouterr()
    words = " ".join(text.split())
    assert words.count(CAVEAT) == 1 == words.count("outside") and CAVEAT not in warned and gadgets in words
    assert f"OTs and shared tables of the {result['network']['relu_count']:,} ReLUs" in words


def test_a_window_too_wide_for_a_table_is_garbled_and_counted(model_file: Path, tmp_path: Path) -> None:
    wide = ("--activation-bits", 14, "--headroom-bits", 4)
    result = run("latency", tmp_path, model_file, *wide)
    assert result["verification"]["passed"]
    assert "0 activations use shared tables" in result["notes"][1]
    assert f"{result['network']['relu_count']:,} are garbled" in result["notes"][1]
    delphi = run("inspect", tmp_path, model_file, *wide, name="delphi")
    assert delphi["predicted_bytes"]["online"] == result["online"]["bytes"]
    assert delphi["notes"] == []


def test_null_plays_its_messages(model_file: Path, tmp_path: Path) -> None:
    own, null = (run("latency", tmp_path, model_file, name=name) for name in ("fss", "null:fss"))
    assert null["verification"]["passed"]
    assert [null[phase]["bytes"] for phase in ("offline", "online")] == [
        own[phase]["bytes"] for phase in ("offline", "online")
    ]


@pytest.mark.parametrize("mode", ["windowed", "exact"])
def test_private_accuracy_is_the_integer_networks(model_file: Path, tmp_path: Path, mode: str) -> None:
    images = np.random.default_rng(5).normal(size=(12, 2, 6, 6)).clip(-2.5, 2.5).astype(np.float32)
    np.save(tmp_path / "x.npy", images)
    sample = ("--data", tmp_path / "x.npy", "--private-sample", 4, "--mode", mode)
    result = run("accuracy", tmp_path, model_file, *sample)
    assert result["private"]["verified"]
    if mode == "exact":
        assert result["private"]["largest_difference_from_integer"] == 0


def test_micro_times_its_steps(tmp_path: Path) -> None:
    target = tmp_path / "micro.json"
    assert (
        main(
            ["micro", "fss", "--count", "320", "--threads", "1", "--repetitions", "1", "--json", str(target)]
        )
        == 0
    )
    names = [row["case"] for row in json.loads(target.read_text())["results"]]
    assert sum("offline" in name for name in names) == 2  # a whole phase at each party
    assert len(names) == 14 and any("evaluate" in name for name in names)
