from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from pi_bench._native.schedule import Task

_Bytes: TypeAlias = Buffer | NDArray[np.uint8]
_Words: TypeAlias = NDArray[np.uint32]

class Convolution:
    def __init__(
        self,
        *,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> None: ...
    @property
    def packed_weight_count(self) -> int: ...
    @property
    def workspace_words(self) -> int: ...

def pack(convolution: Convolution, weights: NDArray[np.int16], out: NDArray[np.int16]) -> None: ...
def convolve_add(
    convolution: Convolution,
    *,
    packed: NDArray[np.int16],
    share: _Words,
    multiplier: int,
    shift_bits: _Bytes,
    workspace: _Words,
    out: _Words,
    threads: int,
    kernel: str,
) -> None: ...
def convolve_add_task(
    convolution: Convolution,
    *,
    packed: NDArray[np.int16],
    share: _Words,
    multiplier: int,
    shift_bits: _Bytes,
    workspace: _Words,
    out: _Words,
    threads: int,
    kernel: str,
) -> Task: ...
def scale_add(x: _Words, *, samples: int, multiplier: int, shift_bits: _Bytes, out: _Words) -> None: ...
def scale_add_task(x: _Words, *, samples: int, multiplier: int, shift_bits: _Bytes, out: _Words) -> Task: ...
