"""Coordinate descent on masks: exact budgets, accepted blocks, bounded cost, resumption and refusals."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import TrainingError, UsageError
from pi_bench.models import parse_recipe
from pi_bench.models.linearization.descent_settings import DescentSettings
from pi_bench.models.linearization.settings import LinearizationSettings
from pi_bench.models.reduction.bcd import BcdSettings, bcd
from pi_bench.models.training import TrainingSettings

from .conftest import InlineEngine, numbered, weights_of, without_exports
from .test_budgets import run, run_killed

BUDGETS = (150, 120)


@pytest.fixture(scope="module")
def bcd_settings(settings):
    return BcdSettings(
        budgets=BUDGETS,
        start=200,
        training=dataclasses.replace(settings.training, epochs=12, batch_size=32),
        linearization=LinearizationSettings(learning_rate=0.02, lasso=0.03, batch_size=16),
        descent=DescentSettings(
            block_fraction=0.1,
            tries=3,
            tolerance_pct=0.0,
            image_count=128,
            learning_rate=0.01,
            batch_size=16,
        ),
        finetuning=TrainingSettings(epochs=1, learning_rate=0.01, soft_weight=1.0),
        data_dir=settings.data_dir,
        device="cpu",
        threads=1,
        linearization_threads=1,
    )


@pytest.fixture(scope="module")
def descended(base, bcd_settings, tmp_path_factory):
    folder, engine = tmp_path_factory.mktemp("descended"), InlineEngine()
    with without_exports():
        return folder, run(bcd, base, bcd_settings, folder, engine), engine.titles


def masks_of(folder):
    return np.concatenate([mask.ravel() for mask in np.load(folder / "masks.npz").values()])


def test_each_budget_is_met_exactly_within_the_masks_before(descended, bcd_settings):
    folder, candidates, titles = descended
    assert titles == numbered(["teacher", "linearized", "descent", "150", "120"])
    assert [(one.method, one.step, one.relu_count) for one in candidates[1:]] == [
        ("bcd", "pixel-150", 150),
        ("bcd", "pixel-120", 120),
    ]
    start = masks_of(folder / "linearized" / "budget-200")
    first, second = (masks_of(folder / "descent" / f"budget-{budget}") for budget in BUDGETS)
    assert [int(mask.sum()) for mask in (start, first, second)] == [200, 150, 120]
    assert (start >= first).all() and (first >= second).all()  # no ReLU comes back
    for one in candidates[1:]:
        recipe = parse_recipe((folder / one.folder / "recipe.toml").read_text(), one.name)
        assert (recipe.relu_count, recipe.masks) == (one.relu_count, "pixel")


def test_a_step_takes_the_first_block_within_the_tolerance_or_the_best(descended, bcd_settings):
    folder, _, _ = descended
    with open(folder / "descent" / "log.csv", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    descent = bcd_settings.descent
    start = rows.pop(0)  # is trained before a block is chosen
    assert (start["step"], start["relu_count"], start["tries"]) == (0, 200, 0)
    assert rows[0]["accuracy_before_pct"] > start["accuracy_before_pct"]
    assert len(rows) == descent.step_count(200, 150) + descent.step_count(150, 120)
    for row in rows:
        dropped = row["accuracy_before_pct"] - row["accuracy_after_pct"]
        assert 1 <= row["tries"] <= descent.tries
        assert row["tries"] == descent.tries or dropped <= descent.tolerance_pct
    assert any(row["tries"] > 1 for row in rows)  # else the tolerance decides nothing here


@pytest.mark.usefixtures("no_export")
def test_a_descent_that_was_killed_ends_with_the_same_weights(descended, base, bcd_settings, tmp_path):
    run_killed(bcd, base, bcd_settings, tmp_path, ("descent", 2), ("120", 0))
    wanted = weights_of(descended[0])
    for folder, found in weights_of(tmp_path).items():
        assert found == wanted[folder], folder
    assert (
        masks_of(tmp_path / "descent" / "budget-120") == masks_of(descended[0] / "descent" / "budget-120")
    ).all()


def test_nothing_is_done_twice_and_smaller_budgets_may_follow(descended, base, bcd_settings):
    folder, candidates, _ = descended
    engine = InlineEngine()
    assert run(bcd, base, bcd_settings, folder, engine) == candidates
    assert engine.names == []
    more = dataclasses.replace(bcd_settings, budgets=(*BUDGETS, 100))
    assert run(bcd, base, more, folder, engine)[:3] == candidates
    assert engine.names == ["descent", "100"]
    with pytest.raises(TrainingError, match="did not stop at 130"):
        run(bcd, base, dataclasses.replace(bcd_settings, budgets=(150, 130)), folder)
    with pytest.raises(TrainingError, match="another search, with another start"):
        run(bcd, base, dataclasses.replace(bcd_settings, start=210), folder)


def test_what_is_refused(base, bcd_settings, tmp_path):
    for start in (150, base.relu_count):
        with pytest.raises(UsageError, match=rf"--start {start}: it must be above the largest budget, 150"):
            run(bcd, base, dataclasses.replace(bcd_settings, start=start), tmp_path / "out")
    with pytest.raises(UsageError, match=r"descent: block_fraction is 0, allowed: 0.0001 to 1"):
        DescentSettings(block_fraction=0)
    assert not (tmp_path / "out").exists()


def test_the_cost_of_a_descent_is_bounded():
    """From 30,000 ReLUs to 15,000 in 14 steps, so 14 epochs; its predecessor's code takes about 3,000."""
    assert DescentSettings().step_count(30_000, 15_000) == 14
    assert json.loads(json.dumps(DescentSettings().as_dict())) == DescentSettings().as_dict()
