"""Linear operators on shares, exact mod 2^32, as the server applies them online."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from pi_bench.arithmetic.convolution import RingConvolution
from pi_bench.costs import CostUnits
from pi_bench.primitives.buffers import filled
from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork, Primitive, TimedCase
from pi_bench.shape import Shape

_OUTPUTS = 32  # output channels that the kernel of a convolution computes together

UNITS = ("ring multiply-add", "ring plane multiply-add", "ring weight", "ring input", "ring output")
"""A multiply-accumulate (in a depthwise convolution a slower one), and a word of weights, input and
output."""

_LAYERS: dict[str, tuple[Shape, Shape, int]] = {
    "conv3x3 64, 32x32": ((1, 64, 32, 32), (1, 64, 32, 32), 3),
    "conv3x3 128, 16x16": ((1, 128, 16, 16), (1, 128, 16, 16), 3),
    "conv3x3 256, 8x8": ((1, 256, 8, 8), (1, 256, 8, 8), 3),
    "conv3x3 512, 4x4": ((1, 512, 4, 4), (1, 512, 4, 4), 3),
    "fully connected 512, 100": ((1, 512, 1, 1), (1, 100, 1, 1), 1),
}
"""Input shape, output shape and kernel side. Each has stride 1 and is padded to the same size."""

_TIMED_LAYERS: dict[str, tuple[Shape, Shape, int, int]] = {
    "conv3x3 3 to 64, 32x32": ((1, 3, 32, 32), (1, 64, 32, 32), 3, 1),
    "conv3x3 16, 32x32": ((1, 16, 32, 32), (1, 16, 32, 32), 3, 1),
    "conv3x3 64, 32x32": ((1, 64, 32, 32), (1, 64, 32, 32), 3, 1),
    "conv3x3 128, 16x16": ((1, 128, 16, 16), (1, 128, 16, 16), 3, 1),
    "conv3x3 256, 8x8": ((1, 256, 8, 8), (1, 256, 8, 8), 3, 1),
    "conv3x3 512, 4x4": ((1, 512, 4, 4), (1, 512, 4, 4), 3, 1),
    "conv3x3 256 to 512, 4x4 to 2x2": ((1, 256, 4, 4), (1, 512, 2, 2), 3, 1),
    "conv1x1 64 to 128, 16x16": ((1, 64, 16, 16), (1, 128, 16, 16), 1, 1),
    "depthwise 3x3 128, 16x16": ((1, 128, 16, 16), (1, 128, 16, 16), 3, 128),
    "fully connected 512, 512": ((1, 512, 1, 1), (1, 512, 1, 1), 1, 1),
}
"""As `_LAYERS`, with the number of groups."""


def ring_work(
    in_shape: Shape, out_shape: Shape, kernel: tuple[int, int] = (1, 1), groups: int = 1
) -> CostUnits:
    """Counts weights applied to a share in the ring. Shapes are (batch, channels, ...).

    >>> ring_work((1, 64, 8, 8), (1, 64, 8, 8), (3, 3)).units["ring multiply-add"] == 64 * 64 * 9 * 8 * 8
    True
    """
    batch, taps, pixels = out_shape[0], math.prod(kernel), math.prod(out_shape[2:])
    inputs, outputs = in_shape[1] // groups, out_shape[1] // groups
    if groups > 1 and outputs < 8:  # plane by plane, as native/linear does
        return CostUnits({"ring plane multiply-add": float(batch * out_shape[1] * inputs * taps * pixels)})
    lanes, pairs = -(-outputs // _OUTPUTS) * _OUTPUTS, 2 * (-(-inputs // 2))
    return CostUnits(
        {
            "ring multiply-add": float(batch * groups * taps * pairs * lanes * pixels),
            "ring weight": float(groups * taps * pairs * lanes),
            "ring input": float(math.prod(in_shape)),
            "ring output": float(math.prod(out_shape)),
        }
    )


def cases(settings: CaseSettings) -> Iterator[Case]:
    """Yields micro cases that apply the layers of a ResNet to shares.

    >>> [case.name for case in cases(CaseSettings(threads=(1,)))][-1]
    'fully connected 512, 100'
    """
    for name, (in_shape, out_shape, side) in _LAYERS.items():
        yield from layer_cases(name, in_shape, out_shape, side, settings)


def layer_cases(
    name: str,
    in_shape: Shape,
    out_shape: Shape,
    side: int,
    settings: CaseSettings,
    groups: int = 1,
) -> Iterator[Case]:
    """Applies one operator that is padded to the same size, or to half of it if the output shape says so.

    Args:
        side: the side of the kernel.

    >>> shape = (1, 8, 4, 4)
    >>> [case.unit_count for case in layer_cases("small", shape, shape, 3, CaseSettings(threads=(1,)))]
    [9216]
    """
    stride = max(1, round(in_shape[2] / out_shape[2]))
    pad = side // 2
    convolution = RingConvolution(
        in_shape, out_shape, (side, side), (stride, stride), (pad, pad), groups=groups
    )
    weight_shape = (out_shape[1], in_shape[1] // groups, side, side)
    weight_count, output_count = int(np.prod(weight_shape)), int(np.prod(out_shape))
    packed = convolution.pack(filled(2 * weight_count).view(np.int16).reshape(weight_shape))
    share = filled(4 * int(np.prod(in_shape))).view(np.uint32).reshape(in_shape)
    out = np.zeros(out_shape, np.uint32)
    workspace, shifts = np.zeros(convolution.workspace_words, np.uint32), np.zeros(out_shape[1], np.uint8)
    for threads in settings.threads:
        yield Case(
            name,
            "multiply-add",
            output_count * weight_count // out_shape[1],
            threads,
            MinimalWork(ring_multiply_adds=1),
            partial(convolution.add, packed, share, 1, shifts, workspace, out, threads),
        )


def timed_cases(settings: CaseSettings) -> Iterator[TimedCase]:
    """Yields the cases that the costs of layers are fitted to; they have many shapes.

    >>> next(timed_cases(CaseSettings(threads=(1,)))).case.name
    'conv3x3 3 to 64, 32x32'
    """
    for name, (in_shape, out_shape, side, groups) in _TIMED_LAYERS.items():
        work = ring_work(in_shape, out_shape, (side, side), groups)
        for case in layer_cases(name, in_shape, out_shape, side, settings, groups):
            yield TimedCase(work, case)


LEAST = {
    "ring multiply-add": MinimalWork(ring_multiply_adds=1),
    "ring plane multiply-add": MinimalWork(ring_multiply_adds=1),
}

RING = Primitive("linear layers", UNITS, {"linear": cases}, timed_cases, LEAST)
