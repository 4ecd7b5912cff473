"""Linear operators on shares, exact mod 2^32, as both parties' online phase applies them.

One thread: the threads of a matrix product are chosen when its library loads.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from pi_bench.measure.micro.case import Case, Settings, Work, filled
from pi_bench.network.program import Convolution, FullyConnected, Weighted
from pi_bench.network.shares import apply_weighted, prepare_weights

_WEIGHT_BITS = 10
_PAD = (1, 1, 1, 1)

LAYERS: dict[str, Weighted] = {
    "conv3x3 64, 32x32": Convolution("w", (1, 64, 32, 32), (1, 64, 32, 32), (3, 3), (1, 1), _PAD),
    "conv3x3 128, 16x16": Convolution("w", (1, 128, 16, 16), (1, 128, 16, 16), (3, 3), (1, 1), _PAD),
    "conv3x3 256, 8x8": Convolution("w", (1, 256, 8, 8), (1, 256, 8, 8), (3, 3), (1, 1), _PAD),
    "conv3x3 512, 4x4": Convolution("w", (1, 512, 4, 4), (1, 512, 4, 4), (3, 3), (1, 1), _PAD),
    "fully connected 512, 100": FullyConnected("w", (1, 512), (1, 100)),
}


def cases(settings: Settings) -> Iterator[Case]:
    for name, layer in LAYERS.items():
        outputs = int(np.prod(layer.out_shape))
        weight_shape: tuple[int, ...] = (layer.out_shape[1], layer.in_shape[1])
        if isinstance(layer, Convolution):
            weight_shape += layer.kernel
        size = int(np.prod(weight_shape))
        weights = (filled(2 * size).view(np.uint16) % 1023).astype(np.int16) - np.int16(511)
        prepared = prepare_weights(layer, weights.reshape(weight_shape), _WEIGHT_BITS)
        share = filled(4 * int(np.prod(layer.in_shape))).view(np.uint32).reshape(layer.in_shape)
        macs = outputs * size // layer.out_shape[1]
        yield Case(
            name,
            "multiply-add",
            macs,
            1,
            Work(multiply_adds=1, memory_bytes=(4 * share.size + 4 * outputs + size) / macs),
            partial(apply_weighted, layer, prepared, share),
        )
