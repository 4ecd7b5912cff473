"""INSECURE: activations in the clear, prepared for the online phase."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pi_bench.arithmetic.activation_law import ActivationLaw, WindowLaw
from pi_bench.arithmetic.law import RING_BITS
from pi_bench.network.execution.reference import activation_reference
from pi_bench.network.program import ActivationKind, ActivationOp

Activate = Callable[[np.ndarray], np.ndarray]


def prepare_activation(op: ActivationOp, law: ActivationLaw) -> Activate:
    """Returns the function that applies a law where the client's share is zero.

    It returns uint32 of its operand's shape.

    >>> from pi_bench.network.program import ActivationGroup
    >>> groups = (ActivationGroup(ActivationKind.RELU, 2, None),)
    >>> op = ActivationOp(2, "relu", (1, 2), 8, 1, groups, truncate_bits=4, window_bits=24, headroom_bits=1)
    >>> prepare_activation(op, WindowLaw("exact"))(np.array([[64, -64]], np.int32).view(np.uint32))
    array([[4, 0]], dtype=uint32)
    """
    if isinstance(law, WindowLaw):
        return _Windowed(op, law)
    return lambda x: activation_reference(op, x, np.zeros_like(x), law)


class _Windowed:
    """Applies the law of every window mode.

    With a zero share nothing carries. So the sign of a ReLU is bit `window_bits`, whatever is dropped below.
    """

    def __init__(self, op: ActivationOp, law: WindowLaw) -> None:
        self._offset = np.int32(law.offset(op.truncate_bits))
        self._shift = op.truncate_bits
        self._above = RING_BITS - 1 - op.window_bits
        self._groups = [(group.index, group.kind is ActivationKind.RELU) for group in op.groups]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        y = x.view(np.int32) + self._offset
        for index, is_relu in self._groups:
            if index is None:
                self._apply(y, is_relu)
            else:
                flat = y.reshape(-1)
                part = flat[index]
                self._apply(part, is_relu)
                flat[index] = part
        return y.view(np.uint32)

    def _apply(self, y: np.ndarray, is_relu: bool) -> None:
        if is_relu:
            y <<= self._above
            y >>= self._above + self._shift
            np.maximum(y, 0, out=y)
        else:
            y >>= self._shift
