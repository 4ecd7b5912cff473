"""Networks with polynomials: their closed-form start, how ReLUs are replaced, the penalty, a training."""

import dataclasses
import json

import pytest

from pi_bench.cli import main
from pi_bench.errors import ModelError, TrainingError, UsageError
from pi_bench.models import load_recipe, with_polynomials
from pi_bench.models.training import TrainingSettings, default_settings

torch = pytest.importorskip("torch")

from pi_bench.models.building import build
from pi_bench.models.networks.moments import input_moments
from pi_bench.models.networks.polynomial import (
    PolynomialActivation,
    nearest_to_relu,
    polynomial_activations,
)
from pi_bench.models.training import trainer
from pi_bench.models.training.polynomial_training import range_penalty, set_relu_part, start_polynomials
from pi_bench.models.training.train_recipe import train_recipe


@pytest.mark.parametrize("degree", [2, 3])
@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.7, 0.4), (-1.5, 2.0)])
def test_the_closed_form_is_the_least_squares_fit(mean, deviation, degree):
    """The fit over a fine grid of normally distributed values has the same coefficients."""
    x = mean + deviation * torch.linspace(-8, 8, 20_001, dtype=torch.float64)
    weight = torch.exp(-(((x - mean) / deviation) ** 2) / 4)  # the square root of the density
    powers = torch.stack([x**power for power in range(degree + 1)], dim=1)
    fit = torch.linalg.lstsq(powers * weight[:, None], (x.relu() * weight)[:, None]).solution[:, 0]
    one = torch.ones(1, dtype=torch.float64)
    found = nearest_to_relu(mean * one, deviation * one, degree)[:, 0]
    torch.testing.assert_close(found, fit, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "resnet10-cifar100-311296",
        "resnet20-cifar10-188416",
        "wrn-22-8-cifar10-1392640",
        "cnet1-cifar10-86016",
    ],
)
def test_moments_follow_from_batch_norms(name):
    """Behind a batch norm they are beta and gamma; they are known for every layer of these networks."""
    recipe = dataclasses.replace(with_polynomials(load_recipe(name), ["*"], 2, 0.0), alpha=0.25)
    module = build(recipe)
    generator = torch.Generator().manual_seed(2)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.weight.data.uniform_(-1, 1, generator=generator)
            layer.bias.data.normal_(generator=generator)
    found = input_moments(module)
    assert set(found) == set(polynomial_activations(module))
    if name.startswith("resnet10"):
        norm = module.stem.bn
        torch.testing.assert_close(found["stem.relu"].mean, norm.bias.data.double())
        torch.testing.assert_close(
            found["stem.relu"].deviation, norm.weight.data.double().abs().clamp_min(0.01)
        )
        block, behind = module.stages[0][0], found["stem.relu"].through_relu()
        sum_of = found["stages.0.0.relu2"]
        torch.testing.assert_close(sum_of.mean, block.bn2.bias.data.double() + behind.mean)
        torch.testing.assert_close(sum_of.variance, block.bn2.weight.data.double() ** 2 + behind.variance)
        assert start_polynomials(module) == len(found)
        one = nearest_to_relu(sum_of.mean, sum_of.deviation, 2).float()
        torch.testing.assert_close(block.relu2.coefficients.data[:, :, 0, 0], one)


def test_moments_behind_a_relu_are_those_of_samples():
    norm = torch.nn.BatchNorm2d(1)
    norm.weight.data.fill_(1.5)
    norm.bias.data.fill_(0.5)
    last = PolynomialActivation((1, 1, 1))
    module = torch.nn.Sequential(norm, torch.nn.ReLU(), last)
    found = input_moments(module)["2"]
    samples = (0.5 + 1.5 * torch.randn(400_000, generator=torch.Generator().manual_seed(1))).relu()
    assert abs(float(found.mean) - float(samples.mean())) < 0.01
    assert abs(float(found.deviation) - float(samples.std())) < 0.01


def test_relus_are_replaced_step_by_step():
    settings = TrainingSettings(epochs=6, interpolation=0.5)
    parts = [settings.relu_part_at(done) for done in (0, 1, 2, 2.5, 3, 6)]
    assert parts == pytest.approx([1, 2 / 3, 1 / 3, 1 / 6, 0, 0])
    only = TrainingSettings(epochs=1, interpolation=0.9)  # ends with the network of the recipe
    assert only.relu_part_at(0.45) == pytest.approx(0.5) and only.relu_part_at(1) == 0
    activation = PolynomialActivation((1, 1, 1))
    x = torch.linspace(-3, 3, 7).reshape(-1, 1, 1, 1)
    polynomial = activation(x)
    activation.relu_part = 0.25
    torch.testing.assert_close(activation(x), 0.25 * x.relu() + 0.75 * polynomial)


def test_the_penalty_grows_beyond_the_range_and_is_seen_in_training_alone():
    module = torch.nn.Sequential(PolynomialActivation((1, 1, 1)))
    settings = TrainingSettings(range_penalty=1.0, range_limit=2.0)
    with range_penalty(module, settings) as penalty:
        values = []
        for value in (0.2, 1.9999, 6.0):
            x = torch.full((1, 1, 1, 1), value, requires_grad=True)
            module.eval()(x)
            module.train()(x)
            total = penalty()
            total.backward()
            values.append((float(total.detach()), float(x.grad)))
    (small, _), (at_limit, slope), (beyond, same_slope) = values
    assert small < 1e-9
    assert at_limit == pytest.approx(1.0, rel=1e-3)
    assert beyond == pytest.approx(1.0 + 10 * 2)
    assert slope == pytest.approx(same_slope, rel=1e-3)
    assert not module[0]._forward_pre_hooks


def polynomial(recipe):
    return dataclasses.replace(with_polynomials(recipe, ["*"], 2, 0.0), name="tiny-polynomial")


@pytest.mark.usefixtures("no_export")
def test_a_training_starts_from_the_network_with_relus(recipe, blobs, settings, tmp_path):
    settings = dataclasses.replace(settings, epochs=1)
    train_recipe(recipe, blobs, settings, tmp_path / "relus")
    start = tmp_path / "relus" / "state.pt"
    polynomials = dataclasses.replace(settings, learning_rate=1e-9)
    train_recipe(polynomial(recipe), blobs, polynomials, tmp_path / "polynomials", start=start)
    before = torch.load(start, weights_only=True)
    after = torch.load(tmp_path / "polynomials" / "state.pt", weights_only=True)
    torch.testing.assert_close(after["stem.conv.weight"], before["stem.conv.weight"])
    module = build(polynomial(recipe))
    module.load_state_dict(before, strict=False)
    start_polynomials(module)
    torch.testing.assert_close(after["stem.relu.coefficients"], module.stem.relu.coefficients.data)
    other = dataclasses.replace(polynomial(recipe), widths=(4, 9))
    with pytest.raises(ModelError, match=r"state\.pt"):
        train_recipe(other, blobs, polynomials, tmp_path / "other", start=start)


@pytest.mark.usefixtures("no_export")
def test_settings_of_polynomials_are_part_of_a_training(recipe, blobs, settings, tmp_path):
    """They are written only where they differ from the defaults, so that older folders can be resumed."""
    settings = dataclasses.replace(settings, epochs=1)
    assert "gradient_limit" not in settings.as_dict()
    train_recipe(recipe, blobs, settings, tmp_path)
    limited = dataclasses.replace(settings, gradient_limit=0.5)
    assert limited.as_dict()["gradient_limit"] == 0.5
    with pytest.raises(TrainingError, match="another gradient_limit"):
        train_recipe(recipe, blobs, limited, tmp_path)
    train_recipe(recipe, blobs, limited, tmp_path / "limited")
    with pytest.raises(TrainingError, match=r"another gradient_limit \(0\.5, not None\)"):
        train_recipe(recipe, blobs, settings, tmp_path / "limited")
    with pytest.raises(UsageError, match=r"interpolation is 0\.95, allowed: 0 to 0\.9"):
        TrainingSettings(interpolation=0.95)


@pytest.mark.usefixtures("no_export")
def test_relus_are_replaced_within_a_single_epoch(recipe, blobs, settings, tmp_path, monkeypatch):
    parts = []

    def noted(module, part):
        parts.append(part)
        return set_relu_part(module, part)

    monkeypatch.setattr(trainer, "set_relu_part", noted)
    settings = dataclasses.replace(settings, epochs=1, interpolation=0.5)
    train_recipe(polynomial(recipe), blobs, settings, tmp_path)
    assert parts[0] == 1.0 and parts[-1] == 0.0
    assert parts == sorted(parts, reverse=True) and len(set(parts)) > 2


@pytest.mark.usefixtures("no_export")
def test_an_epoch_with_relus_is_not_chosen(recipe, blobs, settings, tmp_path, monkeypatch):
    """Accuracy falls from epoch to epoch here; the first of four epochs ends with half of each ReLU."""
    accuracies = iter(range(99, 0, -1))
    monkeypatch.setattr(trainer, "evaluate", lambda *arguments: (0.5, float(next(accuracies))))
    settings = dataclasses.replace(settings, batch_size=240, interpolation=0.5)
    assert train_recipe(polynomial(recipe), blobs, settings, tmp_path / "a")["chosen_epoch"] == 2
    assert train_recipe(recipe, blobs, settings, tmp_path / "b")["chosen_epoch"] == 1  # no polynomials


@pytest.mark.usefixtures("no_export")
def test_a_resumed_polynomial_training_ends_with_the_same_bits(
    recipe, blobs, settings, tmp_path, monkeypatch
):
    polynomials = default_settings("none", polynomials=True) | {"interpolation": 0.5, "epochs": 3}
    settings = dataclasses.replace(settings, **polynomials)
    train_recipe(polynomial(recipe), blobs, settings, tmp_path / "whole")
    save, count = trainer._save, []

    def stop(*arguments):
        save(*arguments)
        count.append(1)
        if len(count) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "_save", stop)
    with pytest.raises(KeyboardInterrupt):
        train_recipe(polynomial(recipe), blobs, settings, tmp_path / "parts")
    train_recipe(polynomial(recipe), blobs, settings, tmp_path / "parts")
    states = [torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("whole", "parts")]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


SMALL = """
schema = 1
name = "small"
family = "resnet"
dataset = "digits"
input_shape = [1, 8, 8]
class_count = 10
blocks = [1, 1]
widths = [4, 8]
polynomials = ["stages.0.*"]
cubics = ["stem.relu", "stages.1.*"]
"""


@pytest.mark.training
def test_the_command_trains_a_network_that_fits_the_integers(tmp_path, monkeypatch, capsys):
    """Activations are polynomials of degree 2 or 3. The integers of 32 bits answer as the floats do."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    arguments = ["--data", "digits", "--epochs", "4", "--batch-size", "32", "--threads", "1"]
    assert main(["train", "--recipe", "small.toml", "-o", "trained", *arguments]) == 0
    result = json.loads((tmp_path / "trained" / "result.json").read_text())
    assert result["settings"]["gradient_limit"] == 2.0
    assert result["recipe"]["relu_count"] == 0
    assert result["test_accuracy_pct"] > 50  # 10 by chance
    capsys.readouterr()
    model = ["trained/model.pt", "--data", "digits", "--private-sample", "0", "--no-remedies"]
    assert main(["accuracy", *model, "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["integer"]["same_class_as_float_pct"] > 97
    assert main(["train", "--recipe", "resnet20-cifar10-188416", "-o", "x", "--interpolation", "0.5"]) == 2
    assert "--interpolation is for polynomials" in capsys.readouterr().err


def test_masks_do_not_change_where_polynomials_start() -> None:
    plain = dataclasses.replace(load_recipe("resnet10-cifar100-311296"), alpha=0.125, polynomials=("*",))
    masked = dataclasses.replace(plain, kept_relus=10)
    found = {}
    for recipe in (plain, masked):
        torch.manual_seed(3)
        module = build(recipe)
        for part in module.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(part.weight, 0.5, 2)
                torch.nn.init.normal_(part.bias)
        assert start_polynomials(module) == len(polynomial_activations(module))
        found[recipe] = [part.coefficients.data for part in polynomial_activations(module).values()]
    for one, other in zip(found[plain], found[masked], strict=True):
        assert torch.equal(one, other)
