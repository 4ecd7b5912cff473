"""Polynomial activations that replace the ReLUs of whole layers or of most of their channels.

DELPHI (Mishra et al., USENIX Security 2020) has quadratics in some layers, SAFENet (Lou et al., ICLR 2021)
polynomials of degree 2 and 3 in some channels of a layer and ReLUs in the others. Coefficients are trained
like other weights. The choice of the channels with ReLU is stored with the weights.

Where the inputs of a channel are normally distributed, the polynomial nearest to ReLU in the mean square has
a closed form. For degree 2 it is the one of AutoReP (Peng et al., ICCV 2023).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.shape import Shape

_NEAR_RELU = (1 / math.sqrt(8 * math.pi), 0.5, 1 / math.sqrt(8 * math.pi), 0.02)
"""Coefficients of the quadratic nearest to ReLU for normally distributed x, as batch normalization makes it.
Cubics get a small x^3 as well, because the cubic nearest to ReLU has none."""


class PolynomialActivation(nn.Module):
    """A layer that computes ``sum(coefficients[i] * x**i)``, or max(0, x) in channels where `relu` is True.

    Args:
        shape: (channels, height, width) or (features,) of the value.
        degree: 2 or 3. The polynomial starts near ReLU on normalized values (`follow_relu`).
        relu_channels: the number of channels with ReLU. They are the first ones until weights are loaded or
            `draw_relu_channels` chooses others.

    Attributes:
        coefficients: parameter (degree + 1, channels, 1, 1).
        relu: bool buffer (channels, 1, 1).
        relu_part: the part r of ReLU in polynomial channels, r * ReLU + (1 - r) * polynomial, while a
            training replaces ReLUs step by step. It is no weight, and 0 outside of such a training.

    >>> layer = PolynomialActivation((2, 1, 1), relu_channels=1)
    >>> layer.coefficients.data[:, 1] = torch.tensor([0.0, 0.0, 1.0]).reshape(3, 1, 1)
    >>> layer(torch.full((1, 2, 1, 1), -3.0)).flatten().tolist()
    [0.0, 9.0]
    """

    relu: Tensor

    def __init__(self, shape: Shape, degree: int = 2, relu_channels: int = 0) -> None:
        super().__init__()
        channels, ones = shape[0], (1,) * (len(shape) - 1)
        self.coefficients = nn.Parameter(torch.empty(degree + 1, channels, *ones))
        self.follow_relu()
        # Without a comparison: on the device "meta", torch imports its compiler for one.
        self.register_buffer("relu", torch.zeros(channels, *ones, dtype=torch.bool))
        self.relu[:relu_channels] = True
        self.relus_each = math.prod(shape[1:])
        self.relu_part = 0.0

    @torch.no_grad()
    def follow_relu(self, size: float = 1.0) -> None:
        """Makes every channel the polynomial nearest to ReLU for x of root mean square `size`."""
        for power, coefficient in enumerate(self.coefficients):
            coefficient.fill_(_NEAR_RELU[power] * size ** (1 - power))

    @torch.no_grad()
    def follow_relu_around(self, mean: Tensor, deviation: Tensor) -> None:
        """Makes every channel the polynomial nearest to ReLU for normally distributed x.

        Args:
            mean: the mean of x in each channel, (channels,).
            deviation: the standard deviation of x in each channel, (channels,).
        """
        found = nearest_to_relu(mean.double(), deviation.double(), len(self.coefficients) - 1)
        self.coefficients.copy_(found.reshape(self.coefficients.shape))

    def current_coefficients(self) -> Tensor:
        """Returns the coefficients that the output has, (degree + 1, channels, 1, 1)."""
        return self.coefficients

    @torch.no_grad()
    def rearrange(self, order: Tensor) -> None:
        """Gives each channel the kind of another one: channel i that of channel `order[i]`."""
        self.relu.copy_(self.relu[order])

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for values (batch, *shape)."""
        *lower, y = self.current_coefficients().unbind()
        for coefficient in reversed(lower):
            y = y * x + coefficient
        if self.relu_part:
            y = torch.lerp(y, functional.relu(x).to(y.dtype), self.relu_part)
        return torch.where(self.relu, functional.relu(x), y)


def nearest_to_relu(mean: Tensor, deviation: Tensor, degree: int) -> Tensor:
    """Returns the coefficients of the polynomial nearest to ReLU for x ~ N(mean, deviation^2).

    ReLU is expanded in Hermite polynomials of t = (x - mean) / deviation, whose coefficients are derivatives
    of ReLU averaged over x.

    Args:
        mean: the means, (channels,).
        deviation: the standard deviations, above 0, (channels,).
        degree: 2 or 3.

    Returns:
        (degree + 1, channels), the constant first.

    >>> zero, one = torch.zeros(1), torch.ones(1)
    >>> [round(float(c), 4) for c in nearest_to_relu(zero, one, degree=2)]
    [0.1995, 0.5, 0.1995]
    """
    z = mean / deviation
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    above = torch.special.ndtr(z)
    hermite = [
        mean * above + deviation * density,
        deviation * above,
        deviation * density / 2,
        -deviation * z * density / 6,
    ][: degree + 1]
    hermite += [torch.zeros_like(z)] * (4 - len(hermite))
    # 1, t, t^2 - 1 and t^3 - 3 t, as coefficients of powers of t.
    of_t = [hermite[0] - hermite[2], hermite[1] - 3 * hermite[3], hermite[2], hermite[3]]
    of_x = torch.zeros(4, *z.shape, dtype=z.dtype, device=z.device)
    for power, coefficient in enumerate(of_t):
        for kept in range(power + 1):  # the binomial series of ((x - mean) / deviation)^power
            of_x[kept] += coefficient * math.comb(power, kept) * (-z) ** (power - kept) / deviation**kept
    return of_x[: degree + 1]


def place_polynomials(module: nn.Module, layers: Iterable[tuple[str, Shape, int, int]]) -> None:
    """Replaces ReLUs of `module` by polynomial activations, in place.

    Args:
        layers: path, shape without batch axis, number of channels that keep ReLU, and degree (2 or 3) of the
            polynomials, of each layer.

    Raises:
        ModelError: A layer is not a plain ReLU, such as ReLU6.

    >>> module = nn.Sequential(nn.ReLU())
    >>> place_polynomials(module, [("0", (4, 2, 2), 1, 3)])
    >>> module[0].coefficients.shape
    torch.Size([4, 4, 1, 1])
    """
    for path, shape, relu_channels, degree in layers:
        parent, _, name = path.rpartition(".")
        found = module.get_submodule(path)
        if type(found) is not nn.ReLU:
            kind = type(found).__name__
            raise ModelError(f"{path} is {kind}: polynomials replace plain ReLUs only")
        setattr(module.get_submodule(parent), name, PolynomialActivation(shape, degree, relu_channels))


def polynomial_activations(module: nn.Module) -> dict[str, PolynomialActivation]:
    """Returns the polynomial activations of `module` by path, in the order in which they run.

    >>> list(polynomial_activations(nn.Sequential(nn.ReLU(), PolynomialActivation((4, 2, 2)))))
    ['1']
    """
    return {path: part for path, part in module.named_modules() if isinstance(part, PolynomialActivation)}


def polynomial_relu_count(module: nn.Module) -> int:
    """Returns the number of ReLUs in the channels of `module`'s polynomial layers that keep ReLU.

    >>> polynomial_relu_count(nn.Sequential(PolynomialActivation((4, 2, 2), relu_channels=3)))
    12
    """
    parts = polynomial_activations(module).values()
    return sum(int(part.relu.sum()) * part.relus_each for part in parts)


@torch.no_grad()
def draw_relu_channels(module: nn.Module, seed: int) -> None:
    """Chooses the channels of each kind at random, and keeps their numbers in each layer.

    >>> module = nn.Sequential(PolynomialActivation((8, 1, 1), relu_channels=3))
    >>> draw_relu_channels(module, seed=1)
    >>> int(module[0].relu.sum())
    3
    """
    generator = torch.Generator().manual_seed(seed)
    for part in polynomial_activations(module).values():
        part.rearrange(torch.randperm(len(part.relu), generator=generator))
