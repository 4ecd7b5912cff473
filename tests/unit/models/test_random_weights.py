"""Random weights are a function of the seed and leave activations in a sane range."""

import numpy as np
import pytest

from pi_bench.models import parse_recipe

torch = pytest.importorskip("torch")

from pi_bench.models.building import build
from pi_bench.models.random_weights import noise_images, randomize

RECIPE = parse_recipe(
    """
schema = 1
name = "small"
family = "resnet"
dataset = "none"
input_shape = [3, 16, 16]
class_count = 10
blocks = [2, 2]
widths = [8, 16]
culled_stages = [1]
""",
    "small",
)


def randomized(seed):
    module = build(RECIPE)
    images = noise_images(32, RECIPE.input_shape, seed)
    randomize(module, images, seed)
    return module, images


def test_equal_seeds_give_equal_networks_and_others_do_not():
    first, second, other = (randomized(seed)[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["stem.conv.weight"], other["stem.conv.weight"])


def test_global_generators_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    module = build(RECIPE)
    torch.manual_seed(5)
    randomize(module, noise_images(4, RECIPE.input_shape, 1), 1)
    assert torch.equal(torch.rand(1), expected)


def test_activations_have_a_sane_range():
    module, images = randomized(3)
    spreads = []
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.register_forward_hook(lambda _m, _i, out: spreads.append(float(out.std())))
    with torch.no_grad():
        logits = module(torch.from_numpy(images))
    assert all(0.7 < spread < 1.4 for spread in spreads)
    assert 0.1 < float(logits.std()) < 10
    assert len(set(logits.argmax(1).tolist())) > 1
    assert not module.training


def test_noise_looks_like_normalized_images():
    images = noise_images(16, (3, 20, 12), 4)
    assert images.shape == (16, 3, 20, 12) and images.dtype == np.float32
    assert np.abs(images).max() <= 2.5
    assert abs(float(images.mean())) < 0.5
    assert 0.7 < float(images.std()) < 1.4
    contrasts = images.std(axis=(1, 2, 3))
    assert contrasts.max() > 1.3 * contrasts.min()
    neighbors = [np.corrcoef(one[:, 1:].ravel(), one[:, :-1].ravel())[0, 1] for one in images]
    assert abs(neighbors[0]) < 0.15 and neighbors[-1] > 0.5  # white noise first, smooth fields last
