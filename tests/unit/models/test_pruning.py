"""Filter pruning: the rest computes the function of the whole, where the removed filters did nothing."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from pi_bench.errors import ModelError, UsageError
from pi_bench.models import load_recipe
from pi_bench.models.building import build
from pi_bench.models.pruning import pruned_recipe, pruned_state
from pi_bench.models.random_weights import noise_images, randomize


@pytest.fixture(scope="module")
def base():
    return dataclasses.replace(
        load_recipe("resnet18-cifar100-557056"),
        name="small",
        input_shape=(3, 16, 16),
        blocks=(2, 1, 2),
        widths=(8, 16, 32),
        published=None,
    )


def test_filters_that_do_nothing_are_the_ones_that_go(base):
    half = pruned_recipe(base, base.relu_count // 2)
    assert half.scaled_widths == (4, 8, 16)
    assert half.relu_count == base.relu_count // 2
    torch.manual_seed(3)
    module = build(base)
    randomize(module, noise_images(8, base.input_shape, 5), 5)
    state = module.state_dict()
    generator = torch.Generator().manual_seed(4)
    streams = {width: torch.randperm(width, generator=generator)[: width // 2] for width in base.widths}
    with torch.no_grad():
        for name, value in state.items():
            if not name.endswith("conv.weight") and ".conv" not in name:
                continue
            layer = name.removesuffix(".weight")
            norm = layer.replace("conv", "bn")
            width = len(value)
            inner = layer.endswith("conv1")
            dead = torch.randperm(width, generator=generator)[: width // 2] if inner else streams[width]
            value[dead] = 0
            state[f"{norm}.weight"][dead] = 0
            state[f"{norm}.bias"][dead] = 0
    module.load_state_dict(state)
    left = build(half)
    left.load_state_dict(pruned_state(state, base, half))
    images = torch.from_numpy(noise_images(4, base.input_shape, 6))
    with torch.no_grad():
        torch.testing.assert_close(left.eval()(images), module.eval()(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fraction", [0.9, 0.51, 0.3, 0.2])
def test_the_widest_network_below_the_budget(base, fraction):
    budget = int(base.relu_count * fraction)
    found = pruned_recipe(base, budget)
    assert found.relu_count <= budget
    wider = dataclasses.replace(found, alpha=found.alpha + 1 / 32)
    assert wider.relu_count > budget
    assert parse_name(found) == ("small-l1", found.relu_count)


def parse_name(recipe):
    name, _, count = recipe.name.rpartition("-")
    return name, int(count)


def test_what_cannot_be_pruned(base):
    with pytest.raises(UsageError, match="a budget must be below that"):
        pruned_recipe(base, base.relu_count)
    with pytest.raises(UsageError, match=r"--budget 10: .* is the least for small"):
        pruned_recipe(base, 10)
    for name in ("resnet50-imagenet-9608704", "vgg16-cifar10-276480"):
        with pytest.raises(ModelError, match="cannot be pruned: residual networks of basic blocks"):
            pruned_recipe(load_recipe(name), 1000)
    with pytest.raises(ModelError, match="masked or merged already"):
        pruned_recipe(dataclasses.replace(base, kept_relus=100), 50)
