"""Layers in which each channel is a weighted sum of all kinds, so that a training can choose among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.shape import Shape

from ..mixture import KINDS
from ..networks.polynomial import PolynomialActivation

_RELU_LOGIT = 2.0
"""The first logit of ReLU, where the others have 0: the network begins near the trained one."""


class RelaxedActivation(nn.Module):
    """A layer that computes the sum of all kinds of a channel, weighted by a softmax.

    Args:
        shape: (channels, height, width) or (features,) of the value.

    Attributes:
        logits: parameter (kinds, channels, 1, 1), in the order of `KINDS`.
        cubic: the cubics.
        quadratic: the quadratics.
        temperature: the temperature of the softmax. It is no weight.
        chosen: the place in `KINDS` of the kind that each channel gets, (channels,), or None.
        settled: the part of that kind, from 0 to 1, in place of the weights. It is no weight either.

    >>> layer = RelaxedActivation((1, 1, 1))
    >>> layer.logits.data[:] = torch.tensor([0.0, 0.0, 0.0, 100.0]).reshape(4, 1, 1, 1)
    >>> layer(torch.full((1, 1, 1, 1), -3.0)).item()
    -3.0
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        ones = (1,) * (len(shape) - 1)
        first = torch.tensor([_RELU_LOGIT, 0.0, 0.0, 0.0]).reshape(len(KINDS), 1, *ones)
        self.logits = nn.Parameter(first.repeat(1, shape[0], *ones))
        self.cubic = PolynomialActivation(shape, degree=3)
        self.quadratic = PolynomialActivation(shape)
        self.temperature = 1.0
        self.chosen: Tensor | None = None
        self.settled = 0.0

    def weights(self) -> Tensor:
        """Returns the weights of the kinds, (kinds, channels, 1, 1)."""
        free = (self.logits / self.temperature).softmax(dim=0)
        if self.chosen is None:
            return free
        only = functional.one_hot(self.chosen.to(free.device), len(KINDS)).T.reshape(free.shape)
        return torch.lerp(free, only.to(free.dtype), self.settled)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for values (batch, *shape)."""
        relu, cubic, quadratic, linear = self.weights().unbind()
        plain = relu * functional.relu(x) + linear * x
        total: Tensor = plain + cubic * self.cubic(x) + quadratic * self.quadratic(x)
        return total


def place_relaxed(module: nn.Module, shapes: Iterable[tuple[str, Shape]]) -> None:
    """Replaces the ReLUs at `shapes` by relaxed layers, in place.

    Args:
        shapes: path and shape without batch axis of each ReLU (`Recipe.relu_shapes`).

    Raises:
        ModelError: A layer is not a plain ReLU, such as ReLU6.

    >>> module = nn.Sequential(nn.ReLU())
    >>> place_relaxed(module, [("0", (2, 4, 4))])
    >>> module[0].logits.shape
    torch.Size([4, 2, 1, 1])
    """
    for path, shape in shapes:
        parent, _, name = path.rpartition(".")
        found = module.get_submodule(path)
        if type(found) is not nn.ReLU:
            kind = type(found).__name__
            raise ModelError(f"{path} is {kind}: polynomials replace plain ReLUs only")
        setattr(module.get_submodule(parent), name, RelaxedActivation(shape))


def relaxed_activations(module: nn.Module) -> dict[str, RelaxedActivation]:
    """Returns the relaxed layers of `module` by path, in the order in which they run.

    >>> list(relaxed_activations(nn.Sequential(nn.ReLU(), RelaxedActivation((2, 4, 4)))))
    ['1']
    """
    return {path: part for path, part in module.named_modules() if isinstance(part, RelaxedActivation)}


def expected_cost(parts: Mapping[str, RelaxedActivation], costs: Mapping[str, Sequence[float]]) -> Tensor:
    """Returns the cost of relaxed layers, in which each kind counts by its weight.

    Args:
        costs: the cost of one channel of each kind, by the path of the layer.

    >>> layer = RelaxedActivation((2, 4, 4))
    >>> layer.logits.data[:] = 0.0
    >>> expected_cost({"relu": layer}, {"relu": (16.0, 4.0, 4.0, 0.0)}).item()
    12.0
    """
    total = torch.zeros(())
    for path, part in parts.items():
        weights = part.weights().flatten(start_dim=1).sum(dim=1)
        total = total.to(weights) + weights @ torch.tensor(costs[path]).to(weights)
    return total
