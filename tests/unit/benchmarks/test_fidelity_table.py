"""The fidelity table: both settings of a network, by the commands that a user has."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import fidelity_table
from benchmarks.fidelity_networks import FidelityNetwork


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


def test_a_network_before_and_after(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    networks = [FidelityNetwork("small", small)]
    rows = fidelity_table.all_rows(networks, tmp_path, runs=1, limit=32)
    before, after = rows
    assert (before["image_count"], after["image_count"]) == (32, 32)
    assert set(before["bits"]["activations"].values()) == {10} != set(after["bits"]["activations"].values())
    assert after["typical_logit_error_pct"] != before["typical_logit_error_pct"]
    assert before["predicted_online_s"] > 0 and after["online_s"] > 0
    lines = fidelity_table.render(rows)
    assert lines[2].startswith("| small | before | 10 | 10 |") and lines[2].endswith("| 1.00 |")
    assert lines[3].startswith("| small | after | ")


def test_rows_that_are_there_are_kept_and_others_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an interruption in the second row, too: only that row is measured again."""
    asked: list[tuple[str, int]] = []

    def measure(
        network: FidelityNetwork, setting: str, folder: Path, runs: int, limit: int
    ) -> dict[str, Any]:
        asked.append((setting, runs))
        if asked.count(("after", 5)) == 1 and setting == "after":
            raise KeyboardInterrupt
        return {"network": network.name, "setting": setting, "asked": [runs, limit]}

    monkeypatch.setattr(fidelity_table, "measure", measure)
    networks = [FidelityNetwork("small", small)]
    with pytest.raises(KeyboardInterrupt):
        fidelity_table.all_rows(networks, tmp_path, runs=5, limit=8)
    for _ in range(2):
        rows = fidelity_table.all_rows(networks, tmp_path, runs=5, limit=8)
        assert [row["setting"] for row in rows] == ["before", "after"]
    assert asked == [("before", 5), ("after", 5), ("after", 5)]
    fidelity_table.all_rows(networks, tmp_path, runs=1, limit=8)
    assert asked[3:] == [("before", 1), ("after", 1)]


def test_a_network_whose_packages_are_missing_names_them() -> None:
    assert FidelityNetwork("x", small, ("numpy", "no_such_module")).missing == ["no_such_module"]
