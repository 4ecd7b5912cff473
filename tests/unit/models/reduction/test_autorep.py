"""AutoReP: indicators with hysteresis, both variants' quadratics, exact budgets, resumption and refusals."""

import dataclasses
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import ModelError, TrainingError, UsageError
from pi_bench.models import parse_recipe
from pi_bench.models.autorep.estimation import EstimatedQuadratic, estimate_quadratics, plain_state
from pi_bench.models.autorep.indicator import (
    IndicatedPolynomial,
    density_penalty,
    indicators,
    place_indicators,
)
from pi_bench.models.autorep.replacement import replaced_recipe
from pi_bench.models.autorep.settings import ReplacementSettings
from pi_bench.models.building import build
from pi_bench.models.networks.masked_relu import kept_relu_count
from pi_bench.models.reduction.autorep import AutorepSettings, autorep
from pi_bench.models.reduction.time_budgets import TimeBudget
from pi_bench.models.training import TrainingSettings
from pi_bench.network.files.model_file import load_model

from .conftest import InlineEngine, numbered, weights_of
from .test_budgets import Killed, run, run_killed

BUDGETS = (200, 60)


@pytest.fixture(scope="module")
def autorep_settings(settings):
    return AutorepSettings(
        budgets=BUDGETS,
        training=settings.training,
        replacement=ReplacementSettings(epochs=4, indicator_learning_rate=0.1, batch_size=128),
        finetuning=TrainingSettings(epochs=1, learning_rate=0.01, soft_weight=1.0, gradient_limit=2.0),
        data_dir=settings.data_dir,
        device="cpu",
        threads=1,
    )


@pytest.fixture(scope="module")
def replaced(base, autorep_settings, tmp_path_factory):
    folder, engine = tmp_path_factory.mktemp("replaced"), InlineEngine()
    return folder, run(autorep, base, autorep_settings, folder, engine), engine.titles


def test_an_indicator_changes_only_beyond_the_threshold() -> None:
    """One pixel: down through the range of hysteresis, up into it, and up through it."""
    mask, seen = torch.ones(1), []
    for value in (0.05, -0.05, -0.15, -0.05, 0.05, 0.15, -0.05):
        mask = indicators(torch.tensor([value]), mask, 0.1)
        seen.append(int(mask))
    assert seen == [1, 1, 0, 0, 0, 1, 1]


def test_gradients_pass_indicators_times_softplus() -> None:
    values = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    weights = torch.tensor([5.0, -7.0, 2.0])
    (weights * indicators(values, torch.ones(3), 0.003)).sum().backward()
    torch.testing.assert_close(values.grad, weights * torch.log1p(values.detach().exp()))


@pytest.mark.parametrize(
    ("budget", "both_ways", "slope"), [(8, False, 2), (8, True, 2), (14, False, 0), (14, True, -2)]
)
def test_the_penalty_pulls_down_to_the_budget_or_from_both_sides(budget, both_ways, slope) -> None:
    layer = IndicatedPolynomial((4, 2, 2), threshold=0.0).train()
    layer.values.data.fill_(0.5)
    layer.values.data[0, 0] = -0.5
    layer(torch.randn(3, 4, 2, 2))
    assert kept_relu_count(layer) == 12
    density_penalty({"": layer}, 32.0, budget, both_ways=both_ways).backward()
    expected = slope * torch.nn.functional.softplus(layer.values.detach())
    torch.testing.assert_close(layer.values.grad, expected)


def test_a_quadratic_takes_the_place_of_a_relu() -> None:
    layer = IndicatedPolynomial((2, 3, 3), threshold=0.003).train()
    layer.values.data[0, :, 1] = -1.0
    x = torch.randn(5, 2, 3, 3)
    expected = x.relu()
    expected[:, :, 1] = layer.polynomial(x)[:, :, 1]
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer.eval()(x), expected)


def test_the_public_code_takes_the_variance_for_the_deviation() -> None:
    layer = EstimatedQuadratic((2, 1, 1), square_factor=0.1).train()
    layer.mean[:], layer.variance[:] = torch.tensor([0.3, -2.0]), torch.tensor([0.1, 4.0])
    mean, variance = layer.mean.double().clone(), layer.variance.double().clone()
    x = torch.randn(400, 2, 1, 1)
    found = layer(x)
    batch = x.double().transpose(0, 1).flatten(1)
    mean += 0.1 * (batch.mean(1) - mean)
    variance += 0.1 * (batch.var(1) - variance)
    v = variance.clamp_min(0.5)  # methods of the code: 0.5 at least
    z = mean / v
    phi, above = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi), torch.special.ndtr(z)
    w2 = phi / (2 * v) / 10
    w1 = above - z * phi
    w0 = (v * phi / 2 + mean**2 * phi / (2 * v)) / 5
    expected = 0.1 * w2[:, None] * batch**2 + w1[:, None] * batch + w0[:, None]
    torch.testing.assert_close(found.transpose(0, 1).flatten(1).double(), expected, rtol=1e-4, atol=1e-5)

    layer.steps.fill_(508)
    before = layer.coefficients.detach().clone()
    layer(x + 3)
    assert torch.equal(layer.coefficients, before)  # from now on they are trained


def test_fixed_masks_compute_what_the_indicators_did(base) -> None:
    for paper in (False, True):
        module = build(base)
        place_indicators(module, base.relu_shapes(), 0.003)
        if paper:
            estimate_quadratics(module, 0.1)
        module.train()
        x = torch.randn(64, *base.input_shape)
        for part in module.modules():
            if isinstance(part, IndicatedPolynomial):
                part.values.data -= 0.4
        module(x)
        module.eval()
        fixed = build(replaced_recipe(base, kept_relu_count(module)))
        fixed.load_state_dict(plain_state(module))
        torch.testing.assert_close(fixed(x), module(x))


def test_budgets_are_met_exactly(replaced, base) -> None:
    folder, candidates, titles = replaced
    assert titles == numbered(["teacher", "replaced-200", "replaced-60", "200", "60"])
    assert [(one.method, one.step, one.relu_count) for one in candidates[1:]] == [
        ("autorep", "pixel-200", 200),
        ("autorep", "pixel-60", 60),
    ]
    for budget in BUDGETS:
        place = folder / "replaced" / str(budget) / f"budget-{budget}"
        assert sum(int(mask.sum()) for mask in np.load(place / "masks.npz").values()) == budget
        left = json.loads((place / "budget.json").read_text())["relu_count_before"]
        assert left < base.relu_count
        recipe = parse_recipe((folder / "networks" / str(budget) / "recipe.toml").read_text(), "x")
        assert (recipe.relu_count, recipe.polynomials, recipe.masks) == (budget, ("*",), "pixel")
        graph = load_model(folder / "networks" / str(budget) / "model.pt")
        assert (graph.relu_count, graph.polynomial_count) == (budget, base.relu_count - budget)


@pytest.mark.parametrize("variant", ["corrected", "paper"])
@pytest.mark.usefixtures("no_export")
def test_a_search_that_was_killed_ends_with_the_same_weights(base, autorep_settings, tmp_path, variant):
    changed = dataclasses.replace(autorep_settings.replacement, variant=variant)
    settings = dataclasses.replace(autorep_settings, replacement=changed, budgets=(60,))
    run(autorep, base, settings, tmp_path / "whole")
    run_killed(autorep, base, settings, tmp_path / "killed", ("replaced-60", 2), ("60", 0))
    wanted = weights_of(tmp_path / "whole")
    found = weights_of(tmp_path / "killed")
    assert found.keys() == wanted.keys()
    for folder in wanted:
        assert found[folder] == wanted[folder], folder


def test_nothing_is_done_twice_and_budgets_may_follow(replaced, base, autorep_settings):
    folder, candidates, _ = replaced
    engine = InlineEngine()
    assert run(autorep, base, autorep_settings, folder, engine) == candidates
    assert engine.names == []
    more = dataclasses.replace(autorep_settings, budgets=(100,))
    run(autorep, base, more, folder, engine)
    assert engine.names == ["replaced-100", "100"]
    other = dataclasses.replace(autorep_settings.replacement, variant="paper")
    with pytest.raises(TrainingError, match="another search, with another replacement"):
        run(autorep, base, dataclasses.replace(autorep_settings, replacement=other), folder)


def test_times_are_predicted_for_networks_with_quadratics(base, autorep_settings, tmp_path):
    seen = []

    class Times:
        name = "online"
        setting = SimpleNamespace(costs="its own")

        def identity(self):
            return {"name": self.name}

        def of_recipe(self, recipe):
            seen.append(recipe)
            if recipe.polynomials:
                raise Killed
            return SimpleNamespace(of=lambda objective: 1.0)

    timed = dataclasses.replace(autorep_settings, budgets=(TimeBudget.parse("5ms"),), objective=Times())
    with pytest.raises(Killed):
        run(autorep, base, timed, tmp_path)
    assert seen == [base, replaced_recipe(base, 1)]


def test_what_is_refused(base, autorep_settings, tmp_path):
    too_many = dataclasses.replace(autorep_settings, budgets=(base.relu_count,))
    with pytest.raises(UsageError, match="a budget must be below that"):
        run(autorep, base, too_many, tmp_path / "out")
    quadratic = dataclasses.replace(base, polynomials=("stem.*",))
    with pytest.raises(ModelError, match="has polynomials: start from the network with all its ReLUs"):
        run(autorep, quadratic, autorep_settings, tmp_path / "out")
    with pytest.raises(
        UsageError, match=r"replacement: variant is 'papre', allowed: corrected, paper.*paper"
    ):
        ReplacementSettings(variant="papre")
    with pytest.raises(UsageError, match=r"replacement: hysteresis is 2, allowed: 0 to 1"):
        ReplacementSettings(hysteresis=2)
    assert not (tmp_path / "out").exists()
