"""The operators of a program on values in the clear: for `null`, `ideal` and verification.

`pi_bench.network.reference` is the oracle and shares no code with this module.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pi_bench.arithmetic.law import relu_law, truncate_law
from pi_bench.network.program import ActivationKind, ActivationOp, LinearOp, Weights
from pi_bench.network.shares import apply_local, apply_weighted, finish_term


def linear_value(op: LinearOp, weights: Weights, values: Mapping[int, np.ndarray]) -> np.ndarray:
    """The sum of the terms and the bias, mod 2^32: uint32 of the operator's shape."""
    bias = np.zeros(op.shape[1], np.uint32) if op.bias is None else weights[op.bias]
    total = np.broadcast_to(bias.reshape(1, -1, *([1] * (len(op.shape) - 2))), op.shape).astype(np.uint32)
    for term in op.terms:
        value = apply_local(term.local, values[term.source])
        if term.weighted is not None:
            value = apply_weighted(term.weighted, weights[term.weighted.weight], value)
        total += finish_term(term, value)
    return total


def activation_value(op: ActivationOp, x: np.ndarray, v: np.ndarray, mode: str) -> np.ndarray:
    """The law of every element, given the linear value and the client's share of it.

    `x`, `v`: uint32 of the operator's shape. In exact mode the result does not depend on `v`.
    """
    result = np.empty(op.shape, np.uint32)
    flat = result.reshape(-1)
    f, top = op.truncate_bits, op.window_bits
    for group in op.groups:
        chosen = slice(None) if group.index is None else group.index
        x_part, v_part = x.reshape(-1)[chosen], v.reshape(-1)[chosen]
        if group.kind is ActivationKind.RELU:
            flat[chosen] = relu_law(x_part, v_part, f, top, mode)
        else:
            flat[chosen] = truncate_law(x_part, v_part, f, mode)
    return result
