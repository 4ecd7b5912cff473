"""Layers in which a mask keeps single ReLUs, and polynomials replace the others.

AutoReP (Peng et al., ICCV 2023) computes mask * relu(x) + (1 - mask) * (c2 x^2 + c1 x + c0), with a mask per
pixel and coefficients per channel.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.shape import Shape

from .masked_relu import TrainableMaskedReLU
from .polynomial import PolynomialActivation


class MaskedPolynomial(TrainableMaskedReLU):
    """A layer that computes mask * relu(x) + (1 - mask) * polynomial(x).

    Attributes:
        polynomial: a `PolynomialActivation` without channels of ReLUs.

    >>> import torch
    >>> layer = MaskedPolynomial((2, 1, 1), "pixel", degree=2)
    >>> layer.mask.data[0, 1] = 0
    >>> layer.polynomial.coefficients.data[:] = torch.tensor([0.0, 0.0, 1.0]).reshape(3, 1, 1, 1)
    >>> layer(torch.full((1, 2, 1, 1), -3.0)).flatten().tolist()
    [0.0, 9.0]
    """

    def __init__(self, shape: Shape, granularity: str, degree: int) -> None:
        super().__init__(shape, granularity)
        self.polynomial = PolynomialActivation(shape, degree)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for values (batch, *shape)."""
        result: Tensor = self.mask * functional.relu(x) + (1 - self.mask) * self.polynomial(x)
        return result


def place_masked_polynomials(
    module: nn.Module, layers: Iterable[tuple[str, Shape, int]], granularity: str
) -> None:
    """Replaces ReLUs of `module` by ones whose masks choose between ReLU and polynomial, in place.

    All masks are 1.

    Args:
        layers: path, shape without batch axis, and degree (2 or 3) of the polynomials, of each layer.
        granularity: "pixel" or "channel"; the features of a fully connected layer are channels.

    Raises:
        ModelError: A layer is not a plain ReLU, such as ReLU6.

    >>> module = nn.Sequential(nn.ReLU())
    >>> place_masked_polynomials(module, [("0", (2, 4, 4), 2)], "pixel")
    >>> module[0].mask.shape, module[0].polynomial.coefficients.shape
    (torch.Size([1, 2, 4, 4]), torch.Size([3, 2, 1, 1]))
    """
    for path, shape, degree in layers:
        parent, _, name = path.rpartition(".")
        found = module.get_submodule(path)
        if type(found) is not nn.ReLU:
            kind = type(found).__name__
            raise ModelError(f"{path} is {kind}: only plain ReLUs can be masked and become polynomials")
        setattr(module.get_submodule(parent), name, MaskedPolynomial(shape, granularity, degree))


def masked_polynomials(module: nn.Module) -> dict[str, MaskedPolynomial]:
    """Returns the layers of `module` with masks and polynomials by path, in the order in which they run.

    >>> list(masked_polynomials(nn.Sequential(nn.ReLU(), MaskedPolynomial((2, 4, 4), "pixel", 2))))
    ['1']
    """
    return {path: part for path, part in module.named_modules() if isinstance(part, MaskedPolynomial)}
