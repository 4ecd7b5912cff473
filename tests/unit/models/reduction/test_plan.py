"""The planner as a search: sensitivities, budgets of ReLUs and of time, scores, resumption, refusals."""

import csv
import dataclasses
import json

import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import ModelError, TrainingError, UsageError
from pi_bench.models import parse_recipe
from pi_bench.models.building import build
from pi_bench.models.planning import choices_of, with_choices
from pi_bench.models.reduction.plan import PlanSettings, plan
from pi_bench.models.reduction.plan_costs import PlanCosts
from pi_bench.models.reduction.time_budgets import TimeBudget
from pi_bench.models.training import TrainingSettings
from pi_bench.models.training.polynomial_training import set_relu_part

from .conftest import InlineEngine, weights_of
from .test_budgets import Killed, KilledAt, run
from .test_objective import objective

pytestmark = pytest.mark.usefixtures("few_digits")

BUDGETS = (300, 0)
REPLACEMENT = {"gradient_limit": 2.0, "interpolation": 0.5, "range_penalty": 1e-3, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def plan_settings(settings):
    return PlanSettings(
        budgets=BUDGETS,
        training=settings.training,
        sensitivity=TrainingSettings(epochs=2, soft_weight=1.0, **REPLACEMENT),
        finetuning=TrainingSettings(epochs=3, soft_weight=1.0, **REPLACEMENT),
        choices=("quadratic", "linear"),
        data_dir=settings.data_dir,
        device="cpu",
        threads=1,
    )


@pytest.fixture(scope="module")
def planned(base, plan_settings, tmp_path_factory):
    folder, engine = tmp_path_factory.mktemp("planned"), InlineEngine()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pi_bench.models.training.train_recipe._export", lambda *_: None)
        return folder, run(plan, base, plan_settings, folder, engine), engine.names


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def accuracy(folder):
    return json.loads((folder / "result.json").read_text())["validation_accuracy_pct"]


def test_each_choice_for_each_layer_has_its_gain_and_risk(planned, base):
    folder, _, names = planned
    sizes = {path: shape[0] * shape[1] * shape[2] for path, shape in base.relu_shapes()}
    options = [f"{path}-{choice}" for path in sizes for choice in ("quadratic", "linear")]
    assert names == ["teacher", "relu", *options, "300", "0"]
    found = rows(folder / "plan.csv")
    assert [f"{row['layer']}-{row['choice']}" for row in found] == options
    best = accuracy(folder / "sensitivity" / "relu")
    for row in found:
        alone = accuracy(folder / "sensitivity" / f"{row['layer']}-{row['choice']}")
        assert float(row["risk_pct"]) == max(0.0, best - alone)
        assert float(row["gain_relus"]) == sizes[row["layer"]]


def test_budgets_are_met_from_the_trained_weights_with_delphis_schedule(planned, base):
    folder, candidates, _ = planned
    assert [(one.method, one.step) for one in candidates] == [
        ("baseline", ""),
        ("plan", "layers-300"),
        ("plan", "layers-0"),
    ]
    scores = {row["budget"]: row for row in rows(folder / "scores.csv")}
    for budget in BUDGETS:
        place = folder / "networks" / str(budget)
        recipe = parse_recipe((place / "recipe.toml").read_text(), "x")
        assert recipe.relu_count <= budget and choices_of(recipe)
        result = json.loads((place / "result.json").read_text())
        assert result["start_sha256"] and result["teacher"]["name"] == base.name
        assert result["chosen_epoch"] > 1  # ReLUs are still in the network of the first
        assert {name: result["settings"][name] for name in REPLACEMENT} == REPLACEMENT
        row = scores[str(budget)]
        replaced = (base.relu_count - recipe.relu_count) / base.relu_count
        assert float(row["delphi_score"]) == pytest.approx(accuracy(place) * (1 + replaced), abs=1e-3)
        assert row["time_score"] == ""
        assert {path: "linear" for path in row["linear"].split()}.items() <= choices_of(recipe).items()


def test_relus_of_linear_layers_go_step_by_step(base):
    recipe = with_choices(base, {"stem.relu": "linear", "stages.0.0.relu2": "linear"})
    torch.manual_seed(1)
    full, left = build(base), build(recipe)
    left.load_state_dict(full.state_dict())
    images = torch.randn(4, *base.input_shape)
    with torch.no_grad():
        assert set_relu_part(left, 1.0) == 1.0
        torch.testing.assert_close(left(images), full(images))
        set_relu_part(left, 0.0)
        assert not torch.allclose(left(images), full(images))


@pytest.mark.parametrize(("name", "looks"), [("stages.0.0.relu1-quadratic", 2), ("0", 2)])
@pytest.mark.usefixtures("no_export")
def test_a_search_that_was_killed_ends_with_the_same_weights(
    planned, base, plan_settings, tmp_path, name, looks
):
    with pytest.raises(Killed):
        run(plan, base, plan_settings, tmp_path, KilledAt(name, looks))
    run(plan, base, plan_settings, tmp_path)
    wanted, found = weights_of(planned[0]), weights_of(tmp_path)
    assert found == wanted
    for file in ("plan.csv", "scores.csv"):
        assert (tmp_path / file).read_text() == (planned[0] / file).read_text()


@pytest.mark.usefixtures("no_export")
def test_nothing_is_done_twice_and_budgets_may_follow(planned, base, plan_settings):
    folder, candidates, _ = planned
    engine = InlineEngine()
    assert run(plan, base, plan_settings, folder, engine) == candidates
    assert engine.names == []
    run(plan, base, dataclasses.replace(plan_settings, budgets=(150,)), folder, engine)
    assert engine.names == ["150"]
    with pytest.raises(TrainingError, match="another search, with another choices"):
        run(plan, base, dataclasses.replace(plan_settings, choices=("linear",)), folder)


@pytest.mark.usefixtures("no_export")
def test_a_budget_of_time_is_met_in_prediction(planned, base, plan_settings, made_up_costs, tmp_path):
    wan = objective(made_up_costs, "wan")
    costs = PlanCosts(base, wan)
    full, least = costs.seconds({}), costs.seconds({path: "linear" for path, _ in base.relu_shapes()})
    assert costs.gain("stem.relu", "linear") > costs.gain("stem.relu", "quadratic")
    budget = TimeBudget.parse(f"{1e3 * (full + least) / 2:.3f}ms")
    settings = dataclasses.replace(
        plan_settings, objective=wan, budgets=(budget,), teacher=planned[0] / "teacher"
    )
    (found,) = run(plan, base, settings, tmp_path)
    recipe = parse_recipe((tmp_path / found.folder / "recipe.toml").read_text(), "x")
    time_s = costs.seconds(choices_of(recipe))
    assert least <= time_s <= budget.seconds
    (row,) = rows(tmp_path / "scores.csv")
    saved = (full - time_s) / full
    assert float(row["time_score"]) == pytest.approx(float(row["accuracy_pct"]) * (1 + saved), abs=1e-2)
    with pytest.raises(UsageError, match=r"--budget 1us: .* ms is the least that is predicted"):
        costs.require(TimeBudget.parse("1us"), settings.choices)


def test_what_is_refused(base, plan_settings, tmp_path):
    too_many = dataclasses.replace(plan_settings, budgets=(base.relu_count,))
    with pytest.raises(UsageError, match="a budget must be below that"):
        run(plan, base, too_many, tmp_path / "out")
    timed = dataclasses.replace(plan_settings, budgets=(TimeBudget.parse("15ms"),))
    with pytest.raises(UsageError, match="15ms is a time: add --objective online"):
        run(plan, base, timed, tmp_path / "out")
    with pytest.raises(ModelError, match="has polynomials: start from the network with all"):
        run(plan, dataclasses.replace(base, cubics=("*",)), plan_settings, tmp_path / "out")
    with pytest.raises(ModelError, match="start from the network with all its ReLUs"):
        run(plan, dataclasses.replace(base, identities=("stem.relu",)), plan_settings, tmp_path / "out")
    with pytest.raises(UsageError, match="choices are quartic, allowed: quadratic, cubic, linear"):
        dataclasses.replace(plan_settings, choices=("quartic",))
    assert not (tmp_path / "out").exists()
