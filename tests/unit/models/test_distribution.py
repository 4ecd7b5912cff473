"""Figure 3: where parameters, multiply-accumulates and ReLUs are."""

from itertools import pairwise

import pytest

from pi_bench.models import load_recipe, recipe_names
from pi_bench.models.distribution import by_layer, by_stage


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("shares", [by_layer, by_stage])
def test_shares_add_up_to_the_network(name, shares):
    recipe = load_recipe(name)
    entries = shares(recipe)
    assert sum(share.parameter_count for share in entries) == recipe.parameter_count
    assert sum(share.mac_count for share in entries) == recipe.mac_count
    assert sum(share.relu_count for share in entries) == recipe.relu_count


def test_figure_3_of_resnet18():
    """Section 2.2: FLOPs are even, parameters grow and ReLUs fall with depth, by two at every stage."""
    shares = {share.name: share for share in by_stage(load_recipe("resnet18-cifar100-557056"))}
    assert list(shares) == ["stem", "S1", "S2", "S3", "S4", "classifier"]
    # Table 1's ReLUs.
    assert [share.relu_count for share in shares.values()] == [65_536, 262_144, 131_072, 65_536, 32_768, 0]
    stages = [shares[f"S{stage}"] for stage in range(1, 5)]
    parameters = [share.parameter_count for share in stages]
    assert all(3.5 < later / earlier < 4.5 for earlier, later in pairwise(parameters))
    macs = [share.mac_count for share in stages]
    assert max(macs) < 1.2 * min(macs)


def test_a_layer_has_its_batch_norm_and_its_relu():
    shares = {share.name: share for share in by_layer(load_recipe("resnet18-cifar100-557056"))}
    assert len(shares) == 17 + 3 + 1
    # 3x3 convolutions of 64 to 128 channels at 16x16, and of 128 to 128; the shortcut has no ReLU.
    first, second = shares["stages.1.0.conv1"], shares["stages.1.0.conv2"]
    assert (first.parameter_count, first.mac_count) == (64 * 128 * 9 + 256, 64 * 128 * 9 * 256)
    assert first.relu_count == second.relu_count == 128 * 256
    assert shares["stages.1.0.shortcut.conv"].relu_count == 0


def test_networks_without_a_stem_have_no_share_of_it():
    assert [share.name for share in by_stage(load_recipe("minionn-cifar10-173056"))] == [
        "S1",
        "S2",
        "S3",
        "classifier",
    ]
