"""The quadratics of AutoReP's public code, which it estimates from running statistics when a training starts.

The nearest quadratic to ReLU for x ~ N(mean, deviation^2) is a closed form. The code takes the running
variance, at least 0.5, for the deviation. It divides the constant by 5 and the coefficient of the square by
10, and multiplies the square by a factor. So its quadratics are flatter than the nearest ones. They are
estimated every ten steps in the first 508 steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pi_bench.shape import Shape

from ..networks.polynomial import PolynomialActivation, nearest_to_relu
from .indicator import IndicatedPolynomial

_STEPS = 508
_STEPS_EACH = 10
_LEAST_VARIANCE = 0.5
_DIVISORS = (5.0, 1.0, 10.0)
_LARGEST_SQUARE = 1.0
_MOMENTUM = 0.1  # of the running statistics, as in torch's batch norm


class EstimatedQuadratic(PolynomialActivation):
    """A quadratic whose square has a fixed factor beside its coefficient, and that estimates itself at first.

    Attributes:
        factors: buffer (3, 1, 1, 1), the factors of the coefficients.
        mean, variance: buffers (channels,), running statistics of the input.
        steps: buffer, the number of forward passes in training mode.

    >>> layer = EstimatedQuadratic((2, 1, 1), square_factor=0.1).train()
    >>> _ = layer(torch.randn(64, 2, 1, 1))
    >>> int(layer.steps), layer.current_coefficients().shape
    (1, torch.Size([3, 2, 1, 1]))
    """

    factors: Tensor
    mean: Tensor
    variance: Tensor
    steps: Tensor

    def __init__(self, shape: Shape, square_factor: float) -> None:
        super().__init__(shape)
        ones = (1,) * len(shape)
        self.register_buffer("factors", torch.tensor([1.0, 1.0, square_factor]).reshape(3, *ones))
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("variance", torch.ones(shape[0]))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def current_coefficients(self) -> Tensor:
        """Returns the coefficients with their factors, (3, channels, 1, 1)."""
        return self.coefficients * self.factors

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for values (batch, *shape)."""
        if self.training:
            self._estimate(x)
        return super().forward(x)

    @torch.no_grad()
    def _estimate(self, x: Tensor) -> None:
        step = int(self.steps)
        self.steps += 1
        if step >= _STEPS:
            return
        by_channel = x.float().transpose(0, 1).flatten(1)
        self.mean.lerp_(by_channel.mean(dim=1), _MOMENTUM)
        self.variance.lerp_(by_channel.var(dim=1), _MOMENTUM)
        if step % _STEPS_EACH == 0:
            taken = self.variance.clamp_min(_LEAST_VARIANCE)
            found = nearest_to_relu(self.mean.double(), taken.double(), degree=2)
            found /= torch.tensor(_DIVISORS, dtype=found.dtype, device=found.device)[:, None]
            found[2].clamp_(max=_LARGEST_SQUARE)
            self.coefficients.copy_(found.reshape(self.coefficients.shape))


def estimate_quadratics(module: nn.Module, square_factor: float) -> None:
    """Gives the layers of `module` with indicators quadratics that estimate themselves, in place.

    >>> module = nn.Sequential(IndicatedPolynomial((2, 4, 4), 0.003))
    >>> estimate_quadratics(module, 0.1)
    >>> type(module[0].polynomial).__name__
    'EstimatedQuadratic'
    """
    for part in module.modules():
        if isinstance(part, IndicatedPolynomial):
            shape = (part.polynomial.coefficients.shape[1], *part.values.shape[2:])
            part.polynomial = EstimatedQuadratic(shape, square_factor)


def plain_state(module: nn.Module) -> dict[str, Tensor]:
    """Returns the state of `module` under the names of the network whose masks and quadratics are fixed.

    >>> module = nn.Sequential(IndicatedPolynomial((2, 4, 4), 0.003))
    >>> estimate_quadratics(module, 0.1)
    >>> list(plain_state(module))
    ['0.mask', '0.polynomial.coefficients', '0.polynomial.relu']
    """
    state = dict(module.state_dict())
    for path, part in module.named_modules():
        left_out: tuple[str, ...] = ()
        if isinstance(part, IndicatedPolynomial):
            left_out = ("values",)
        elif isinstance(part, EstimatedQuadratic):
            left_out = ("factors", "mean", "variance", "steps")
            state[f"{path}.coefficients"] = part.current_coefficients().detach()
        for name in left_out:
            del state[f"{path}.{name}"]
    return state
