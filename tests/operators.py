"""A torch module for each operator and each way of using it: small, with odd shapes.

Shared by the tests of lowering and of the protocols. `MODULES`: name → (module, input shape without batch).
"""

# ruff: noqa: E501 - a line a case
from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

Forward = Callable[[nn.Module, torch.Tensor], torch.Tensor]


class FromFunction(nn.Module):
    """`forward(module, x)` over named parts."""

    def __init__(self, forward: Forward, **parts: nn.Module) -> None:
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


class Scaled(nn.Module):
    """Parameters of each channel that are neither weights nor a batch normalization."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.linspace(-1, 1.5, channels).reshape(-1, 1, 1))
        self.register_buffer("mean", torch.linspace(0, 0.5, channels).reshape(1, -1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) * self.gain


def _after(operation: Forward, channels: int = 6, **parts: nn.Module) -> nn.Module:
    """A convolution, ReLU, then the operation."""
    return FromFunction(
        lambda m, x: operation(m, functional.relu(m.stem(x))),
        stem=nn.Conv2d(3, channels, 3, padding=1),
        **parts,
    )


def _raw(operation: Forward, channels: int = 6, **parts: nn.Module) -> nn.Module:
    """A convolution, then the operation, then another convolution."""
    return FromFunction(
        lambda m, x: m.last(operation(m, m.stem(x))),
        stem=nn.Conv2d(3, channels, 3, padding=1),
        last=nn.LazyConv2d(4, 1),
        **parts,
    )


def _prelu(channels: int, low: float, high: float) -> nn.PReLU:
    prelu = nn.PReLU(channels)
    nn.init.uniform_(prelu.weight, low, high)
    return prelu


class Polynomial(nn.Module):
    """Coefficients of each channel, the constant first; ReLU in every third channel if it is a mixture.

    `pixels`: the shape of a map in which about half of the elements of some channels have ReLU.
    """

    def __init__(
        self,
        channels: int,
        degree: int,
        *,
        mixture: bool = False,
        leading: float = 1.0,
        pixels: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(degree)
        self.coefficients = nn.Parameter(torch.rand(degree + 1, channels, 1, 1, generator=generator) + 0.2)
        self.coefficients.data[degree] *= leading
        self.coefficients.data[degree, ::2] *= -1
        relu = torch.arange(channels) % 3 == 0
        relu = (relu if mixture else relu & False).reshape(-1, 1, 1)
        if pixels:
            chosen = torch.rand(channels, *pixels, generator=generator) < 0.5
            relu = relu | (chosen & (torch.arange(channels) != 1).reshape(-1, 1, 1))
        self.register_buffer("relu", relu)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = sum(coefficient * x**power for power, coefficient in enumerate(self.coefficients))
        return torch.where(self.relu, functional.relu(x), y)


def _shuffle(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


def _inception(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    pooled = functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return m.out(
        torch.cat(
            [functional.relu(m.one(x)), m.three(x), m.pool(pooled), functional.max_pool2d(x, 3, 1, 1)], 1
        )
    )


def _preactivation(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = m.c1(functional.relu(m.b1(x)))
    return x + m.c2(functional.relu(m.b2(y)))


def _option_a(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    short = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
    return functional.relu(m.down(x) + short)


SHAPE = (3, 7, 6)

MODULES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    # convolution
    "depthwise": (nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, groups=3, bias=False), nn.ReLU(), nn.Conv2d(6, 2, 1)), SHAPE),
    "more groups than taps": (nn.Sequential(nn.Conv2d(3, 24, 1), nn.Conv2d(24, 48, (2, 3), stride=(1, 2), dilation=(2, 1), groups=24), nn.ReLU(), nn.Conv2d(48, 3, 1)), SHAPE),
    "groups, stride, dilation": (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(2, 3), groups=2), (4, 9, 8)),
    "same with even kernel": (nn.Conv2d(3, 2, (4, 2), padding="same"), SHAPE),
    "asymmetric padding": (FromFunction(lambda m, x: m.c(functional.pad(x, (1, 0, 2, 1))), c=nn.Conv2d(3, 2, 3)), SHAPE),
    "cropped": (FromFunction(lambda m, x: m.c(functional.pad(x, (-1, 2, 0, -1))), c=nn.Conv2d(3, 2, 3)), SHAPE),
    "replicated": (nn.Sequential(nn.ReplicationPad2d((1, 2, 2, 0)), nn.Conv2d(3, 2, 3)), SHAPE),
    "zero pad alone": (_after(lambda m, x: nn.ZeroPad2d((0, 1, 2, 0))(x)), SHAPE),
    # activations
    "relu6": (nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU6(), nn.Conv2d(5, 3, 2)), SHAPE),
    "clamp both ways": (_raw(lambda m, x: torch.clamp(x, -0.3, 0.4)), SHAPE),
    "clamp below": (_raw(lambda m, x: x.clamp(min=-0.25)), SHAPE),
    "clamp above": (_raw(lambda m, x: x.clamp(max=0.25)), SHAPE),
    "hardtanh": (nn.Sequential(nn.Conv2d(3, 4, 1), nn.Hardtanh(0, 0.5), nn.Flatten(), nn.Linear(168, 3)), SHAPE),
    "hardsigmoid": (_raw(lambda m, x: functional.hardsigmoid(3 * x)), SHAPE),
    "leaky": (_raw(lambda m, x: functional.leaky_relu(x, 0.1)), SHAPE),
    "leaky, tiny slope": (_raw(lambda m, x: functional.leaky_relu(x, 0.001)), SHAPE),
    "leaky, negative slope": (_raw(lambda m, x: functional.leaky_relu(x, -0.3)), SHAPE),
    "prelu": (_raw(lambda m, x: m.p(x), p=_prelu(6, 0, 0.5)), SHAPE),
    "prelu of one slope": (_raw(lambda m, x: m.p(x), p=nn.PReLU()), SHAPE),
    "prelu above one": (_raw(lambda m, x: m.p(x), p=_prelu(6, -0.5, 1.5)), SHAPE),
    "prelu of a sum": (_raw(lambda m, x: m.p(m.c(x) + functional.relu(x)), c=nn.Conv2d(6, 6, 3, padding=1, groups=2), p=_prelu(6, 0, 0.5)), SHAPE),
    "two activations of one value": (_raw(lambda m, x: functional.relu(x) - functional.relu6(x) + functional.leaky_relu(x, 0.2)), SHAPE),
    "square": (_raw(lambda m, x: x * x), SHAPE),
    "cube": (_raw(lambda m, x: x**3), SHAPE),
    "quadratic of channels": (_raw(lambda m, x: m.p(x), p=Polynomial(6, 2)), SHAPE),
    "cubic of channels": (_raw(lambda m, x: m.p(x), p=Polynomial(6, 3)), SHAPE),
    "mixture of ReLUs and quadratics": (_raw(lambda m, x: m.p(x), p=Polynomial(6, 2, mixture=True)), SHAPE),
    "mixture of ReLUs and cubics": (_raw(lambda m, x: m.p(x), p=Polynomial(6, 3, mixture=True)), SHAPE),
    "mixture of all degrees": (_raw(lambda m, x: torch.cat([m.p(x[:, :3]), m.q(x[:, 3:]), x[:, 1:2]], 1), p=Polynomial(3, 2), q=Polynomial(3, 3, mixture=True)), SHAPE),
    "almost linear mixture": (_raw(lambda m, x: m.p(x), p=Polynomial(6, 3, mixture=True, leading=1e-3)), SHAPE),
    "ReLU pixels among quadratics": (_raw(lambda m, x: m.p(x), p=Polynomial(6, 2, mixture=True, pixels=SHAPE[1:])), SHAPE),
    "ReLU pixels among cubics": (_raw(lambda m, x: m.p(x), p=Polynomial(6, 3, pixels=SHAPE[1:])), SHAPE),
    "ReLU pixels among almost linear cubics": (_raw(lambda m, x: m.p(x), p=Polynomial(6, 3, leading=1e-3, pixels=SHAPE[1:])), SHAPE),
    "ReLU pixels of groups": (_raw(lambda m, x: m.p(m.c(x)), p=Polynomial(6, 2, pixels=SHAPE[1:]), c=nn.Conv2d(6, 6, 3, padding=1, groups=3)), SHAPE),
    "ReLU pixels of a sum": (_after(lambda m, x: m.p(m.c(x) + x) + x, c=nn.Conv2d(6, 6, 3, padding=1), p=Polynomial(6, 2, pixels=SHAPE[1:])), SHAPE),
    "ReLU pixels of joined values": (_after(lambda m, x: m.p(torch.cat([m.c(x), x / 3], 1)), c=nn.Conv2d(6, 2, 3, padding=1), p=Polynomial(8, 2, pixels=SHAPE[1:])), SHAPE),
    "ReLU pixels among squares": (_raw(lambda m, x: torch.where(m.p.relu, functional.relu(x), x * x + 0.25), p=Polynomial(6, 2, pixels=SHAPE[1:])), SHAPE),
    "quadratic of a ReLU": (_after(lambda m, x: m.p(x), p=Polynomial(6, 2)), SHAPE),
    "quadratic of a sum": (_after(lambda m, x: m.p(m.c(x) + x) + x, c=nn.Conv2d(6, 6, 3, padding=1), p=Polynomial(6, 2)), SHAPE),
    "square of the input": (nn.Sequential(FromFunction(lambda m, x: torch.square(x)), nn.Conv2d(3, 2, 3)), SHAPE),
    "quadratic features": (FromFunction(lambda m, x: m.out(0.2 * m.fc(x.flatten(1)) ** 2 + 0.5 * m.fc(x.flatten(1))), fc=nn.Linear(126, 9), out=nn.Linear(9, 4)), SHAPE),
    # pools
    "max pool": (_after(lambda m, x: functional.max_pool2d(x, 2)), SHAPE),
    "max pool of values read elsewhere": (_after(lambda m, x: torch.cat([functional.max_pool2d(x, 2), x[:, :, 1:4, :3]], 1)), SHAPE),
    "max pool of a dropped-out ReLU": (nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Dropout(0.5), nn.MaxPool2d(3, 1, 1), nn.Conv2d(4, 2, 1)), SHAPE),
    "max pool of raw values": (_raw(lambda m, x: functional.max_pool2d(x, 3, 2, 1)), SHAPE),
    "max pool, stride 1": (_after(lambda m, x: functional.max_pool2d(x, 5, 1, 2)), SHAPE),
    "max pool, wide stride": (_after(lambda m, x: functional.max_pool2d(x, (4, 5), (3, 2), (2, 1))), SHAPE),
    "max pool, ceil": (_raw(lambda m, x: functional.max_pool2d(x, 3, 2, ceil_mode=True)), (3, 8, 6)),
    "max pool of the input": (nn.Sequential(nn.MaxPool2d((2, 1)), nn.Conv2d(3, 2, 2)), SHAPE),
    "max over all": (_after(lambda m, x: x.amax((2, 3))), SHAPE),
    "adaptive max": (_after(lambda m, x: functional.adaptive_max_pool2d(x, (7, 2))), SHAPE),
    "average": (_after(lambda m, x: functional.avg_pool2d(x, 3, 2, 1)), SHAPE),
    "average without padding": (_after(lambda m, x: functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)), SHAPE),
    "average, ceil": (_after(lambda m, x: functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True)), (3, 8, 7)),
    "average, divisor": (_raw(lambda m, x: functional.avg_pool2d(x, 3, 2, 1, divisor_override=5)), SHAPE),
    "average of many sizes": (_after(lambda m, x: functional.avg_pool2d(x, 7, 1, 3, count_include_pad=False)), SHAPE),
    "adaptive": (_after(lambda m, x: functional.adaptive_avg_pool2d(x, (3, 4))), SHAPE),
    "adaptive to more": (_raw(lambda m, x: functional.adaptive_avg_pool2d(x, (9, 2))), SHAPE),
    "global": (_after(lambda m, x: m.fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1)), fc=nn.Linear(6, 3)), SHAPE),
    "mean of rows": (_after(lambda m, x: x.mean(2)), SHAPE),
    "sum": (_raw(lambda m, x: x.sum((2, 3), keepdim=True)), SHAPE),
    "max pool, dilated": (_after(lambda m, x: functional.max_pool2d(x, 2, 1, 1, dilation=(2, 1))), SHAPE),
    # one dimension
    "line": (nn.Sequential(nn.Conv1d(3, 5, 3, padding=1, stride=2), nn.BatchNorm1d(5), nn.ReLU(), nn.MaxPool1d(3, 2), nn.Flatten(), nn.Linear(20, 3)), (3, 19)),
    # batch normalization, scale and shift
    "normalized input": (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.ReLU()), SHAPE),
    "normalized activation": (_after(lambda m, x: m.b(x), b=nn.BatchNorm2d(6)), SHAPE),
    "normalized features": (nn.Sequential(nn.Flatten(), nn.Linear(126, 9), nn.ReLU(), nn.BatchNorm1d(9), nn.Linear(9, 4)), SHAPE),
    "preactivation": (FromFunction(lambda m, x: _preactivation(m, m.stem(x)), stem=nn.Conv2d(3, 4, 1), b1=nn.BatchNorm2d(4), c1=nn.Conv2d(4, 4, 3, padding=1), b2=nn.BatchNorm2d(4), c2=nn.Conv2d(4, 4, 3, padding=1)), SHAPE),
    "normalized before and read": (_raw(lambda m, x: m.b(x) + functional.relu(x), b=nn.BatchNorm2d(6)), SHAPE),
    "constants": (_after(lambda m, x: (2 * x - 0.5) / 3 + 1 - x), SHAPE),
    "constants of channels": (nn.Sequential(Scaled(3), nn.Conv2d(3, 5, 3), Scaled(5), nn.ReLU(), Scaled(5)), SHAPE),
    # sums, concatenation, movement
    "sum of activations into weights": (_after(lambda m, x: m.c(x + functional.relu(m.d(x))), c=nn.Conv2d(6, 3, 3), d=nn.Conv2d(6, 6, 1)), SHAPE),
    "concatenation": (_after(lambda m, x: m.c(torch.cat([x, m.d(x), x[:, 1:4]], 1)), c=nn.Conv2d(14, 3, 3), d=nn.Conv2d(6, 5, 1)), SHAPE),
    "concatenated features": (_after(lambda m, x: torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)), SHAPE),
    "inception": (_after(_inception, one=nn.Conv2d(6, 2, 1), three=nn.Conv2d(6, 3, 3, padding=1), pool=nn.Conv2d(6, 2, 1), out=nn.Conv2d(13, 4, 1)), SHAPE),
    "stacked rows": (_after(lambda m, x: torch.cat([x, x[:, :, 1:3]], 2)), SHAPE),
    "shuffle": (_raw(_shuffle), SHAPE),
    "channel shuffle": (_after(lambda m, x: m.c(m.s(x)), c=nn.Conv2d(6, 6, 1, groups=3), s=nn.ChannelShuffle(3)), SHAPE),
    "split": (_after(lambda m, x: torch.cat([m.c(x.chunk(2, 1)[0]), torch.split(x, [1, 3, 2], 1)[1]], 1), c=nn.Conv2d(3, 2, 1)), SHAPE),
    "option A": (FromFunction(lambda m, x: m.fc(_option_a(m, functional.relu(m.stem(x))).mean((2, 3))), stem=nn.Conv2d(3, 4, 1), down=nn.Conv2d(4, 8, 3, 2, 1), fc=nn.Linear(8, 3)), SHAPE),
    "channels last": (_after(lambda m, x: m.fc(x.permute(0, 2, 3, 1).flatten(1)), fc=nn.Linear(252, 3)), SHAPE),
    "pixels to channels": (_after(lambda m, x: functional.pixel_unshuffle(x, 2)), (3, 8, 6)),
    "features to map": (nn.Sequential(nn.Flatten(), nn.Linear(126, 36), nn.ReLU(), nn.Unflatten(1, (4, 3, 3)), nn.Conv2d(4, 2, 2)), SHAPE),
    "one pixel": (_after(lambda m, x: x[:, :, 3, 2]), SHAPE),
    "squeezed": (_after(lambda m, x: x.unsqueeze(2).squeeze(2) + x), SHAPE),
}  # fmt: skip


def prepared(name: str) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """The module in evaluation with fixed random weights and statistics, 40 inputs, and its answers."""
    module, shape = MODULES[name]
    with torch.no_grad(), torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # padding="same" with an even kernel copies its input
        torch.manual_seed(zlib.crc32(name.encode()))
        x = torch.randn(40, *shape).clamp(-2.5, 2.5)
        module.eval()(x)  # makes the lazy parts
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                part.reset_parameters()
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                nn.init.uniform_(part.running_mean, -0.5, 0.5)
                nn.init.uniform_(part.running_var, 0.5, 2)
                nn.init.uniform_(part.weight, -1, 1)
                nn.init.uniform_(part.bias, -0.5, 0.5)
        return module, x, module(x)
