"""The parts of a training that networks with polynomials need: start, gradual replacement, bounded ranges.

Values may grow without bound from layer to layer if a polynomial starts far from ReLU, or if its inputs leave
the range in which it is near to ReLU. Three measures prevent this:

- coefficients start at the closed form for the moments that batch norms give (AutoReP, Peng et al., ICCV
  2023);
- r * ReLU + (1 - r) * polynomial replaces the ReLUs while r falls from 1 to 0 (DELPHI's public code);
- a penalty keeps the inputs of polynomials near a range (PILLAR, Diaa et al., USENIX Security 2024), so that
  the trained network fits the 32 bits of an inference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..networks.moments import input_moments
from ..networks.polynomial import PolynomialActivation, polynomial_activations
from ..networks.removed_relu import RemovedReLU, removed_relus
from .settings import TrainingSettings

_POWER = 10
_CURVATURES = (1, 4, 48, 960)  # of 1, x, x^2 and x^3 for normally distributed x of deviation 2
_KNEE = 1.0  # times the range; from there on the penalty is linear, as a tenth power outweighs the loss


def start_polynomials(module: nn.Module) -> int:
    """Makes each polynomial of `module` the one nearest to ReLU for the moments of its inputs.

    Returns:
        The number of layers whose moments follow from batch norms. The others keep their coefficients.

    >>> from pi_bench.models.networks.polynomial import PolynomialActivation
    >>> module = nn.Sequential(nn.BatchNorm2d(2), PolynomialActivation((2, 4, 4)))
    >>> _ = nn.init.constant_(module[0].weight, 2.0)
    >>> start_polynomials(module), module[1].coefficients.data[2, 0]
    (1, tensor([[0.0997]]))
    """
    moments, parts = input_moments(module), polynomial_activations(module)
    for path, found in moments.items():
        parts[path].follow_relu_around(found.mean, found.deviation)
    return len(moments)


def set_relu_part(module: nn.Module, relu_part: float) -> float:
    """Sets the part of ReLU in all layers of `module` that replace or remove it.

    Returns:
        The part, or 0 if there are no such layers.

    >>> from pi_bench.models.networks.polynomial import PolynomialActivation
    >>> module = nn.Sequential(PolynomialActivation((2, 4, 4)))
    >>> set_relu_part(module, 1.0)
    1.0
    >>> module(torch.full((1, 2, 4, 4), -3.0)).detach().abs().max()
    tensor(0.)
    """
    parts: list[PolynomialActivation | RemovedReLU] = [
        *polynomial_activations(module).values(),
        *removed_relus(module).values(),
    ]
    for part in parts:
        part.relu_part = relu_part
    return relu_part if parts else 0.0


def limit_gradients(module: nn.Module, limit: float) -> None:
    """Limits every element of the gradients to `limit`, if that is not 0, and scales those of polynomials.

    The gradient of the coefficient of x^k is divided by the mean of x^(2k) for normally distributed x of
    deviation 2. The curvature of the loss is proportional to that mean, so a learning rate that suits the
    other weights would be too high for the high powers.

    >>> from pi_bench.models.networks.polynomial import PolynomialActivation
    >>> part = PolynomialActivation((1, 1, 1), degree=3)
    >>> part(torch.full((1, 1, 1, 1), 2.0)).sum().backward()
    >>> limit_gradients(part, 6.0)
    >>> part.coefficients.grad.flatten()
    tensor([1.0000, 0.5000, 0.0833, 0.0063])
    """
    if limit:
        nn.utils.clip_grad_value_(module.parameters(), limit)
    for part in polynomial_activations(module).values():
        if part.coefficients.grad is not None:
            for gradient, curvature in zip(part.coefficients.grad, _CURVATURES, strict=False):
                gradient /= curvature


@contextmanager
def range_penalty(module: nn.Module, settings: TrainingSettings) -> Iterator[Callable[[], Tensor] | None]:
    """Yields a function that returns the penalty on the last forward pass in training mode.

    The penalty is range_penalty times the mean over layers of the mean of ``|x / range_limit|**10`` over the
    inputs x of the polynomials. None is yielded if there is nothing to penalize.

    >>> from pi_bench.models.networks.polynomial import PolynomialActivation
    >>> module = nn.Sequential(PolynomialActivation((2, 4, 4))).train()
    >>> with range_penalty(module, TrainingSettings(range_penalty=0.5, range_limit=2.0)) as penalty:
    ...     _ = module(torch.full((1, 2, 4, 4), 2.0))  # at the limit
    ...     penalty().detach()
    tensor(0.5000)
    """
    parts = polynomial_activations(module)
    if not parts or not settings.range_penalty:
        yield None
        return
    found: list[Tensor] = []

    def note(part: nn.Module, inputs: tuple[Tensor]) -> None:
        if part.training:
            ratio = (inputs[0].float() / settings.range_limit).abs()
            beyond = (ratio - _KNEE).clamp_min(0)
            found.append((ratio.clamp_max(_KNEE) ** _POWER + _POWER * _KNEE ** (_POWER - 1) * beyond).mean())

    def penalty() -> Tensor:
        total = settings.range_penalty * torch.stack(found).mean()
        found.clear()
        return total

    hooks = [part.register_forward_pre_hook(note) for part in parts.values()]
    try:
        yield penalty
    finally:
        for hook in hooks:
            hook.remove()
