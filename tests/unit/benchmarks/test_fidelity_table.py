"""The fidelity table: both settings of a network, by the commands that a user has."""

import importlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import fidelity_agreement, fidelity_table
from benchmarks.fidelity_networks import FidelityNetwork
from benchmarks.resumable import resumed


def small(folder: Path) -> str:
    torch = importlib.import_module("torch")
    import pi_bench

    torch.manual_seed(1)
    layers = torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.ReLU()
    network = torch.nn.Sequential(*layers, torch.nn.Linear(32, 4))
    pi_bench.export(
        network, torch.zeros(1, 8), folder / "model.pt", calibration=torch.randn(64, 8), fidelity=99.9
    )
    np.save(folder / "x.npy", np.random.default_rng(2).normal(size=(40, 8)).clip(-2, 2).astype(np.float32))
    return str(folder / "x.npy")


def not_again(*arguments: object) -> None:
    raise AssertionError("a row that is there is measured again")


def test_a_network_before_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """First without times, then the times alone, of a network without the bits and with them."""
    pytest.importorskip("torch")
    monkeypatch.setattr(fidelity_table, "NETWORKS", [FidelityNetwork("small", small)])
    command = [str(tmp_path), "--limit", "32", "--rounds", "2"]
    fidelity_table.main([*command, "--runs", "0"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| small | before | 10 | 10 |") and lines[2].endswith(" ms | - | - | - | - |")
    assert lines[3].startswith("| small | after | ") and not (tmp_path / "times.json").exists()
    before, after = json.loads((tmp_path / "agreement.json").read_text())
    assert (before["image_count"], after["image_count"]) == (32, 32)
    assert set(before["bits"]["activations"].values()) == {10} != set(after["bits"]["activations"].values())
    assert after["typical_logit_error_pct"] != before["typical_logit_error_pct"]
    assert before["predicted_online_s"] > 0

    monkeypatch.setattr(fidelity_agreement, "pi_bench", not_again)
    fidelity_table.main([*command, "--runs", "1"])
    timed = capsys.readouterr().out.splitlines()
    (times,) = json.loads((tmp_path / "times.json").read_text())
    assert timed[2].split("|")[:9] == lines[2].split("|")[:9] and times["before_s"] > 0 < times["after_s"]
    assert timed[3].endswith(f"| {times['ratio']:.3f} | - | no verdict |")
    sides = json.loads((tmp_path / "small" / "times.json").read_text())["sides"]
    assert sides[0]["digest"] != sides[1]["digest"]


def test_rows_that_are_there_are_kept_and_others_measured(tmp_path: Path) -> None:
    """After an interruption in the second row, and after a failure, only that row is measured again."""
    asked: list[str] = []

    def measure(name: str, error: BaseException | None) -> dict[str, Any]:
        asked.append(name)
        if error is not None and asked.count(name) == 1:
            raise error
        return {"figure": len(asked)}

    errors = {"a": None, "b": KeyboardInterrupt(), "c": RuntimeError("no such network")}
    wanted = [({"network": name, "runs": 5}, partial(measure, name, errors[name])) for name in errors]
    with pytest.raises(KeyboardInterrupt):
        resumed(tmp_path / "rows.json", wanted)
    assert [row["network"] for row in resumed(tmp_path / "rows.json", wanted)] == ["a", "b"]
    rows = resumed(tmp_path / "rows.json", wanted)
    assert asked == ["a", "b", "b", "c", "c"]
    assert rows == resumed(tmp_path / "rows.json", wanted, measuring=False)
    assert [row["figure"] for row in rows] == [1, 3, 5]
    other = [({"network": "a", "runs": 1}, partial(measure, "a", None))]
    assert resumed(tmp_path / "rows.json", other)[0]["figure"] == 6


def test_a_network_whose_packages_are_missing_names_them() -> None:
    assert FidelityNetwork("x", small, ("numpy", "no_such_module")).missing == ["no_such_module"]
