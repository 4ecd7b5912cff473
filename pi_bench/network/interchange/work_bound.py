"""Bounds the time of a file's network: counts its products on shapes alone, before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from pi_bench.errors import ModelError

MAX_MAC_COUNT = 1 << 40
"""Multiply-accumulates, or comparisons of pools, per input: a hundred times those of the largest networks."""


def require_little_work(call: Callable[[], Any], batch: int) -> None:
    """Calls a function of tensors on the device "meta", which computes shapes alone, and counts its products.

    Raises:
        ModelError: they are more than `MAX_MAC_COUNT` per input.

    >>> x, weight = (torch.zeros(1 << 12, 1 << 16, device="meta") for _ in range(2))
    >>> require_little_work(lambda: torch.nn.functional.linear(x, weight), batch=1 << 12)
    >>> require_little_work(lambda: torch.nn.functional.linear(x, weight), batch=1)
    Traceback (most recent call last):
    pi_bench.errors.ModelError: the file's network needs 1.1e+12 multiply-accumulates per input; at most ...
    """
    pools = (torch.ops.aten.max_pool2d_with_indices, torch.ops.aten.avg_pool2d)
    with FlopCounterMode(display=False, custom_mapping=dict.fromkeys(pools, _flops_of_pool)) as counter:
        call()
    mac_count = counter.get_total_flops() // (2 * batch)
    if mac_count >= MAX_MAC_COUNT:
        raise ModelError(
            f"the file's network needs {mac_count:.2g} multiply-accumulates per input; at most "
            f"{MAX_MAC_COUNT:.2g} are possible: give a smaller network or smaller inputs"
        )


def _flops_of_pool(x: Any, kernel: Sequence[int], *_: Any, out_shape: Any, **__: Any) -> int:
    shape = out_shape[0] if isinstance(out_shape[0], Sequence) else out_shape  # values and their positions
    return 2 * math.prod(shape) * kernel[0] * kernel[-1]
