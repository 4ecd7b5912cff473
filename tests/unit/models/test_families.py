"""Every family: the counts of a recipe are those of its torch module and those of papers."""

import math

import pytest

from pi_bench.errors import ModelError
from pi_bench.models import parse_recipe
from pi_bench.models.counted_layers import OperatorKind
from pi_bench.models.families import FAMILIES

torch = pytest.importorskip("torch")

from pi_bench.models.building import build
from tests.checked_norms import checked_norms

HEAD = """
schema = 1
name = "small"
dataset = "none"
input_shape = [2, 19, 17]
class_count = 3
"""

# A small network of each family, and the variants that its keys make.
SMALL = {
    "resnet": [
        "blocks = [1, 2]\nwidths = [4, 6]",
        "blocks = [2, 1]\nwidths = [4, 6]\nstem = 'imagenet'\nblock = 'bottleneck'",
        "blocks = [2, 2]\nwidths = [4, 7]\nfirst_block_convs = 1\nshortcut = 'pad'\nthinned_stages = [1]",
    ],
    "wide_resnet": [
        "blocks = [2, 1]\nwidths = [8, 8]\nstem_width = 4",
        "blocks = [1, 2]\nwidths = [4, 8]\nstem_width = 4\nhead_relu = false\nthinned_stages = [2]",
        "blocks = [1, 2]\nwidths = [4, 8]\nculled_stages = [2]",
    ],
    "vgg": [
        "blocks = [2, 3]\nwidths = [4, 6]",
        "blocks = [2, 3]\nwidths = [4, 6]\npool = 'average'\nhidden_widths = [9, 8]\nthinned_stages = [2, 3]",
        "blocks = [1, 1, 2, 1]\nwidths = [4, 4, 5, 4]\nhidden_widths = [5]\nculled_stages = [5]",
    ],
    "mobilenet_v1": [
        "blocks = [1, 2]\nwidths = [6, 8]\nstem_width = 4",
        "blocks = [1, 2]\nwidths = [6, 8]\nstem = 'imagenet'\nactivation = 'relu6'\nthinned_stages = [1, 2]",
    ],
    "mobilenet_v2": [
        "blocks = [1, 2, 2]\nwidths = [4, 6, 6]\nstrides = [1, 2, 1]\nstem_width = 4\nhead_width = 10",
        "blocks = [1, 2]\nwidths = [4, 6]\nstrides = [1, 2]\nstem = 'imagenet'\nculled_stages = [2]",
        "blocks = [1, 2]\nwidths = [4, 6]\nstrides = [2, 1]\nexpansion = 1\nactivation = 'relu'",
    ],
    "cryptonas": [
        "blocks = [2, 2]\nwidths = [4, 6]\narcs = ['1', '2 1', '0 0 1', '3 1 0 1']",
        "blocks = [1, 1, 2]\nwidths = [3, 5, 7]\nthinned_stages = [3]\n"
        "arcs = ['0', '0 1', '1 1 0', '1 0 1 0']",
    ],
    "sphynx": [
        "blocks = [1, 2]\nwidths = [4, 6]\nstrides = [2, 1]\nstem_width = 5",
        "blocks = [1, 2]\nwidths = [4, 6]\nstrides = [1, 2]\nstem_width = 5\nthinned_stages = [2]\n"
        "reduction_cell = ['avg3 0, skip 1', 'dil5 1, conv3 2', 'skip 3, skip 0', 'conv5 4, avg3 2']",
        "blocks = [2]\nwidths = [3]\nstrides = [1]\nstem_width = 3\nstem = 'imagenet'",
    ],
    "minionn": ["", "alpha = 0.25\nthinned_stages = [1, 3]"],
}
CASES = [(family, keys, rho) for family in SMALL for keys in SMALL[family] for rho in (1, 0.5)]


def recipe_of(family, keys, **more):
    lines = [f"{key} = {value!r}" for key, value in more.items()]
    return parse_recipe("\n".join([HEAD, f'family = "{family}"', keys, *lines]), "small")


def traced(recipe):
    """ReLUs by path, and MACs by path, of the module that runs."""
    module = build(recipe, "meta")
    relus, macs = [], {}

    def note(path, layer):
        def hook(_module, inputs, out):
            if isinstance(layer, torch.nn.ReLU | torch.nn.ReLU6):
                relus.append((path, tuple(out.shape[1:])))
            else:
                macs[path] = math.prod(out.shape[1:]) * layer.weight[0].numel()

        layer.register_forward_hook(hook)

    kinds = (torch.nn.ReLU, torch.nn.ReLU6, torch.nn.Conv2d, torch.nn.Linear)
    for path, layer in module.named_modules():
        if isinstance(layer, kinds):
            note(path, layer)
    with checked_norms():
        logits = module(torch.empty(2, *recipe.input_shape, device="meta"))
    assert logits.shape == (2, recipe.class_count)
    return module, relus, macs


def test_every_family_is_tried():
    assert set(SMALL) == set(FAMILIES)


@pytest.mark.parametrize(("family", "keys", "rho"), CASES)
def test_a_recipe_counts_what_its_module_has(family, keys, rho):
    recipe = recipe_of(family, keys, rho=rho)
    module, relus, macs = traced(recipe)
    assert relus == list(recipe.relu_shapes())
    weighted = (OperatorKind.CONV, OperatorKind.SHORTCUT, OperatorKind.LINEAR)
    assert macs == {layer.path: layer.mac_count for layer in recipe.layers() if layer.kind in weighted}
    sizes = {}
    for name, parameter in module.named_parameters():
        path = name.rpartition(".")[0]
        sizes[path] = sizes.get(path, 0) + parameter.numel()
    assert sizes == {layer.path: layer.parameter_count for layer in recipe.layers() if layer.parameter_count}


@pytest.mark.parametrize("family", SMALL)
def test_a_culled_stage_has_no_relu_and_the_others_keep_theirs(family):
    keys = SMALL[family][0]
    full = recipe_of(family, keys)
    relus = [layer for layer in full.layers() if layer.relu_count]
    for stage in range(1, full.stage_count + 1):
        culled = recipe_of(family, keys, culled_stages=[stage])
        expected = [(relu.path, relu.shape) for relu in relus if relu.stage not in (stage, 0)]
        assert list(culled.relu_shapes()) == expected


def test_every_key_has_its_range_in_the_message():
    with pytest.raises(ModelError, match="unknown key 'stem_relu'; known are name, dataset, input_shape"):
        recipe_of("vgg", SMALL["vgg"][0], stem_relu=1)
    with pytest.raises(ModelError, match=r"""'pool' is 'sum', allowed: "max" or "average"$"""):
        recipe_of("vgg", SMALL["vgg"][0], pool="sum")
    with pytest.raises(ModelError, match="'strides' has 2 entries, 'blocks' has 1"):
        recipe_of("mobilenet_v2", "blocks = [1]\nwidths = [8]\nstrides = [1, 2]")
    with pytest.raises(ModelError, match="'thinned_stages' must be empty"):
        recipe_of("mobilenet_v2", SMALL["mobilenet_v2"][0], thinned_stages=[1])
    with pytest.raises(ModelError, match=r"'alpha' scales widths \[6, 8, 4\] to \[1, 1, 0\]"):
        recipe_of("mobilenet_v1", SMALL["mobilenet_v1"][0], alpha=0.24)
    with pytest.raises(ModelError, match="'input_shape' is smaller than 32 x 32"):
        recipe_of("vgg", SMALL["vgg"][2], rho=0.25)
    with pytest.raises(ModelError, match="'arcs' has 2 entries, 'blocks' has 3 layers"):
        recipe_of("cryptonas", "blocks = [1, 2]\nwidths = [4, 4]\narcs = ['0', '0 1']")
    with pytest.raises(
        ModelError, match="'arcs' has '0 1 1' for layer 1: an operation from 0 to 3 and 1 skips"
    ):
        recipe_of("cryptonas", "blocks = [2]\nwidths = [4]\narcs = ['0', '0 1 1']")
    with pytest.raises(ModelError, match="'arcs' has '4' for layer 0"):
        recipe_of("cryptonas", "blocks = [1]\nwidths = [4]\narcs = ['4']")
    with pytest.raises(ModelError, match="'normal_cell' has 1 nodes, 4 are needed"):
        recipe_of("sphynx", SMALL["sphynx"][0], normal_cell=["skip 0, skip 1"])
    with pytest.raises(
        ModelError, match=r"has 'skip 0, conv7 1' for node 0: two operators \(skip, conv3, conv5"
    ):
        recipe_of("sphynx", SMALL["sphynx"][0], reduction_cell=["skip 0, conv7 1"] * 4)
    with pytest.raises(ModelError, match=r"has 'skip 0, skip 2' for node 0: .* from 0 to 1, are needed"):
        recipe_of("sphynx", SMALL["sphynx"][0], normal_cell=["skip 0, skip 2"] * 4)
    with pytest.raises(ModelError, match="'strides' has 1 entries, 'blocks' has 2"):
        recipe_of("sphynx", "blocks = [1, 1]\nwidths = [4, 4]\nstem_width = 4\nstrides = [1]")
    for family in ("cryptonas", "sphynx"):
        with pytest.raises(ModelError, match="'merged' is not possible in the family"):
            recipe_of(family, SMALL[family][0], merged="full")
        with pytest.raises(ModelError, match=r"'alpha' scales widths \[4, 6.* to \[1, 1.*: at least 2 each"):
            recipe_of(family, SMALL[family][0], alpha=0.25)
    with pytest.raises(ModelError, match="can pad channels only where widths do not shrink"):
        recipe_of("resnet", "blocks = [1, 1]\nwidths = [6, 4]\nshortcut = 'pad'")
    with pytest.raises(ModelError, match="""'family' is 'alexnet', allowed: "resnet" or "wide_resnet" or"""):
        recipe_of("alexnet", "")


def test_a_padded_shortcut_moves_pixels_and_adds_nothing():
    recipe = recipe_of("resnet", "blocks = [1, 1]\nwidths = [2, 5]\nshortcut = 'pad'")
    shortcut = build(recipe).stages[1][0].shortcut
    x = torch.randn(2, 2, 7, 5)
    padded = torch.nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 2))
    assert torch.equal(shortcut(x), padded)
    assert not any("shortcut" in name for name in build(recipe).state_dict())
