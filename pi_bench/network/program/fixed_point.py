"""Converts floats to fixed point in Z_2^32 and back: the first and the last step of a client."""

from __future__ import annotations

import math

import numpy as np

from pi_bench.errors import InputError
from pi_bench.network.program import Program


def encode_input(program: Program, array: np.ndarray) -> np.ndarray:
    """Quantizes the input: round(x * 2**(scale_bits + channel_bits)) mod 2^32, uint32 of the input's shape.

    Args:
        array: real numbers of the input's shape (batch first; the batch axis may be left out if the batch is
            1).

    Raises:
        InputError: a wrong dtype or shape, NaN or infinity, or a value outside the calibrated range.

    >>> from pi_bench.network.program import InputOp
    >>> program = Program("tiny", (InputOp(0, "input", (1, 2), scale_bits=4, bound=2.0),), 10, ())
    >>> encode_input(program, np.float32([0.5, -0.5])).view(np.int32).tolist()
    [[8, -8]]
    """
    op = program.input
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise InputError(f"the input has dtype {kind}; an array of real numbers (float32) is needed")
    if array.shape not in (op.shape, op.shape[1:] if op.shape[0] == 1 else op.shape):
        one = f" or {op.shape[1:]}" if op.shape[0] == 1 else ""
        raise InputError(f"the input has shape {array.shape}; this network takes {op.shape}{one}")
    values = array.astype(np.float64).reshape(op.shape)
    largest = float(np.abs(values).max())
    if not math.isfinite(largest):
        raise InputError("the input has NaN or infinity")
    if largest > op.bound:
        raise InputError(
            f"the input has a value of size {largest:.4g}; the network was calibrated for at most "
            f"{op.bound:.4g}: normalize the input as in training, or calibrate with such inputs"
        )
    factor = np.array(math.ldexp(1.0, op.scale_bits))
    if op.channel_bits is not None:
        bits = op.channel_bits.astype(np.int64).reshape(-1, *(1,) * (values.ndim - 2))
        factor = np.ldexp(factor, bits)
    values *= factor  # exact, since the factors are powers of two
    np.rint(values, out=values)
    return values.astype(np.int64).astype(np.uint32)


def decode_output(program: Program, values: np.ndarray) -> np.ndarray:
    """Converts the revealed output (uint32) to float64 of the same shape.

    >>> from pi_bench.network.program import OutputOp
    >>> program = Program("tiny", (OutputOp(0, "output", (1, 2), 0, scale_bits=4),), 10, ())
    >>> decode_output(program, np.int32([[8, -8]]).view(np.uint32)).tolist()
    [[0.5, -0.5]]
    """
    return np.ldexp(values.view(np.int32).astype(np.float64), -program.output.scale_bits)
