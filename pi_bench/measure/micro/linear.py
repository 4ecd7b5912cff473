"""Linear operators on shares, exact mod 2^32, as the server's online phase applies them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from pi_bench.arithmetic.convolution import RingConvolution
from pi_bench.measure.micro.case import Case, MinimalWork, Settings, filled

LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {
    "conv3x3 64, 32x32": ((1, 64, 32, 32), (1, 64, 32, 32), 3),
    "conv3x3 128, 16x16": ((1, 128, 16, 16), (1, 128, 16, 16), 3),
    "conv3x3 256, 8x8": ((1, 256, 8, 8), (1, 256, 8, 8), 3),
    "conv3x3 512, 4x4": ((1, 512, 4, 4), (1, 512, 4, 4), 3),
    "fully connected 512, 100": ((1, 512, 1, 1), (1, 100, 1, 1), 1),
}
"""Input and output shape, and the side of the kernel; stride 1, padded to the same size."""


def cases(settings: Settings) -> Iterator[Case]:
    for name, (in_shape, out_shape, side) in LAYERS.items():
        yield from layer_cases(name, in_shape, out_shape, side, settings)


def layer_cases(
    name: str,
    in_shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    side: int,
    settings: Settings,
    groups: int = 1,
) -> Iterator[Case]:
    """One operator padded to the same size, or to half of it where the output's shape says so."""
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
