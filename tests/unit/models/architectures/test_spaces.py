"""Spaces of architectures: what is drawn and changed stays inside, can be built, and has its ReLUs."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from pi_bench.errors import ModelError, UsageError
from pi_bench.models import load_recipe, parse_recipe
from pi_bench.models.architectures.settings import NasSettings
from pi_bench.models.architectures.spaces import SPACES, space_of
from pi_bench.models.building import build
from pi_bench.models.recipe_writing import format_recipe
from pi_bench.models.reduction.untrained import untrained_graph
from tests.checked_norms import checked_norms

BASES = {
    "cryptonas": ("cnet1-cifar100-86016", "cnet3-cifar10-1376256"),
    "sphynx": ("sphynx-cifar100-25600", "sphynx-imagenet-344960"),
}
SETTINGS = NasSettings(least_layers=3, most_layers=7)
SEEDS = st.integers(0, 1 << 32)


def generator(seed):
    return np.random.Generator(np.random.PCG64(seed))


def spaces():
    for name, bases in BASES.items():
        for base in bases:
            yield pytest.param(space_of(name, load_recipe(base), SETTINGS), id=base)


def traced_relu_count(recipe):
    """The ReLUs that the network computes for one image."""
    module, counts = build(recipe, "meta"), []
    for part in module.modules():
        if isinstance(part, torch.nn.ReLU):
            part.register_forward_hook(lambda _, __, out: counts.append(out.numel()))
    with checked_norms():
        module(torch.empty(1, *recipe.input_shape, device="meta"))
    return sum(counts)


@pytest.mark.slow
@pytest.mark.parametrize("space", list(spaces()))
@settings(max_examples=4, deadline=None)
@given(seed=SEEDS, width=st.integers(2, 9))
def test_every_architecture_can_be_built_and_has_its_relus(space, seed, width):
    drawn = space.drawn(generator(seed))
    assert space.settings.least_layers <= space.layer_count(drawn) <= space.settings.most_layers
    wide = space.with_width(drawn, width)
    assert traced_relu_count(wide) == wide.relu_count
    assert space.words(wide) == space.words(drawn)
    assert parse_recipe(format_recipe(wide), "x") == wide
    # Balanced: each layer has as many ReLUs, whatever its stage.
    relus = {layer.relu_count for layer in wide.layers() if layer.relu_count and layer.stage}
    assert len(relus) == 1
    assert space.with_width(drawn, 2) == drawn and drawn == space.drawn(generator(seed))


@pytest.mark.slow
@pytest.mark.parametrize("name", tuple(SPACES))
def test_the_graph_that_times_are_predicted_from_has_the_same_relus(name):
    base = dataclasses.replace(load_recipe(BASES[name][0]), input_shape=(1, 8, 8), published=None)
    drawn = space_of(name, base, SETTINGS).drawn(generator(5))
    assert untrained_graph(format_recipe(drawn)).relu_count == drawn.relu_count


@pytest.mark.slow
@pytest.mark.parametrize("space", list(spaces()))
@settings(max_examples=4, deadline=None)
@given(seed=SEEDS)
def test_a_changed_copy_differs_and_stays_in_the_space(space, seed):
    draws = generator(seed)
    before = space.drawn(draws)
    for _ in range(5):
        after = space.mutated(before, draws)
        assert space.words(after) != space.words(before)
        assert abs(space.layer_count(after) - space.layer_count(before)) <= 1
        assert SETTINGS.least_layers <= space.layer_count(after) <= SETTINGS.most_layers
        before = after
    assert traced_relu_count(after) == after.relu_count


def skips(recipe, without=None):
    """Pairs of layers of which the first one skips to the second one's output; the stem is -1."""
    names = [n for n in range(-1, len(recipe.arcs)) if n != without]
    if without is not None:  # the names that layers have once it is gone
        names = list(range(-1, len(recipe.arcs) - 1))
    kept = [n for n in range(-1, len(recipe.arcs)) if n != without]
    renamed = dict(zip(kept, names, strict=True))
    return {
        (renamed[layer], renamed[output - 1])
        for layer, text in enumerate(recipe.arcs)
        for output, bit in enumerate(text.split()[1:])
        if bit == "1" and layer in renamed and output - 1 in renamed
    }


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS)
def test_layers_that_come_and_go_leave_the_skips_of_others(seed):
    space, draws = space_of("cryptonas", load_recipe(BASES["cryptonas"][0]), SETTINGS), generator(seed)
    before = space.drawn(draws)
    after = space.mutated(before, draws)
    small, large = sorted((before, after), key=space.layer_count)
    operations = [[text[0] for text in recipe.arcs] for recipe in (small, large)]
    if space.layer_count(small) == space.layer_count(large):
        changed = sum(one != other for one, other in zip(*operations, strict=True))
        assert changed + len(skips(small) ^ skips(large)) == 1
        return

    def gives_small(place):
        # A layer reads the output before it in any case, so a skip to it is lost with the layer between.
        left = {
            (layer, output) for layer, output in skips(large, place) if (layer, output) != (place, place - 1)
        }
        return operations[1][:place] + operations[1][place + 1 :] == operations[0] and left == skips(small)

    assert any(map(gives_small, range(space.layer_count(large))))


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(seed=SEEDS)
def test_nodes_read_different_values_and_maps_are_halved_early(seed):
    space, draws = space_of("sphynx", load_recipe(BASES["sphynx"][0]), SETTINGS), generator(seed)
    found = space.drawn(draws)
    for recipe in (found, space.mutated(found, draws)):
        for text in itertools.chain(recipe.normal_cell, recipe.reduction_cell):
            sources = [int(part.split()[1]) for part in text.split(",")]
            assert sources[0] < sources[1]
        places, start = [], 0
        for count, stride in zip(recipe.blocks, recipe.strides, strict=True):
            places += [start] if stride == 2 else []
            start += count
        before = places[-1]  # the cells before the last reduction
        assert len(places) == 2 and before <= 2 * space.layer_count(recipe) / 3
        assert recipe.stem_width == 3 * 2


@pytest.mark.parametrize("name", ["sphynx-cifar100-25600", "sphynx-imagenet-344960"])
def test_a_network_of_the_largest_width_is_a_recipe(name):
    """Without reductions, the stem is the widest layer."""
    base = dataclasses.replace(load_recipe(name), strides=(1, 1), published=None)
    space = space_of("sphynx", base, NasSettings(most_width=4096))
    assert space.most_width == {"cifar": 1365, "imagenet": 4096}[base.stem]
    assert space.with_width(space.smallest(), space.most_width).widths[0] == space.most_width


def test_the_cheap_architectures_begin_with_the_smallest_and_have_as_many_relus():
    space = space_of("sphynx", load_recipe(BASES["sphynx"][0]), SETTINGS)
    found = list(space.cheap())
    assert found[0] == space.smallest()
    assert {one.relu_count for one in found} == {space.smallest().relu_count}
    words = [space.words(one) for one in found]
    assert len(set(words)) == len(words) == 3 * 12  # places of two reductions, and reduction cells


def test_published_networks_are_in_their_spaces():
    """Their words and width give them again, up to the separable convolutions, which are plain ones."""
    for names in BASES.values():
        for name in names:
            recipe = load_recipe(name)
            space = space_of(recipe.family, recipe, NasSettings(most_layers=24))
            width = recipe.widths[0] // (4 if space.name == "sphynx" and recipe.strides[0] == 2 else 1)
            again = space.with_width(dataclasses.replace(recipe, published=None), width)
            assert dataclasses.replace(again, name=name) == dataclasses.replace(recipe, published=None)


def test_what_is_refused():
    resnet, cnet = load_recipe("resnet18-cifar100-557056"), load_recipe("cnet1-cifar100-86016")
    with pytest.raises(
        ModelError, match="--space sphynx needs a network of the family sphynx, such as sphynx"
    ):
        space_of("sphynx", resnet, SETTINGS)
    with pytest.raises(ModelError, match="culled, thinned, masked or merged already"):
        space_of("cryptonas", dataclasses.replace(cnet, culled_stages=(1,)), SETTINGS)
    with pytest.raises(UsageError, match="halves its maps 2 times has 3 layers at least"):
        space_of("cryptonas", cnet, NasSettings(least_layers=2))
    with pytest.raises(UsageError, match="no space 'darts'"):
        space_of("darts", cnet, SETTINGS)
    deep = dataclasses.replace(cnet, blocks=(1,) * 7, widths=(2,) * 7, arcs=("0",) * 7)
    with pytest.raises(ModelError, match="halves its maps 6 times"):
        space_of("cryptonas", deep, NasSettings(least_layers=7))
    with pytest.raises(UsageError, match="--tournament 4 is more than --population 3"):
        NasSettings(tournament=4, population=3).require_together()
