"""The layer whose indicators choose, pixel by pixel, between ReLU and a quadratic while they are trained.

Behind each indicator is a real value a. The indicator is 1 at first, becomes 0 where a falls to -t or below,
and 1 again where a rises above t. The gradient passes it straight through, times softplus(a).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.shape import Shape

from ..networks.masked_polynomial import MaskedPolynomial

_DEGREE = 2


class _Hysteresis(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, before: Tensor, threshold: float) -> Tensor:
        ctx.save_for_backward(values)
        return torch.where(before > 0.5, values > -threshold, values > threshold).to(values.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (values,) = ctx.saved_tensors
        return functional.softplus(values) * gradients[0], None, None


def indicators(values: Tensor, before: Tensor, threshold: float) -> Tensor:
    """Returns the indicators, 0 or 1, of real values with hysteresis.

    Args:
        before: the indicators before, 0 or 1, of the same shape.
        threshold: t, at least 0.

    >>> values = torch.tensor([-0.2, -0.05, 0.05, 0.2])
    >>> indicators(values, torch.ones(4), 0.1), indicators(values, torch.zeros(4), 0.1)
    (tensor([0., 1., 1., 1.]), tensor([0., 0., 0., 1.]))
    """
    found: Tensor = _Hysteresis.apply(values, before, threshold)  # type: ignore[no-untyped-call]
    return found


class IndicatedPolynomial(MaskedPolynomial):
    """A layer that computes m * relu(x) + (1 - m) * quadratic(x) with trained indicators m.

    Attributes:
        mask: the indicators of the last forward pass in training mode.
        values: parameter, the real values behind the indicators, drawn from 0 to 1.
        latest: the indicators of the last forward pass in training mode, for a penalty on them, or None.

    >>> layer = IndicatedPolynomial((2, 1, 1), threshold=0.003).train()
    >>> layer.values.data[0, 1] = -1.0
    >>> _ = layer(torch.zeros(1, 2, 1, 1))
    >>> layer.mask.flatten().tolist()
    [1.0, 0.0]
    """

    def __init__(self, shape: Shape, threshold: float) -> None:
        super().__init__(shape, "pixel", _DEGREE)
        self.values = nn.Parameter(torch.rand(1, *shape))
        self.latest: Tensor | None = None
        self._threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for values (batch, *shape)."""
        if not self.training:
            return super().forward(x)
        self.latest = indicators(self.values, self.mask, self._threshold)
        with torch.no_grad():
            self.mask.copy_(self.latest)
        result: Tensor = self.latest * functional.relu(x) + (1 - self.latest) * self.polynomial(x)
        return result


def place_indicators(module: nn.Module, layers: Iterable[tuple[str, Shape]], threshold: float) -> None:
    """Replaces the ReLUs at the paths of `layers` by ones with indicators, in place.

    Raises:
        ModelError: A layer is not a plain ReLU, such as ReLU6.

    >>> module = nn.Sequential(nn.ReLU())
    >>> place_indicators(module, [("0", (2, 4, 4))], 0.003)
    >>> module[0].values.shape
    torch.Size([1, 2, 4, 4])
    """
    for path, shape in layers:
        parent, _, name = path.rpartition(".")
        found = module.get_submodule(path)
        if type(found) is not nn.ReLU:
            raise ModelError(f"{path} is {type(found).__name__}: only plain ReLUs get an indicator")
        setattr(module.get_submodule(parent), name, IndicatedPolynomial(shape, threshold))


def indicated(module: nn.Module) -> dict[str, IndicatedPolynomial]:
    """Returns the layers of `module` with trained indicators by path, in the order in which they run.

    >>> list(indicated(nn.Sequential(nn.ReLU(), IndicatedPolynomial((2, 4, 4), 0.003))))
    ['1']
    """
    return {path: part for path, part in module.named_modules() if isinstance(part, IndicatedPolynomial)}


def density_penalty(
    parts: Mapping[str, IndicatedPolynomial], weight: float, budget: int, *, both_ways: bool
) -> Tensor:
    """Returns weight * max(0, density - budget / pixels), after a forward pass in training mode.

    The density is the fraction of the pixels whose indicator is 1. With `both_ways`, the penalty is
    weight * |density - budget / pixels|.

    >>> layer = IndicatedPolynomial((4, 1, 1), threshold=0.003).train()
    >>> _ = layer(torch.zeros(1, 4, 1, 1))
    >>> density_penalty({"0": layer}, 2.0, budget=1, both_ways=False).detach()
    tensor(1.5000)
    """
    count = sum(part.values.numel() for part in parts.values())
    latest = [part.latest.sum() for part in parts.values() if part.latest is not None]
    beyond = torch.stack(latest).sum() / count - budget / count
    return weight * (beyond.abs() if both_ways else beyond.clamp_min(0))
