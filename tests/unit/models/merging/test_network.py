"""Networks with merged layers: as many convolutions as DeepReDuce counts, and the same values inside maps."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from pi_bench.errors import ModelError
from pi_bench.exporting import export
from pi_bench.models import load_recipe, parse_recipe
from pi_bench.models.building import build
from pi_bench.models.merging.borders import border_effect
from pi_bench.models.merging.counting import merged_conv_count
from pi_bench.models.merging.network import merge, planned
from pi_bench.models.networks.masked_relu import kept_relu_count, masked_relus
from pi_bench.models.random_weights import draw_relu_masks
from pi_bench.models.recipe_writing import format_recipe
from tests.checked_norms import checked_norms
from tests.published import table

from ..test_published_tables import TABLE_7

PUBLISHED = [*TABLE_7.values(), "resnet56-cifar10-221184", "resnet56-cifar100-147456"]


def as_trained(recipe, seed=1):
    """Batch norms that do something, as after a training."""
    torch.manual_seed(seed)
    module = build(recipe)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1), layer.running_var.uniform_(0.5, 1.5)
            layer.weight.data.uniform_(0.5, 1.5), layer.bias.data.normal_(0, 0.1)
    return module


def narrow(name, extent=None, **changes):
    recipe = load_recipe(name)
    return dataclasses.replace(recipe, alpha=recipe.alpha / 16, merged=extent, published=None, **changes)


@pytest.mark.parametrize("name", PUBLISHED)
def test_merged_modules_have_the_convolutions_that_are_counted(name):
    """The networks themselves, full width: only their weights are not there."""
    recipe = dataclasses.replace(load_recipe(name), merged="paper", published=None)
    with checked_norms():
        module = build(recipe, torch.device("meta"))
    assert module.conv_count == merged_conv_count(recipe)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("vgg16-cifar10-276480", {"culled_stages": (4,), "thinned_stages": (1, 3)}),
        ("vgg16-cifar10-avgpool-276480", {"culled_stages": (2,), "thinned_stages": (1, 3)}),
        (
            "mobilenetv1-cifar100-411648",
            {"culled_stages": (2,), "thinned_stages": (1, 3), "stem_relu": False},
        ),
        ("resnet18-cifar100-557056", {"culled_stages": (1, 2, 3, 4), "stem_relu": False}),
    ],
)
def test_other_networks_are_counted_as_they_are(name, changes):
    recipe = dataclasses.replace(load_recipe(name), merged="paper", published=None, **changes)
    with checked_norms():
        module = build(recipe, torch.device("meta"))
    assert module.conv_count == merged_conv_count(recipe)


def test_table_7_itself():
    """Its row of a merged DeepReDuce network whose printed count follows from the rule."""
    rows = table("deepreduce_vs_shallow.csv")
    (printed,) = [int(row["conv_count"]) for row in rows if row["network"] == "S2RT+S3RT, alpha=0.5"]
    recipe = narrow("resnet18-cifar100-24576", "paper")
    module = merge(as_trained(recipe_before(recipe)), recipe)
    assert module.conv_count == printed == 7


def recipe_before(recipe):
    return dataclasses.replace(recipe, merged=None)


@pytest.mark.parametrize("extent", ["paper", "full"])
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("resnet18-cifar100-24576", {}),
        ("resnet18-cifar100-147456", {}),
        ("resnet20-cifar10-188416", {"culled_stages": (1,), "stem_relu": False, "shortcut": "pad"}),
        ("vgg16-cifar10-avgpool-276480", {"culled_stages": (2,), "thinned_stages": (1, 3)}),
        ("resnet50-imagenet-9608704", {"culled_stages": (1,), "input_shape": (3, 64, 64)}),
    ],
)
def test_only_borders_differ(name, changes, extent):
    recipe = narrow(name, extent)
    recipe = dataclasses.replace(recipe, **changes)
    before = as_trained(recipe_before(recipe))
    plan = planned(before, recipe)
    merged = merge(before, recipe)
    effect = border_effect(plan, merged, torch.randn(3, *recipe.input_shape))
    assert effect.values
    for value in effect.values:
        assert len(value.layers) > 1 or "pool" in value.name
        if value.inside_difference is not None:
            assert value.inside_difference < 1e-5
        else:
            assert value.inside_pct == 0
    assert any(value.border_difference and value.border_difference > 1e-3 for value in effect.values)


def test_means_have_no_border():
    recipe = narrow("minionn-cifar10-173056", "paper")
    recipe = dataclasses.replace(recipe, culled_stages=(2,), alpha=1.0)
    before = as_trained(recipe_before(recipe))
    effect = border_effect(planned(before, recipe), merge(before, recipe), torch.randn(3, 3, 32, 32))
    assert [value.name for value in effect.values] == ["stages_1_pool"]
    assert effect.values[0].border_difference < 1e-5
    assert effect.logit_difference < 1e-5 and effect.changed_answer_pct == 0


def test_nothing_between_relus_is_left_as_it_was():
    """No ReLU is dropped, so nothing can be merged: the same function, batch norms folded."""
    recipe = narrow("resnet18-cifar100-557056", "full")
    before = as_trained(recipe_before(recipe))
    merged = merge(before, recipe)
    plan = planned(before, recipe)
    assert not any(value.is_merged for value in plan.values)
    assert (merged.conv_count, merged.shortcut_count) == (17, 3)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(merged(images), before(images), atol=1e-4)


def test_a_full_merging_leaves_no_linear_value():
    recipe = narrow("resnet18-cifar100-24576", "full")
    merged = build(recipe)
    kept = [type(value.activation) for value in merged.values.values()]
    assert kept[:-1] == [nn.ReLU] * (len(kept) - 1) and kept[-1] is nn.Identity
    assert len(kept) - 1 == len(list(recipe.relu_shapes()))


def test_a_recipe_says_that_it_is_merged():
    recipe = narrow("resnet18-cifar100-24576", "paper")
    assert 'merged = "paper"' in format_recipe(recipe)
    assert parse_recipe(format_recipe(recipe), "x") == recipe
    assert "merged" not in format_recipe(recipe_before(recipe))
    text = format_recipe(recipe).replace('merged = "paper"', 'merged = "all"')
    with pytest.raises(ModelError, match="key 'merged' is 'all', allowed: \"paper\" or \"full\""):
        parse_recipe(text, "x")
    assert (
        build(recipe).state_dict().keys() == merge(build(recipe_before(recipe)), recipe).state_dict().keys()
    )


def test_masks_stay_where_they_are():
    recipe = narrow("resnet18-cifar100-24576", "paper")
    recipe = dataclasses.replace(recipe, kept_relus=100)
    before = as_trained(recipe_before(recipe))
    draw_relu_masks(before, 100, seed=1)
    merged = merge(before, recipe)
    assert kept_relu_count(merged) == 100
    assert len(masked_relus(merged)) == len(masked_relus(before)) == 2


def test_polynomials_stay_where_they_are():
    recipe = dataclasses.replace(load_recipe("resnet32-cifar100-mixture-75776"), published=None)
    recipe = dataclasses.replace(recipe, merged="full", blocks=(1, 1, 1), alpha=0.25)
    before = as_trained(recipe_before(recipe))
    images = torch.randn(2, *recipe.input_shape)
    with torch.no_grad():
        found, wanted = merge(before, recipe)(images), before(images)
    assert wanted.isfinite().all() and torch.allclose(found, wanted, rtol=1e-3)


def test_networks_whose_norms_stand_before_convolutions_are_refused():
    with pytest.raises(ModelError, match=r"merging needs batch normalizations after convolutions; stages"):
        build(narrow("wrn-22-8-cifar10-1359872", "full"))


def test_a_merged_network_is_exported(tmp_path):
    recipe = narrow("resnet18-cifar100-24576", "paper")
    module = build(recipe)
    images = torch.randn(4, *recipe.input_shape)
    graph = export(
        module,
        images[:1],
        tmp_path / "model.pt",
        calibration=images.numpy(),
        weight_bits=12,
        activation_bits=13,
    )
    assert graph.relu_count == recipe.relu_count
