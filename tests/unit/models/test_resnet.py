"""The torch networks have the ReLUs that their recipes count."""

import dataclasses
from collections import OrderedDict
from itertools import pairwise

import pytest

from pi_bench.errors import ModelError
from pi_bench.models import load_recipe, parse_recipe

torch = pytest.importorskip("torch")

from pi_bench.models.building import build
from pi_bench.models.networks.resnet import BasicBlock

UNEVEN = """
schema = 1
name = "uneven"
family = "resnet"
dataset = "none"
input_shape = [2, 13, 9]
class_count = 3
blocks = [1, 2, 1]
widths = [4, 6, 6]
rho = 0.4
thinned_stages = [2]
"""


def traced_relus(module, input_shape):
    seen = []
    for path, layer in module.named_modules():
        if isinstance(layer, torch.nn.ReLU):
            layer.register_forward_hook(
                lambda _m, _i, out, path=path: seen.append((path, tuple(out.shape[1:])))
            )
    logits = module(torch.empty(2, *input_shape, device="meta"))
    return seen, tuple(logits.shape)


def test_odd_shapes_and_strides():
    recipe = parse_recipe(UNEVEN, "uneven")
    relus, _ = traced_relus(build(recipe, "meta"), recipe.input_shape)
    assert relus == list(recipe.relu_shapes())
    assert recipe.stem_stride == 2


def test_resnet18_has_its_known_parameter_count():
    module = build(load_recipe("resnet18-cifar100-557056"), "meta")
    # The public CIFAR ResNet18 for 100 classes.
    assert sum(parameter.numel() for parameter in module.parameters()) == 11_220_132


def test_figure_3_of_resnet18():
    """DeepReDuce, section 2.2: FLOPs are even, parameters grow and ReLUs fall with depth."""
    layers = load_recipe("resnet18-cifar100-557056").layers()

    def by_stage(count):
        return [
            sum(getattr(layer, count) for layer in layers if layer.stage == stage) for stage in (1, 2, 3, 4)
        ]

    assert by_stage("relu_count") == [262_144, 131_072, 65_536, 32_768]  # Table 1
    parameters, macs = by_stage("parameter_count"), by_stage("mac_count")
    assert all(3.5 < later / earlier < 4.5 for earlier, later in pairwise(parameters))
    assert max(macs) < 1.2 * min(macs)


def test_shortcuts_stand_where_the_shape_changes():
    state = build(load_recipe("resnet18-cifar100-12288"), "meta").state_dict()
    shortcuts = {key.rsplit(".", 2)[0] for key in state if ".shortcut.conv." in key}
    assert shortcuts == {f"stages.{stage}.0.shortcut" for stage in (1, 2, 3)}


@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_computes_its_formula(stride):
    torch.manual_seed(0)
    width = 3 if stride == 1 else 5
    beside = torch.nn.Identity()
    if stride == 2:
        conv, bn = torch.nn.Conv2d(3, width, 1, stride=2, bias=False), torch.nn.BatchNorm2d(width)
        beside = torch.nn.Sequential(OrderedDict(conv=conv, bn=bn))
    block = BasicBlock(3, width, stride, beside, inner_relu=True, outer_relu=True).eval()
    x = torch.randn(2, 3, 6, 6)
    conv, relu = torch.nn.functional.conv2d, torch.nn.functional.relu
    shortcut = x
    if stride == 2:
        shortcut = block.shortcut.bn(conv(x, block.shortcut.conv.weight, stride=2))
    inner = relu(block.bn1(conv(x, block.conv1.weight, stride=stride, padding=1)))
    expected = relu(block.bn2(conv(inner, block.conv2.weight, padding=1)) + shortcut)
    assert torch.equal(block(x), expected)


def test_a_bottleneck_is_culled_but_not_thinned():
    keys = UNEVEN.replace("thinned", "culled") + "block = 'bottleneck'\n"
    kept = {path.split(".")[1] for path, _ in parse_recipe(keys, "t").relu_shapes()}
    assert kept == {"0", "2"}
    with pytest.raises(ModelError, match="'thinned_stages' must be empty"):
        parse_recipe(UNEVEN + "block = 'bottleneck'\n", "t")
    with pytest.raises(ModelError, match="'first_block_convs' must be 2"):
        parse_recipe(keys + "first_block_convs = 1\n", "t")


def test_resnet9_is_resnet10_without_a_convolution():
    ten = load_recipe("resnet18-cifar100-557056")
    ten = dataclasses.replace(ten, blocks=(1, 1, 1, 1), published=None)
    nine = dataclasses.replace(ten, first_block_convs=1)
    assert ten.relu_count - nine.relu_count == 65_536
    assert [path for path, _ in nine.relu_shapes()][:2] == ["stem.relu", "stages.0.0.relu1"]
    seen, _ = traced_relus(build(nine, "meta"), nine.input_shape)
    assert seen == list(nine.relu_shapes())
