"""INSECURE: activations in the clear, prepared for the online phase."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pi_bench.arithmetic.activation_law import ActivationLaw, WindowLaw
from pi_bench.arithmetic.convolution import Task
from pi_bench.arithmetic.law import RING_BITS
from pi_bench.arithmetic.plain import activate_task
from pi_bench.network.execution.reference import activation_reference
from pi_bench.network.program import ActivationKind, ActivationOp

Work = Task | Callable[[], object]


def activation_work(op: ActivationOp, law: ActivationLaw, x: np.ndarray, out: np.ndarray) -> list[Work]:
    """Returns the calls that apply a law to `x` where the client's share is zero.

    With a zero share nothing carries. So under the law of a window mode the sign of a ReLU is bit
    `window_bits`, whatever is dropped below.

    Args:
        x, out: uint32 of the operator's shape, C-contiguous.

    >>> from pi_bench.network.program import ActivationGroup
    >>> groups = (ActivationGroup(ActivationKind.RELU, 2, None),)
    >>> op = ActivationOp(2, "relu", (1, 2), 8, 1, groups, truncate_bits=4, window_bits=24, headroom_bits=1)
    >>> x, out = np.array([[64, -64]], np.int32).view(np.uint32), np.zeros((1, 2), np.uint32)
    >>> for work in activation_work(op, WindowLaw("exact"), x, out):
    ...     work()
    >>> out
    array([[4, 0]], dtype=uint32)
    """
    if not isinstance(law, WindowLaw):
        return [lambda: np.copyto(out, activation_reference(op, x, np.zeros_like(x), law))]
    calls: list[Work] = []
    for group in op.groups:
        is_relu = group.kind is ActivationKind.RELU
        calls.append(
            activate_task(
                x,
                out,
                offset=law.offset(op.truncate_bits),
                above=RING_BITS - 1 - op.window_bits if is_relu else 0,
                shift=op.truncate_bits,
                is_relu=is_relu,
                index=group.index,
            )
        )
    return calls
