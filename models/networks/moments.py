"""Means and deviations of a network's values, as far as batch norms tell them without any image.

Behind a batch norm, a channel has the mean beta and the deviation |gamma|. They are taken as those of a
normal distribution, and summands as independent. So the moments after ReLUs, additions and concatenations
follow.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from .layers import FactorizedReduction
from .masked_polynomial import MaskedPolynomial
from .polynomial import PolynomialActivation
from .resnet import PadShortcut

_SMALLEST = 1e-2  # a smaller deviation is that of a channel that is switched off


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The moments of each channel of a value.

    Attributes:
        mean: float64 (channels,).
        variance: float64 (channels,).

    >>> Moments(torch.zeros(2), torch.ones(2)).through_relu().mean
    tensor([0.3989, 0.3989])
    """

    mean: Tensor
    variance: Tensor

    @property
    def deviation(self) -> Tensor:
        """The standard deviations, at least a hundredth."""
        return self.variance.sqrt().clamp_min(_SMALLEST)

    def through_relu(self) -> Moments:
        """Returns the moments after a ReLU."""
        z = self.mean / self.deviation
        density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        above = torch.special.ndtr(z)
        mean = self.mean * above + self.deviation * density
        square = (self.mean**2 + self.deviation**2) * above + self.mean * self.deviation * density
        return Moments(mean, (square - mean**2).clamp_min(0))

    def plus(self, other: Moments) -> Moments:
        """Returns the moments of the sum with an independent value."""
        return Moments(self.mean + other.mean, self.variance + other.variance)


@torch.no_grad()
def input_moments(module: nn.Module) -> dict[str, Moments]:
    """Returns the moments of the inputs of the polynomial activations of `module`, by their paths.

    Inputs that do not follow from batch norms are left out.

    >>> module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), PolynomialActivation((2, 4, 4)))
    >>> input_moments(module)["2"].deviation
    tensor([1., 1.], dtype=torch.float64)
    """
    graph = _Tracer().trace(module)
    found: dict[str, Moments] = {}
    known: dict[fx.Node, Moments | None] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            layer, source = module.get_submodule(str(node.target)), node.args[0]
            before = known.get(source) if isinstance(source, fx.Node) else None
            if isinstance(layer, PolynomialActivation | MaskedPolynomial) and before is not None:
                inside = ".polynomial" if isinstance(layer, MaskedPolynomial) else ""
                found[f"{node.target}{inside}"] = before
            known[node] = _behind(layer, before)
        elif node.op == "call_function":
            rule = _RULES.get(node.target)
            known[node] = rule(node, known) if rule else None
    return found


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        leaves = (PolynomialActivation, MaskedPolynomial, PadShortcut, FactorizedReduction)
        return isinstance(m, leaves) or super().is_leaf_module(m, module_qualified_name)


def _behind(layer: nn.Module, before: Moments | None) -> Moments | None:
    """Returns the moments after `layer`, or None if they do not follow."""
    if isinstance(layer, FactorizedReduction):
        layer = layer.bn
    if isinstance(layer, nn.BatchNorm2d):
        if not layer.affine:
            zeros = torch.zeros(layer.num_features, dtype=torch.float64)
            return Moments(zeros, zeros + 1)
        return Moments(layer.bias.detach().double().cpu(), layer.weight.detach().double().cpu() ** 2)
    if before is None:
        return None
    if isinstance(layer, nn.ReLU | nn.ReLU6 | PolynomialActivation | MaskedPolynomial):
        return before.through_relu()
    if isinstance(layer, PadShortcut):
        return Moments(
            functional.pad(before.mean, layer.channels), functional.pad(before.variance, layer.channels)
        )
    return before if isinstance(layer, nn.Identity) else None


def _add(node: fx.Node, known: dict[fx.Node, Moments | None]) -> Moments | None:
    one, other = (known.get(part) if isinstance(part, fx.Node) else None for part in node.args[:2])
    return None if one is None or other is None else one.plus(other)


def _concatenate(node: fx.Node, known: dict[fx.Node, Moments | None]) -> Moments | None:
    parts: Any = node.args[0]
    moments = [known.get(part) for part in parts]
    if any(one is None for one in moments):
        return None
    whole = [one for one in moments if one is not None]
    return Moments(torch.cat([one.mean for one in whole]), torch.cat([one.variance for one in whole]))


_RULES: dict[Any, Callable[[fx.Node, dict[fx.Node, Moments | None]], Moments | None]] = {
    operator.add: _add,
    torch.add: _add,
    torch.cat: _concatenate,
}
