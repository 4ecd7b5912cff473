"""Polynomial activations in the place of ReLUs, of whole layers or of most of their channels.

DELPHI (Mishra et al., USENIX Security 2020) has quadratics in some layers, SAFENet (Lou et al., ICLR 2021)
polynomials of degree 2 and 3 in some channels of a layer and ReLUs in the others. Coefficients are trained
as other weights are; which channels are ReLUs comes with the weights too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import ModelError

from ..layers import Shape

_NEAR_RELU = (1 / math.sqrt(8 * math.pi), 0.5, 1 / math.sqrt(8 * math.pi), 0.02)
"""The quadratic nearest to ReLU where x is normally distributed, as batch normalization makes it, and for
cubics a small x^3, so that they are some: the nearest one has none."""


class PolynomialActivation(nn.Module):
    """``sum(coefficients[i] * x**i)``, or max(0, x) in the channels where `relu` is True.

    Args:
        shape: (channels, height, width) or (features,) of the value.
        degree: 2 or 3. It begins near to ReLU on normalized values (`follow_relu`).
        relu_channels: how many channels are ReLUs; the first ones, until weights are loaded or
            `draw_relu_channels` chooses.

    Attributes:
        coefficients: parameter (degree + 1, channels, 1, 1).
        relu: bool buffer (channels, 1, 1).
    """

    relu: Tensor

    def __init__(self, shape: Shape, degree: int = 2, relu_channels: int = 0) -> None:
        super().__init__()
        channels, ones = shape[0], (1,) * (len(shape) - 1)
        self.coefficients = nn.Parameter(torch.empty(degree + 1, channels, *ones))
        self.follow_relu()
        self.register_buffer("relu", (torch.arange(channels) < relu_channels).reshape(channels, *ones))
        self.relus_each = math.prod(shape[1:])

    @torch.no_grad()
    def follow_relu(self, size: float = 1.0) -> None:
        """Makes every channel the polynomial nearest to ReLU where x has that root mean square."""
        for power, coefficient in enumerate(self.coefficients):
            coefficient.fill_(_NEAR_RELU[power] * size ** (1 - power))

    def forward(self, x: Tensor) -> Tensor:
        y = self.coefficients[-1]
        for coefficient in reversed(self.coefficients[:-1].unbind()):
            y = y * x + coefficient
        return torch.where(self.relu, functional.relu(x), y)


def place_polynomials(module: nn.Module, layers: Iterable[tuple[str, Shape, int]], degree: int) -> None:
    """Puts polynomial activations in the place of ReLUs of `module`.

    Args:
        layers: module path and shape of each, without batch axis, and how many of its channels stay ReLUs.

    Raises:
        ModelError: a ReLU that is no plain one (ReLU6).
    """
    for path, shape, relu_channels in layers:
        parent, _, name = path.rpartition(".")
        found = module.get_submodule(path)
        if type(found) is not nn.ReLU:
            kind = type(found).__name__
            raise ModelError(f"{path} is {kind}: polynomials stand in the place of plain ReLUs only")
        setattr(module.get_submodule(parent), name, PolynomialActivation(shape, degree, relu_channels))


def polynomial_activations(module: nn.Module) -> dict[str, PolynomialActivation]:
    """By path, in the order in which they run."""
    return {path: part for path, part in module.named_modules() if isinstance(part, PolynomialActivation)}


def polynomial_relu_count(module: nn.Module) -> int:
    """ReLUs of the channels that are no polynomials."""
    parts = polynomial_activations(module).values()
    return sum(int(part.relu.sum()) * part.relus_each for part in parts)


@torch.no_grad()
def draw_relu_channels(module: nn.Module, seed: int) -> None:
    """Chooses at random which channels are ReLUs, as many of each layer as there were."""
    generator = torch.Generator().manual_seed(seed)
    for part in polynomial_activations(module).values():
        part.relu.copy_(part.relu[torch.randperm(len(part.relu), generator=generator)])
