"""A network with merged linear layers, as a torch module that is trained like any other.

Each value is an activation of a sum of convolutions of earlier values. Batch normalizations are folded.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pi_bench.errors import ModelError
from pi_bench.shape import Shape

from ..recipe import Recipe
from .extents import kept_values
from .kernels import Kernel
from .tracing import Value, ValuePlan, plan_values

INPUT = "x"


class MergedValue(nn.Module):
    """The activation of a sum over `terms`, one module per value that is read.

    An Identity adds a value unchanged. Terms have the order in which their values are computed: the last one
    is the main path, the others are shortcuts.

    >>> value = MergedValue({"x": nn.Identity(), "a": nn.Identity()}, nn.ReLU(), conv=False)
    >>> value({"x": torch.tensor([1.0]), "a": torch.tensor([-3.0])})
    tensor([0.])
    """

    def __init__(self, terms: dict[str, nn.Module], activation: nn.Module | None, conv: bool) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(terms)
        self.activation = activation if activation is not None else nn.Identity()
        self.has_main_conv = conv

    def forward(self, values: dict[str, Tensor]) -> Tensor:
        """Returns the value, given all earlier values by name."""
        result: Tensor = self.activation(self.linear(values))
        return result

    def linear(self, values: dict[str, Tensor]) -> Tensor:
        """Returns the sum before the activation."""
        parts: list[Tensor] = [module(values[name]) for name, module in self.terms.items()]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


class MergedNetwork(nn.Module):
    """A network as a sequence of merged values. The last value holds the logits.

    >>> network = MergedNetwork({"logits": MergedValue({"x": nn.Flatten()}, None, conv=False)})
    >>> network(torch.zeros(2, 3, 4, 4)).shape
    torch.Size([2, 48])
    """

    def __init__(self, values: dict[str, MergedValue]) -> None:
        super().__init__()
        self.values = nn.ModuleDict(values)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (batch, classes) of images (batch, channels, height, width)."""
        found = {INPUT: x}
        for name, value in self.values.items():
            found[name] = value(found)
        return found[name]

    @property
    def conv_count(self) -> int:
        """The number of convolutions on the main path, the #Conv column of DeepReDuce's Table 7."""
        return sum(value.has_main_conv for value in self.values.values() if isinstance(value, MergedValue))

    @property
    def shortcut_count(self) -> int:
        """The number of convolutions beside the main path, which papers do not count."""
        convs = sum(isinstance(part, nn.Conv2d) for part in self.modules())
        return convs - self.conv_count


def merge(module: nn.Module, recipe: Recipe) -> MergedNetwork:
    """Returns `module`, the unmerged network of `recipe` in evaluation mode, with its layers merged.

    Raises:
        ModelError: Merging has no rule for a layer.

    >>> import dataclasses
    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.building import build
    >>> recipe = narrowed(load_recipe("resnet56-cifar10-532480"), 0.125)
    >>> culled = dataclasses.replace(recipe, blocks=(1, 1, 1), culled_stages=(1, 2), stem_relu=False)
    >>> merge(build(culled), dataclasses.replace(culled, merged="full")).conv_count
    2
    """
    return merged_network(planned(module, recipe), recipe.input_shape)


def planned(module: nn.Module, recipe: Recipe) -> ValuePlan:
    """Returns the values of `module` that the merged network still computes.

    `recipe.merged` tells how far layers are merged. A value inside a merged layer is computed no more.

    Raises:
        ModelError: Merging has no rule for a layer.

    >>> import dataclasses
    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.building import build
    >>> recipe = narrowed(load_recipe("minionn-cifar10-173056"), 0.0625)
    >>> len(planned(build(recipe), dataclasses.replace(recipe, merged="full")).values)
    10
    """
    extent = recipe.merged
    assert extent is not None
    return plan_values(module, recipe.input_shape, lambda graph: kept_values(recipe, extent, graph))


def merged_network(found: ValuePlan, input_shape: Shape) -> MergedNetwork:
    """Returns the merged network of a plan in evaluation mode. Its weights are float32 copies.

    Raises:
        ModelError: A sum is not a convolution of maps of these sizes.

    >>> import dataclasses
    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.building import build
    >>> recipe = narrowed(load_recipe("resnet56-cifar10-532480"), 0.125)
    >>> culled = dataclasses.replace(recipe, blocks=(1, 1, 1), culled_stages=(1, 2), stem_relu=False)
    >>> plan = planned(build(culled), dataclasses.replace(culled, merged="paper"))
    >>> merged_network(plan, culled.input_shape).conv_count
    7
    """
    shapes = {INPUT: input_shape}
    values: dict[str, MergedValue] = {}
    for value in found.values:
        values[value.name] = _merged_value(value, shapes)
        shapes[value.name] = found.shape_of(value.name)
    return MergedNetwork(values).eval()


def _merged_value(value: Value, shapes: dict[str, Shape]) -> MergedValue:
    order = list(shapes)
    names = sorted(value.form, key=order.index)
    bias = torch.stack([value.form[name].bias for name in names]).sum(dim=0)
    terms: dict[str, nn.Module] = {}
    for name in reversed(names):  # the bias goes to the main path, where it has weights
        kernel = value.form[name]
        if kernel.plain:
            terms[name] = nn.Identity()
            continue
        make = _linear if len(value.shape) == 1 else _convolution
        terms[name] = make(kernel, bias, shapes[name], value)
        bias = torch.zeros_like(bias)
    weighted = not value.form[names[-1]].plain and len(value.shape) > 1
    return MergedValue({name: terms[name] for name in names}, value.activation, weighted)


def _convolution(kernel: Kernel, bias: Tensor, source: Shape, value: Value) -> nn.Module:
    side, out_side = source[1], value.shape[1]
    kernel = kernel.cropped(side, out_side)
    if (side + 2 * kernel.padding - kernel.size) // kernel.stride + 1 != out_side:
        raise ModelError(
            f"merging: {value.linear} is no convolution of a map of {side} x {side} with the same padding on "
            "all sides"
        )
    out, width = kernel.weight.shape[:2]
    layer = nn.Conv2d(width, out, kernel.size, kernel.stride, kernel.padding, device=kernel.weight.device)
    return _filled(layer, kernel.weight, bias)


def _linear(kernel: Kernel, bias: Tensor, source: Shape, value: Value) -> nn.Module:
    """Returns the kernel, which is as large as its input, as a fully connected layer."""
    side = source[1] if len(source) > 1 else 1
    weight = kernel.on_whole_map(side)
    layer = nn.Linear(weight.shape[1], weight.shape[0], device=weight.device)
    filled = _filled(layer, weight, bias)
    return filled if len(source) == 1 else nn.Sequential(nn.Flatten(), filled)


@torch.no_grad()
def _filled(layer: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor) -> nn.Module:
    layer.weight.copy_(weight)
    assert layer.bias is not None
    layer.bias.copy_(bias)
    return layer
