from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pi_bench._native.schedule import Task

_Words: TypeAlias = NDArray[np.uint32]

def activate(
    x: _Words,
    *,
    index: NDArray[np.int64] | None,
    offset: int,
    above: int,
    shift: int,
    is_relu: bool,
    out: _Words,
) -> Task: ...
def fill_channels(values: _Words, *, samples: int, out: _Words) -> Task: ...
