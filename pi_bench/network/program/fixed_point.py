"""Between floats and fixed point in Z_2^32: the client's first and last step."""

from __future__ import annotations

import numpy as np

from pi_bench.errors import InputError
from pi_bench.network.program import Program


def encode_input(program: Program, array: np.ndarray) -> np.ndarray:
    """The quantized input, uint32 of the input's shape: round(x * 2**scale_bits) mod 2^32.

    `array`: real numbers of the input's shape (batch first; the batch axis may be left out if the
    batch is 1).

    Raises:
        InputError: a wrong dtype or shape, NaN or infinity, a value outside the calibrated range.
    """
    op = program.input
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise InputError(f"the input has dtype {kind}; an array of real numbers (float32) is needed")
    if array.shape not in (op.shape, op.shape[1:] if op.shape[0] == 1 else op.shape):
        one = f" or {op.shape[1:]}" if op.shape[0] == 1 else ""
        raise InputError(f"the input has shape {array.shape}; this network takes {op.shape}{one}")
    values = array.astype(np.float64).reshape(op.shape)
    if not np.isfinite(values).all():
        raise InputError("the input has NaN or infinity")
    largest = float(np.abs(values).max())
    if largest > op.bound:
        raise InputError(
            f"the input has a value of size {largest:.4g}; the network was calibrated for at most "
            f"{op.bound:.4g}: normalize the input as in training, or calibrate with such inputs"
        )
    return np.rint(np.ldexp(values, op.scale_bits)).astype(np.int64).astype(np.uint32)


def decode_output(program: Program, values: np.ndarray) -> np.ndarray:
    """The revealed output (uint32) as float64 of its shape."""
    return np.ldexp(values.view(np.int32).astype(np.float64), -program.output.scale_bits)
