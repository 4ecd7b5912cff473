"""Layers whose channels are ReLUs, cubics, quadratics or linear (SAFENet, Lou et al., ICLR 2021)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from pi_bench.errors import ModelError
from pi_bench.shape import Shape

from ..mixture import KINDS, Mixture
from .polynomial import PolynomialActivation, nearest_to_relu

DEGREES = {"linear": 1, "quadratic": 2, "cubic": 3}
_POWERS = 4  # of x, with the constant


class MixedActivation(PolynomialActivation):
    """A layer with one kind of `KINDS` per channel.

    Args:
        shape: (channels, height, width) or (features,) of the value.
        counts: the number of channels of each kind. The kinds have consecutive channels until weights are
            loaded.

    Attributes:
        degrees: uint8 buffer (channels, 1, 1), the degree of each channel that is not a ReLU. A linear
            channel is x itself.

    >>> layer = MixedActivation((3, 1, 1), {"relu": 1, "quadratic": 1, "linear": 1})
    >>> layer.coefficients.data[:, 1] = torch.tensor([0.0, 0.0, 1.0, 9.0]).reshape(4, 1, 1)
    >>> layer(torch.full((1, 3, 1, 1), -3.0)).flatten().tolist()
    [0.0, 9.0, -3.0]
    """

    degrees: Tensor

    def __init__(self, shape: Shape, counts: Mapping[str, int]) -> None:
        super().__init__(shape, degree=_POWERS - 1)
        found = torch.ones(shape[0], *(1 for _ in shape[1:]), dtype=torch.uint8)
        self.register_buffer("degrees", found)
        kinds = [index for index, kind in enumerate(KINDS) for _ in range(counts.get(kind, 0))]
        self.set_kinds(torch.tensor(kinds, device="cpu"))

    @torch.no_grad()
    def set_kinds(self, kinds: Tensor) -> None:
        """Sets the kind of each channel.

        Args:
            kinds: the places of the kinds in `KINDS`, (channels,).
        """
        table = torch.tensor([DEGREES.get(kind, 1) for kind in KINDS], dtype=torch.uint8, device="cpu")
        self.relu.copy_((kinds == KINDS.index("relu")).reshape(self.relu.shape))
        self.degrees.copy_(table[kinds].reshape(self.degrees.shape))

    @property
    def counts(self) -> dict[str, int]:
        """The number of channels of each kind."""
        others = {
            kind: int((~self.relu & (self.degrees == degree)).sum()) for kind, degree in DEGREES.items()
        }
        return {kind: others.get(kind, int(self.relu.sum())) for kind in KINDS}

    @torch.no_grad()
    def follow_relu_around(self, mean: Tensor, deviation: Tensor) -> None:
        """Makes every channel the polynomial of its degree nearest to ReLU, as the other class does."""
        found = torch.zeros(_POWERS, len(mean), dtype=torch.float64, device=mean.device)
        for degree in (DEGREES["quadratic"], DEGREES["cubic"]):
            of_degree = self.degrees.flatten().to(mean.device) == degree
            nearest = nearest_to_relu(mean.double(), deviation.double(), degree)
            found[: degree + 1, of_degree] = nearest[:, of_degree]
        self.coefficients.copy_(found.reshape(self.coefficients.shape))

    def current_coefficients(self) -> Tensor:
        """Returns the coefficients (4, channels, 1, 1): trained ones up to the degree, or those of x."""
        powers = torch.arange(_POWERS, device=self.degrees.device)
        powers = powers.reshape(_POWERS, *(1 for _ in self.degrees.shape))
        is_polynomial = self.degrees >= DEGREES["quadratic"]
        trained = torch.logical_and(is_polynomial, powers <= self.degrees)
        of_x = torch.logical_and(torch.logical_not(is_polynomial), powers == 1)
        return torch.where(trained, self.coefficients, of_x.to(self.coefficients.dtype))

    def rearrange(self, order: Tensor) -> None:
        """Gives each channel the kind of another one, as the other class does."""
        super().rearrange(order)
        self.degrees.copy_(self.degrees[order])


def place_mixtures(module: nn.Module, layers: Iterable[tuple[Shape, Mixture]]) -> None:
    """Replaces ReLUs of `module` by mixtures, in place.

    Args:
        layers: the shape without batch axis and the mixture of each layer.

    Raises:
        ModelError: A layer is not a plain ReLU, such as ReLU6.

    >>> module = nn.Sequential(nn.ReLU())
    >>> place_mixtures(module, [((4, 2, 2), Mixture("0", relu=1, linear=3))])
    >>> module[0].counts["linear"]
    3
    """
    for shape, mixture in layers:
        parent, _, name = mixture.path.rpartition(".")
        found = module.get_submodule(mixture.path)
        if type(found) is not nn.ReLU:
            kind = type(found).__name__
            raise ModelError(f"{mixture.path} is {kind}: mixtures replace plain ReLUs only")
        setattr(module.get_submodule(parent), name, MixedActivation(shape, mixture.counts))


def require_mixtures(module: nn.Module, layers: Iterable[tuple[Shape, Mixture]]) -> None:
    """Checks that each mixture of `module` has the numbers of channels that its recipe says.

    Raises:
        ModelError: The weights have other numbers.

    >>> layer = MixedActivation((4, 2, 2), {"relu": 1, "linear": 3})
    >>> require_mixtures(nn.Sequential(layer), [((4, 2, 2), Mixture("0", relu=2, linear=2))])
    Traceback (most recent call last):
    pi_bench.errors.ModelError: the weights have 0: 1 relu, 3 linear; the recipe says 0: 2 relu, 2 linear: ...
    """
    for _, mixture in layers:
        part = module.get_submodule(mixture.path)
        assert isinstance(part, MixedActivation)
        if part.counts != mixture.counts:
            raise ModelError(
                f"the weights have {Mixture(mixture.path, **part.counts)}; the recipe says {mixture}: "
                "give weights that were trained with this recipe"
            )
