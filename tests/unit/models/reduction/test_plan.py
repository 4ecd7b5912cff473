"""The planner as a search: sensitivities, budgets of ReLUs and of time, scores, resumption, refusals.

By layers, and by groups of channels, which use the same short trainings.
"""

import csv
import dataclasses
import itertools
import json
import shutil

import numpy as np
import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import ModelError, TrainingError, UsageError
from pi_bench.models import parse_recipe
from pi_bench.models.building import build
from pi_bench.models.channel_effects import derivatives
from pi_bench.models.channel_planning import channel_groups, kinds_of_channels
from pi_bench.models.networks.mixed import MixedActivation
from pi_bench.models.networks.polynomial import polynomial_activations
from pi_bench.models.planning import LayerChoice, choices_of, with_choices
from pi_bench.models.recipe_export import load_state
from pi_bench.models.reduction.channel_plans import chosen_kinds
from pi_bench.models.reduction.chosen_plan import PlanSettings
from pi_bench.models.reduction.plan import plan
from pi_bench.models.reduction.plan_costs import PlanCosts
from pi_bench.models.reduction.search_folder import kept_budgets
from pi_bench.models.reduction.time_budgets import TimeBudget
from pi_bench.models.safenet.mixed_network import mixed_recipe
from pi_bench.models.training import TrainingSettings
from pi_bench.models.training.polynomial_training import set_relu_part

from .conftest import InlineEngine, numbered, weights_of, without_exports
from .test_budgets import run, run_killed
from .test_objective import objective

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
    with without_exports():
        return folder, run(plan, base, plan_settings, folder, engine), engine.titles


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def accuracy(folder):
    return json.loads((folder / "result.json").read_text())["validation_accuracy_pct"]


def test_each_choice_for_each_layer_has_its_gain_and_risk(planned, base):
    folder, _, titles = planned
    sizes = {path: shape[0] * shape[1] * shape[2] for path, shape in base.relu_shapes()}
    options = [f"{path}-{choice}" for path in sizes for choice in ("quadratic", "linear")]
    assert titles == numbered(["teacher", "relu", *options, "300", "0"])
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


@pytest.mark.usefixtures("no_export")
def test_a_search_that_was_killed_ends_with_the_same_weights(planned, base, plan_settings, tmp_path):
    run_killed(plan, base, plan_settings, tmp_path, ("stages.0.0.relu1-quadratic", 2), ("0", 2))
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
def test_a_budget_of_time_is_met_in_prediction(one_block, plan_settings, made_up_costs, tmp_path):
    wan = objective(made_up_costs, "wan")
    costs = PlanCosts(one_block, wan)
    full, least = costs.seconds({}), costs.seconds({path: "linear" for path, _ in one_block.relu_shapes()})
    assert costs.gain("stem.relu", "linear") > costs.gain("stem.relu", "quadratic")
    budget = TimeBudget.parse(f"{1e3 * (full + least) / 2:.3f}ms")
    settings = dataclasses.replace(plan_settings, objective=wan, budgets=(budget,))
    _, found = run(plan, one_block, settings, tmp_path)
    recipe = parse_recipe((tmp_path / found.folder / "recipe.toml").read_text(), "x")
    time_s = costs.seconds(choices_of(recipe))
    assert least <= time_s <= budget.seconds
    assert kept_budgets(tmp_path, wan) == {str(budget): (found.relu_count, time_s)}
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


CHANNEL_BUDGETS = (300, 176)  # the second one is met by whole channels exactly


@pytest.fixture(scope="module")
def channel_settings(plan_settings):
    return dataclasses.replace(plan_settings, channel_groups=100, budgets=CHANNEL_BUDGETS)


def with_short_trainings(planned, folder):
    for name in ("teacher", "sensitivity"):
        shutil.copytree(planned[0] / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def by_channel(planned, base, channel_settings, tmp_path_factory):
    folder, engine = with_short_trainings(planned, tmp_path_factory.mktemp("by-channel")), InlineEngine()
    with without_exports():
        return folder, run(plan, base, channel_settings, folder, engine), engine.titles


def recipe_of(folder):
    return parse_recipe((folder / "recipe.toml").read_text(), "x")


def test_channels_divide_the_gain_and_risk_of_their_layer(planned, by_channel, base):
    folder, candidates, titles = by_channel
    options = [f"{path}-{choice}" for path, _ in base.relu_shapes() for choice in ("quadratic", "linear")]
    stored = ["teacher", "relu", *options]  # no layer is trained again
    jobs = numbered([*stored, *(f"effects-{one}" for one in options), "300", "176"])
    assert titles == jobs[len(stored) :]
    assert [(one.method, one.step) for one in candidates[1:]] == [
        ("plan", "channels-300"),
        ("plan", "channels-176"),
    ]
    of_layers = {(row["layer"], row["choice"]): row for row in rows(planned[0] / "plan.csv")}
    found = rows(folder / "plan.csv")
    for key, of_layer in of_layers.items():
        of_channels = [row for row in found if (row["layer"], row["choice"]) == key]
        result = json.loads((folder / "sensitivity" / "-".join(key) / "channels.json").read_text())
        assert sorted(int(row["channels"]) for row in of_channels) == list(range(len(result["effects"])))
        assert sum(float(row["gain_relus"]) for row in of_channels) == float(of_layer["gain_relus"])
        risk = max(float(of_layer["risk_pct"]), 50 / result["judging_count"])
        for row in of_channels:
            part = result["effects"][int(row["channels"])] / sum(result["effects"])
            assert float(row["risk_pct"]) == pytest.approx(risk * part, rel=1e-9)


def test_a_budget_of_channels_is_met_at_the_least_risk_of_all_choices(by_channel, base):
    folder, candidates, _ = by_channel
    least = {}
    for row in rows(folder / "plan.csv"):
        key = row["layer"], row["channels"]
        found = float(row["gain_relus"]), float(row["risk_pct"]), row["choice"]
        least[key] = min(least.get(key, found), found, key=lambda one: one[1])
    gains, risks, _ = zip(*least.values(), strict=True)
    every = np.array(list(itertools.product((0.0, 1.0), repeat=len(least))))
    totals, saved = every @ np.array(risks), every @ np.array(gains)
    for budget, candidate in zip(CHANNEL_BUDGETS, candidates[1:], strict=True):
        recipe = recipe_of(folder / "planned" / str(budget))
        assert recipe == recipe_of(folder / candidate.folder)
        assert recipe.relu_count == candidate.relu_count <= budget
        module = build(recipe)
        load_state(module, folder / "planned" / str(budget) / "start.pt")
        taken = 0.0
        for (path, channel), (_, risk, choice) in least.items():
            kind = kind_of(module.get_submodule(path), int(channel))
            assert kind in ("relu", choice)
            taken += risk * (kind != "relu")
        within = base.relu_count - saved <= budget
        assert taken == pytest.approx(float(totals[within].min()), rel=1e-9)
    assert candidates[2].relu_count == CHANNEL_BUDGETS[1]
    assert any(recipe_of(folder / one.folder).mixtures for one in candidates[1:])


def kind_of(part, channel):
    """The kind of a channel of a layer, as its module has it."""
    if isinstance(part, MixedActivation):
        degrees = {1: "linear", 2: "quadratic", 3: "cubic"}
        return "relu" if part.relu.flatten()[channel] else degrees[int(part.degrees.flatten()[channel])]
    return {"ReLU": "relu", "RemovedReLU": "linear", "PolynomialActivation": "quadratic"}[type(part).__name__]


def test_a_planned_network_starts_as_the_teacher(by_channel, base):
    folder, *_ = by_channel
    full, planned = build(base), build(recipe_of(folder / "planned" / "300"))
    load_state(full, folder / "teacher" / "state.pt")
    load_state(planned, folder / "planned" / "300" / "start.pt")
    images = torch.randn(4, *base.input_shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        set_relu_part(planned, 1.0)
        torch.testing.assert_close(planned.eval()(images), full.eval()(images))


def test_effects_are_derivatives_by_the_part_of_relu(base):
    torch.manual_seed(1)
    path = "stages.0.0.relu2"
    module = build(with_choices(base, {path: "quadratic"})).double().eval()
    images, labels = torch.randn(3, *base.input_shape).double(), torch.tensor([1, 2, 3])
    found = derivatives(module, path, images, labels)
    assert found.shape == (3, 2) and found.abs().min() > 0
    part = polynomial_activations(module)[path]

    def losses():
        with torch.no_grad():
            return torch.nn.functional.cross_entropy(module(images), labels, reduction="none")

    before, part.relu_part = losses(), 1e-7
    torch.testing.assert_close((losses() - before) / 1e-7, found.sum(dim=1), rtol=1e-4, atol=1e-6)
    part.relu[0] = True  # of which no part is missing
    part.relu_part = 0.0
    assert derivatives(module, path, images, labels)[:, 0].abs().max() == 0


@pytest.mark.usefixtures("no_export")
def test_a_search_by_channels_that_was_killed_ends_with_the_same_weights(
    planned, by_channel, base, channel_settings, tmp_path
):
    folder = with_short_trainings(planned, tmp_path)
    run_killed(plan, base, channel_settings, folder, ("effects-stages.0.0.relu1-linear", 0), ("176", 2))
    assert weights_of(folder) == weights_of(by_channel[0])
    for file in ("plan.csv", "scores.csv", "planned/176/recipe.toml", "planned/176/start.pt"):
        assert (folder / file).read_bytes() == (by_channel[0] / file).read_bytes()
    with pytest.raises(TrainingError, match="another search, with another channel_groups"):
        run(plan, base, dataclasses.replace(channel_settings, channel_groups=None), folder)


def test_a_budget_of_time_is_met_by_channels_at_less_risk_than_by_layers(base, made_up_costs):
    costs = PlanCosts(base, objective(made_up_costs, "wan"))
    options, effects = {}, {}
    for number, (path, shape) in enumerate(list(base.relu_shapes())[:2]):
        gain = costs.gain(path, "linear")
        options[path, "linear"] = LayerChoice(path, "linear", gain=gain, risk=1.0 + number)
        effects[path, "linear"] = [4.0**channel for channel in range(shape[0])]
    groups = channel_groups(options.values(), effects, 8, least_risk=0.1)
    budget = TimeBudget.parse(
        f"{1e3 * (costs.seconds({}) - 0.3 * sum(o.gain for o in options.values())):.3f}ms"
    )
    layers = costs.first_within(budget, options)
    kinds = chosen_kinds(budget, groups, costs, layers)
    recipe = mixed_recipe(base, kinds_of_channels(groups, kinds), "plan")
    assert recipe.mixtures and costs.seconds_of(recipe) <= budget.seconds
    risk = sum(group.option(kind).risk for group, kind in zip(groups, kinds, strict=True))
    assert 0 < risk < sum(options[key].risk for key in layers.items())
    # The budget has no room for the ReLUs of any replaced group.
    fewer = [[*kinds[:n], "relu", *kinds[n + 1 :]] for n, kind in enumerate(kinds) if kind != "relu"]
    every = [mixed_recipe(base, kinds_of_channels(groups, one), "plan") for one in fewer]
    assert all(costs.seconds_of(one) > budget.seconds for one in every)
