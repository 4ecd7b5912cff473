"""The torch networks have the ReLUs that their recipes count."""

import dataclasses

import pytest

from pi_bench.errors import ModelError
from pi_bench.models import load_recipe, parse_recipe, recipe_names

torch = pytest.importorskip("torch")

from pi_bench.models.building import build  # noqa: E402
from pi_bench.models.networks.resnet import BasicBlock  # noqa: E402

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


@pytest.mark.parametrize("name", recipe_names())
def test_modules_have_the_relus_of_the_recipe(name):
    recipe = load_recipe(name)
    relus, logits = traced_relus(build(recipe, "meta"), recipe.input_shape)
    assert relus == list(recipe.relu_shapes())
    assert logits == (2, recipe.class_count)


def test_odd_shapes_and_strides():
    recipe = parse_recipe(UNEVEN, "uneven")
    relus, _ = traced_relus(build(recipe, "meta"), recipe.input_shape)
    assert relus == list(recipe.relu_shapes())
    assert recipe.stem_stride == 2


def test_resnet18_has_its_known_parameter_count():
    module = build(load_recipe("resnet18-cifar100-557056"), "meta")
    # The public CIFAR ResNet18 for 100 classes.
    assert sum(parameter.numel() for parameter in module.parameters()) == 11_220_132


def test_shortcuts_stand_where_the_shape_changes():
    state = build(load_recipe("resnet18-cifar100-12288"), "meta").state_dict()
    shortcuts = {key.rsplit(".", 2)[0] for key in state if ".shortcut.conv." in key}
    assert shortcuts == {f"stages.{stage}.0.shortcut" for stage in (1, 2, 3)}


@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_computes_its_formula(stride):
    torch.manual_seed(0)
    width = 3 if stride == 1 else 5
    block = BasicBlock(3, width, stride, inner_relu=True, outer_relu=True).eval()
    x = torch.randn(2, 3, 6, 6)
    conv, relu = torch.nn.functional.conv2d, torch.nn.functional.relu
    shortcut = x
    if stride == 2:
        shortcut = block.shortcut.bn(conv(x, block.shortcut.conv.weight, stride=2))
    inner = relu(block.bn1(conv(x, block.conv1.weight, stride=stride, padding=1)))
    expected = relu(block.bn2(conv(inner, block.conv2.weight, padding=1)) + shortcut)
    assert torch.equal(block(x), expected)


def deep(**keys):
    """ResNets for 1,000 classes of 224x224 images."""
    lines = [f"{key} = {value!r}" for key, value in keys.items()]
    text = UNEVEN.replace("[2, 13, 9]", "[3, 224, 224]").replace("class_count = 3", "class_count = 1000")
    text = text[: text.index("blocks")]
    return parse_recipe(text + "widths = [64, 128, 256, 512]\nstem = 'imagenet'\n" + "\n".join(lines), "t")


@pytest.mark.parametrize(
    ("recipe", "parameters", "macs", "relus"),
    [
        # Parameters and MACs as torchvision publishes them, at 224x224.
        (deep(blocks=[2, 2, 2, 2]), 11_689_512, 1_814_073_344, 2_308_096),
        (deep(blocks=[3, 4, 6, 3]), 21_797_672, 3_663_761_408, 3_562_496),
        (deep(blocks=[3, 4, 6, 3], block="bottleneck"), 25_557_032, 4_089_184_256, 9_608_704),
    ],
    ids=["resnet18", "resnet34", "resnet50"],
)
def test_imagenet_networks_have_their_known_sizes(recipe, parameters, macs, relus):
    assert (recipe.parameter_count, recipe.mac_count, recipe.relu_count) == (parameters, macs, relus)
    module = build(recipe, "meta")
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters
    seen, _ = traced_relus(module, recipe.input_shape)
    assert seen == list(recipe.relu_shapes())


def test_a_bottleneck_is_culled_but_not_thinned():
    keys = {"blocks": [3, 4, 6, 3], "block": "bottleneck"}
    kept = {path.split(".")[1] for path, _ in deep(**keys, culled_stages=[1, 2]).relu_shapes()}
    assert kept == {"2", "3"}
    with pytest.raises(ModelError, match="'thinned_stages' must be empty"):
        deep(**keys, thinned_stages=[1])
    with pytest.raises(ModelError, match="'first_block_convs' must be 2"):
        deep(**keys, first_block_convs=1)


def test_resnet9_is_resnet10_without_a_convolution():
    ten = load_recipe("resnet18-cifar100-557056")
    ten = dataclasses.replace(ten, blocks=(1, 1, 1, 1), published=None)
    nine = dataclasses.replace(ten, first_block_convs=1)
    assert ten.relu_count - nine.relu_count == 65_536
    assert [path for path, _ in nine.relu_shapes()][:2] == ["stem.relu", "stages.0.0.relu1"]
    seen, _ = traced_relus(build(nine, "meta"), nine.input_shape)
    assert seen == list(nine.relu_shapes())
