"""The linear dependence of a network's values on each other: one convolution for each pair.

A network is a sequence of values. The results of ReLUs and max-pools, the logits, and the linear values that
are kept on purpose stay. The layers between them are composed into the convolutions that read them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from pi_bench.article import with_article
from pi_bench.errors import ModelError
from pi_bench.shape import Shape

from ..networks.layers import FactorizedReduction
from ..networks.masked_relu import TrainableMaskedReLU
from ..networks.polynomial import PolynomialActivation
from ..networks.resnet import PadShortcut
from . import kernels
from .kernels import Kernel

_NONLINEAR = (nn.ReLU, nn.ReLU6, TrainableMaskedReLU, PolynomialActivation, nn.MaxPool2d)
_LEAVES = (*_NONLINEAR, PadShortcut, FactorizedReduction)
Form = Mapping[str, Kernel]  # by the value that is read


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One value that stays: the activation of a sum of convolutions of other values.

    Attributes:
        name: the node of the traced network that computes the value.
        linear: the node that computes the sum before the activation.
        shape: the shape without batch axis.
        form: the convolution of each value that is read, by its name.
        layers: the paths of the convolutions and linear layers that the sum replaces.
        activation: the activation, if there is one.

    >>> module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.ReLU()).eval()
    >>> (value,) = plan_values(module, (1, 6, 6), lambda graph: frozenset()).values
    >>> value.layers, value.is_merged, value.shape
    (('0', '1'), True, (2, 2, 2))
    """

    name: str
    linear: str
    shape: Shape
    form: Form
    layers: tuple[str, ...]
    activation: nn.Module | None = None

    @property
    def is_merged(self) -> bool:
        """Whether one of its convolutions is a composition."""
        return any(kernel.depth > 1 for kernel in self.form.values())


@dataclass(frozen=True, slots=True)
class ValuePlan:
    """A traced network and the values that stay after merging.

    Attributes:
        graph: the traced network.
        values: the values that stay, in the order in which they are computed.

    >>> module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()).eval()
    >>> plan_values(module, (1, 6, 6), lambda graph: frozenset()).shape_of("_1")
    (2, 4, 4)
    """

    graph: fx.GraphModule
    values: tuple[Value, ...]

    def shape_of(self, name: str) -> Shape:
        """Returns the shape of a node without batch axis."""
        return next(_shape_of(node) for node in self.graph.graph.nodes if node.name == name)


Keeps = Callable[[fx.GraphModule], frozenset[str]]
"""Chooses the linear nodes of a traced network that are not merged away."""


def plan_values(module: nn.Module, input_shape: Shape, keeps: Keeps) -> ValuePlan:
    """Traces `module` and returns its values that stay after merging.

    Args:
        module: the network in evaluation mode.
        input_shape: (channels, height, width) of its input.
        keeps: chooses the linear values that stay too.

    Raises:
        ModelError: Merging has no rule for a layer.

    >>> module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.ReLU()).eval()
    >>> [value.name for value in plan_values(module, (1, 6, 6), lambda graph: frozenset({"_0"})).values]
    ['_0', '_2']
    """
    graph = fx.GraphModule(module, _Tracer().trace(module))
    device = next(module.parameters()).device
    ShapeProp(graph).propagate(torch.zeros(1, *input_shape, device=device))
    reader = _Reader(graph, keeps(graph), device)
    for node in graph.graph.nodes:
        reader.read(node)
    return ValuePlan(graph, tuple(reader.values))


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _LEAVES) or super().is_leaf_module(m, module_qualified_name)


class _Reader:
    """A reader of nodes in order, which expresses each linear node by the values that stay."""

    def __init__(self, graph: fx.GraphModule, kept: frozenset[str], device: torch.device) -> None:
        self._modules = dict(graph.named_modules())
        self._kept = kept
        self._device = device
        self._forms: dict[str, Form] = {}
        self._layers: dict[str, tuple[str, ...]] = {}
        self._flattened: dict[str, fx.Node] = {}  # by the node that is a vector, that of the map
        self.values: list[Value] = []

    def read(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self._stays(node)
        elif node.op == "output":
            last = node.args[0]
            assert isinstance(last, fx.Node)
            if last.name != self.values[-1].name:
                self._value(last, last)
        elif node.op == "call_module":
            self._module(node, self._modules[str(node.target)])
        elif node.op == "call_function" and node.target is operator.add:
            self._add(node)
        else:
            raise ModelError(f"merging knows no operator {node.name}")
        if node.name in self._kept and node.name in self._forms and node.op != "placeholder":
            self._value(node, node)
            self._stays(node)

    def _module(self, node: fx.Node, layer: nn.Module) -> None:
        source = node.args[0]
        assert isinstance(source, fx.Node)
        channels, side = _map_of(self._flattened.get(source.name, source))
        form, layers = self._forms[source.name], self._layers[source.name]
        pools = isinstance(layer, nn.AvgPool2d | nn.AdaptiveAvgPool2d)
        # A mean of a value that stays costs nothing as it is. As a convolution it costs its window.
        if isinstance(layer, _NONLINEAR) or (pools and _is_plain(form)):
            self._value(node, source, layer)
            self._stays(node)
            return
        if isinstance(layer, nn.BatchNorm2d):
            if not isinstance(self._modules.get(str(source.target)), nn.Conv2d):
                raise ModelError(
                    f"merging needs batch normalizations after convolutions; {node.target} is not"
                )
            gain, shift = kernels.gain_and_shift(layer)
            form = {
                name: kernel.followed_by_gain(gain, shift if first else torch.zeros_like(shift))
                for first, name, kernel in _numbered(form)
            }
        elif isinstance(layer, nn.Flatten):
            self._flattened[node.name] = source
        elif not isinstance(layer, nn.Identity):
            kernel = self._kernel(node, layer, channels, side)
            form = {
                name: (kernel if first else kernel.without_bias()).after(below)
                for first, name, below in _numbered(form)
            }
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layers = (*layers, str(node.target))
        self._forms[node.name], self._layers[node.name] = form, layers

    def _kernel(self, node: fx.Node, layer: nn.Module, channels: int, side: int) -> Kernel:
        if isinstance(layer, nn.Conv2d):
            return kernels.of_convolution(layer)
        if isinstance(layer, nn.Linear):
            return kernels.of_linear(layer, channels, side)
        if isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size == 1:
            return kernels.of_mean(channels, side, self._device)
        if isinstance(layer, nn.AvgPool2d) and (layer.kernel_size, layer.padding) == (layer.stride, 0):
            assert isinstance(layer.kernel_size, int)
            return kernels.of_mean(channels, layer.kernel_size, self._device)
        if isinstance(layer, PadShortcut):
            return kernels.of_pad_shortcut(channels, layer.channels, layer.stride, self._device)
        raise ModelError(f"merging has no rule for {node.target}, {with_article(type(layer).__name__)}")

    def _add(self, node: fx.Node) -> None:
        total: dict[str, Kernel] = {}
        layers: dict[str, None] = {}
        for operand in node.args:
            assert isinstance(operand, fx.Node)
            for name, kernel in self._forms[operand.name].items():
                total[name] = total[name].plus(kernel) if name in total else kernel
            layers |= dict.fromkeys(self._layers[operand.name])
        self._forms[node.name], self._layers[node.name] = total, tuple(layers)

    def _value(self, node: fx.Node, linear: fx.Node, activation: nn.Module | None = None) -> None:
        form, layers = self._forms[linear.name], self._layers[linear.name]
        if activation is None and _is_plain(form):
            return  # an identity after a value that stays
        self.values.append(Value(node.name, linear.name, _shape_of(linear), form, layers, activation))

    def _stays(self, node: fx.Node) -> None:
        found = self._forms.get(node.name)
        if found is not None and _is_plain(found):
            return
        channels, _ = _map_of(node)
        self._forms[node.name] = {node.name: kernels.identity(channels, self._device)}
        self._layers[node.name] = ()


def _is_plain(form: Form) -> bool:
    return len(form) == 1 and all(kernel.plain for kernel in form.values())


def _numbered(form: Form) -> list[tuple[bool, str, Kernel]]:
    """Returns (is first, name, kernel) for each kernel; a constant is added to the first alone."""
    return [(number == 0, name, kernel) for number, (name, kernel) in enumerate(form.items())]


def _shape_of(node: fx.Node) -> Shape:
    found: Any = node.meta["tensor_meta"]
    return tuple(found.shape[1:])


def _map_of(node: fx.Node) -> tuple[int, int]:
    """Returns the channels and the side of a node's map; a vector is a map of one pixel.

    Raises:
        ModelError: The map is not square.
    """
    shape = _shape_of(node)
    if len(shape) == 1:
        return shape[0], 1
    if shape[1] != shape[2]:
        raise ModelError(f"merging needs square maps; {node.name} is {shape[1]} x {shape[2]}")
    return shape[0], shape[1]
