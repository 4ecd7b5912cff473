"""SAFENet as a search: costs of channels, relaxed layers, rounding, budgets, resumption and refusals."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import ModelError, TrainingError, UsageError
from pi_bench.models import load_recipe, parse_recipe
from pi_bench.models.building import build
from pi_bench.models.data import load_data
from pi_bench.models.mixture import KINDS
from pi_bench.models.recipe_export import load_state
from pi_bench.models.reduction.channel_costs import ChannelCosts
from pi_bench.models.reduction.plan_costs import PlanCosts
from pi_bench.models.reduction.safenet import SafenetSettings, safenet
from pi_bench.models.reduction.search_folder import kept_budgets
from pi_bench.models.reduction.time_budgets import TimeBudget
from pi_bench.models.reduction.training_job import teacher_of
from pi_bench.models.safenet.mixed_network import mixed_network, mixed_recipe
from pi_bench.models.safenet.relaxation import relax_channels
from pi_bench.models.safenet.relaxed import place_relaxed, relaxed_activations
from pi_bench.models.safenet.relaxed_network import relaxed_network, relaxed_state
from pi_bench.models.safenet.rounding import kinds_at, rounded_kinds
from pi_bench.models.safenet.settings import RelaxationSettings
from pi_bench.models.training import TrainingSettings

from .conftest import InlineEngine, numbered, weights_of, without_exports
from .test_budgets import run, run_killed
from .test_objective import objective

BUDGETS = (300, 0)


@pytest.fixture(scope="module")
def safenet_settings(settings):
    return SafenetSettings(
        budgets=BUDGETS,
        training=settings.training,
        relaxation=RelaxationSettings(epochs=3, choice_rate=0.2),
        finetuning=TrainingSettings(epochs=2, learning_rate=0.01, soft_weight=1.0, gradient_limit=2.0),
        data_dir=settings.data_dir,
        device="cpu",
        threads=1,
    )


@pytest.fixture(scope="module")
def searched(base, safenet_settings, tmp_path_factory):
    folder, engine = tmp_path_factory.mktemp("mixtures"), InlineEngine()
    with without_exports():
        return folder, run(safenet, base, safenet_settings, folder, engine), engine.titles


def recipe_of(folder):
    return parse_recipe((folder / "recipe.toml").read_text(), "x")


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_budgets_are_met_from_the_relaxed_weights(searched, base):
    folder, candidates, titles = searched
    assert titles == numbered(["teacher", "relaxed-300", "relaxed-0", "300", "0"])
    assert [(one.method, one.step) for one in candidates] == [
        ("baseline", ""),
        ("safenet", "channels-300"),
        ("safenet", "channels-0"),
    ]
    for budget, candidate in zip(BUDGETS, candidates[1:], strict=True):
        recipe = recipe_of(folder / "networks" / str(budget))
        assert recipe.relu_count == candidate.relu_count <= budget
        assert recipe_of(folder / "rounded" / str(budget)) == recipe
        result = json.loads((folder / "networks" / str(budget) / "result.json").read_text())
        assert result["start_sha256"] and result["teacher"]["name"] == base.name
        module = build(recipe)
        load_state(module, folder / "rounded" / str(budget) / "start.pt")
        relaxed = relaxed_state(base, folder / "relaxed" / str(budget))
        assert torch.equal(module.classifier.weight, relaxed["classifier.weight"])
    table = rows(folder / "mixtures.csv")
    assert [row["layer"] for row in table] == 2 * [path for path, _ in base.relu_shapes()]
    assert all(int(row["channels"]) == sum(int(row[kind]) for kind in KINDS) for row in table)
    assert {row["relu"] for row in table if row["budget"] == "0"} == {"0"}
    assert {row["relu"] for row in table if row["budget"] == "300"} != {"0"}


@pytest.mark.parametrize("budget", [128, 300])
def test_a_choice_of_one_epoch_ends_with_the_network_of_its_rounding(searched, base, tmp_path, budget):
    """At the first temperature, ReLUs that nothing has moved yet would weigh 0.71 to the end.

    A rounding that changed kinds afterwards would make a network that nothing has trained.
    """
    data, teacher = load_data("digits", base.input_shape, data_dir=tmp_path), searched[0] / "teacher"
    costs, place = ChannelCosts(PlanCosts(base, None)), tmp_path / "one"
    settings = RelaxationSettings(epochs=1, batch_size=32, least_fraction=0.3)
    result = relax_channels(
        base, data, settings, costs.of_kinds, float(budget), place, teacher=teacher_of(str(teacher))
    )
    (row,) = rows(place / "log.csv")
    assert float(row["temperature"]) == pytest.approx(0.1) and float(row["heaviest_kind"]) == 1.0
    state = relaxed_state(base, place)
    logits = {path: state[f"{path}.logits"].flatten(start_dim=1).numpy() for path in costs.of_kinds}
    kinds = costs.rounded(budget, logits, settings.least_fraction)
    recipe = mixed_recipe(base, kinds)
    assert recipe.relu_count == result["cost"] <= budget
    relaxed = build(base)
    place_relaxed(relaxed, base.relu_shapes())
    relaxed.load_state_dict(state)
    images = torch.randn(8, *base.input_shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        rounded = mixed_network(recipe, kinds, state).eval()(images)
        torch.testing.assert_close(rounded, relaxed.eval()(images), rtol=1e-4, atol=1e-4)


def test_a_relaxation_goes_to_its_budget(searched, base, tmp_path):
    """Both budgets have the same data, seed and start. Without the penalty, both costs would be the same."""
    data, teacher = load_data("digits", base.input_shape, data_dir=tmp_path), searched[0] / "teacher"
    costs = ChannelCosts(PlanCosts(base, None)).of_kinds
    settings = RelaxationSettings(epochs=8, choice_rate=0.3, cost_weight=100.0, batch_size=32)
    for budget in (128.0, 256.0):
        place = tmp_path / str(budget)
        result = relax_channels(base, data, settings, costs, budget, place, teacher=teacher_of(str(teacher)))
        assert result["cost"] == pytest.approx(budget, abs=40)
        assert result["cost"] == pytest.approx(
            sum(
                result["layers"][path][kind] * shape[0] * cost
                for path, shape in base.relu_shapes()
                for kind, cost in zip(KINDS, costs[path], strict=True)
            ),
            rel=1e-4,
        )
        assert float(rows(place / "log.csv")[-1]["cost"]) == result["cost"]


def test_a_relaxed_network_begins_as_a_weighted_sum_and_can_be_each_kind(base):
    torch.manual_seed(1)
    full = build(base).eval()
    relaxed = relaxed_network(base, full.state_dict()).eval()
    kinds = {path: np.ones(shape[0], np.int64) for path, shape in base.relu_shapes()}
    images = torch.randn(4, *base.input_shape)
    with torch.no_grad():
        for place, _ in enumerate(KINDS):
            for path, part in relaxed_activations(relaxed).items():
                part.logits.fill_(-1e9)
                part.logits[place] = 0.0
                kinds[path][:] = place
            recipe = mixed_recipe(base, kinds)
            assert (recipe.relu_count > 0) == (place == 0)
            single = mixed_network(recipe, kinds, relaxed.state_dict()).eval()
            torch.testing.assert_close(single(images), relaxed(images))
        torch.testing.assert_close(mixed_network(base, {}, full.state_dict()).eval()(images), full(images))


def test_a_rounded_network_computes_what_the_relaxed_one_does(base):
    """With one kind per channel, at random."""
    generator = np.random.default_rng(3)
    kinds = {path: generator.integers(0, 4, shape[0]) for path, shape in base.relu_shapes()}
    assert len(mixed_recipe(base, kinds).mixtures) > 1
    torch.manual_seed(1)
    relaxed = relaxed_network(base, build(base).state_dict()).eval()
    images = torch.randn(4, *base.input_shape)
    with torch.no_grad():
        for path, part in relaxed_activations(relaxed).items():
            part.logits.fill_(-1e9)
            part.logits[torch.from_numpy(kinds[path]), torch.arange(len(kinds[path]))] = 0.0
            for polynomial in (part.cubic, part.quadratic):
                polynomial.coefficients.add_(0.1 * torch.randn(polynomial.coefficients.shape))
        rounded = mixed_network(mixed_recipe(base, kinds), kinds, relaxed.state_dict()).eval()
        torch.testing.assert_close(rounded(images), relaxed(images))


@given(st.integers(0, 1 << 30), st.integers(0, 400))
def test_rounding_uses_the_budget_and_takes_what_the_relaxation_prefers(seed, budget):
    generator = np.random.default_rng(seed)
    logits = {"a": generator.normal(size=(4, 9)), "b": generator.normal(size=(4, 5))}
    costs = {"a": (16.0, 5.0, 4.0, 0.0), "b": (64.0, 7.0, 2.0, 0.0)}

    def cost(kinds):
        return sum(costs[path][kind] for path in kinds for kind in kinds[path])

    found = rounded_kinds(logits, costs, 0.0, lambda kinds: cost(kinds) <= budget)
    assert cost(found) <= budget

    def liked(kinds):
        return sum(logits[path][kind, n] for path in kinds for n, kind in enumerate(kinds[path]))

    # Nothing as cheap is liked more: any price's network is the best one at its cost.
    for price in np.linspace(0, 1, 41):
        other = kinds_at(logits, costs, price, 0.0)
        assert cost(other) > cost(found) or liked(other) <= liked(found) + 1e-9


def test_kinds_that_few_channels_have_are_left_out():
    logits = np.zeros((4, 10))
    logits[0] = 1.0
    logits[1, 0], logits[2, 0] = 9.0, 5.0  # one channel prefers a cubic
    costs = {"a": (16.0, 4.0, 4.0, 0.0)}
    assert kinds_at({"a": logits}, costs, 0.0, 0.05)["a"].tolist() == [1] + 9 * [0]
    assert kinds_at({"a": logits}, costs, 0.0, 0.2)["a"].tolist() == 10 * [0]


@pytest.mark.usefixtures("no_export")
def test_a_search_that_was_killed_ends_with_the_same_weights(searched, base, safenet_settings, tmp_path):
    run_killed(safenet, base, safenet_settings, tmp_path, ("relaxed-0", 2), ("0", 1))
    wanted = weights_of(searched[0])
    for folder, found in weights_of(tmp_path).items():
        assert found == wanted[folder], folder
    for file in ("mixtures.csv", "relaxed/0/relaxed.json", "rounded/0/recipe.toml"):
        assert (tmp_path / file).read_text() == (searched[0] / file).read_text()


@pytest.mark.usefixtures("no_export")
def test_nothing_is_done_twice_and_budgets_may_follow(searched, base, safenet_settings):
    folder, candidates, _ = searched
    engine = InlineEngine()
    assert run(safenet, base, safenet_settings, folder, engine) == candidates
    assert engine.names == []
    run(safenet, base, dataclasses.replace(safenet_settings, budgets=(150,)), folder, engine)
    assert engine.names == ["relaxed-150", "150"]
    other = dataclasses.replace(safenet_settings.relaxation, cost_weight=1.0)
    with pytest.raises(TrainingError, match="another search, with another relaxation"):
        run(safenet, base, dataclasses.replace(safenet_settings, relaxation=other), folder)


@pytest.mark.usefixtures("no_export")
def test_a_budget_of_time_is_met_in_prediction(one_block, safenet_settings, made_up_costs, tmp_path):
    lan = objective(made_up_costs, "lan")
    plan = PlanCosts(one_block, lan)
    costs = ChannelCosts(plan)
    for path, _ in one_block.relu_shapes():
        relu, cubic, quadratic, linear = costs.of_kinds[path]
        assert relu > quadratic > linear == 0 and cubic > quadratic
    full, least = plan.seconds({}), plan.seconds({path: "linear" for path, _ in one_block.relu_shapes()})
    budget = TimeBudget.parse(f"{1e3 * (0.6 * full + 0.4 * least):.3f}ms")
    settings = dataclasses.replace(safenet_settings, objective=lan, budgets=(budget,))
    _, found = run(safenet, one_block, settings, tmp_path)
    time_s = lan.of_recipe(recipe_of(tmp_path / found.folder)).online_s
    assert least < time_s <= budget.seconds
    assert kept_budgets(tmp_path, lan) == {str(budget): (found.relu_count, time_s)}
    with pytest.raises(UsageError, match=r"--budget 1us: .* ms is the least that is predicted"):
        run(safenet, one_block, dataclasses.replace(settings, budgets=(TimeBudget.parse("1us"),)), tmp_path)


def test_what_is_refused(base, safenet_settings, tmp_path):
    too_many = dataclasses.replace(safenet_settings, budgets=(base.relu_count,))
    with pytest.raises(UsageError, match="a budget must be below that"):
        run(safenet, base, too_many, tmp_path / "out")
    timed = dataclasses.replace(safenet_settings, budgets=(TimeBudget.parse("15ms"),))
    with pytest.raises(UsageError, match="15ms is a time: add --objective online"):
        run(safenet, base, timed, tmp_path / "out")
    mixed = mixed_recipe(base, {"stages.0.0.relu1": np.array([0, 3])})
    with pytest.raises(ModelError, match="has polynomials: start from the network with all"):
        run(safenet, mixed, safenet_settings, tmp_path / "out")
    relu6 = load_recipe("mobilenetv2-cifar10-1502208")
    with pytest.raises(ModelError, match="ReLU6: polynomials replace plain ReLUs only"):
        run(safenet, relu6, safenet_settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()
