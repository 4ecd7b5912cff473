"""Input to fixed point and back; refusals."""

import numpy as np
import pytest

from pi_bench.errors import InputError
from pi_bench.network.program import InputOp, LinearOp, OutputOp, Program
from pi_bench.network.program.fixed_point import decode_output, encode_input

PROGRAM = Program(
    "p",
    (
        InputOp(0, "x", (1, 2, 2, 2), 7, 4.0),
        LinearOp(1, "l", (1, 3), 20, (), None, 0),
        OutputOp(2, "out", (1, 3), 1, 20),
    ),
    10,
    (),
)


def test_values_are_rounded_to_the_scale() -> None:
    x = np.array([0, 1, -1, 0.5, -4, 3.999, 1 / 256, 3 / 256], np.float32).reshape(1, 2, 2, 2)
    encoded = encode_input(PROGRAM, x)
    assert encoded.dtype == np.uint32 and encoded.shape == (1, 2, 2, 2)
    assert encoded.view(np.int32).reshape(-1).tolist() == [0, 128, -128, 64, -512, 512, 0, 2]
    np.testing.assert_array_equal(encode_input(PROGRAM, x[0]), encoded)
    np.testing.assert_array_equal(
        encode_input(PROGRAM, np.ones((2, 2, 2), np.uint8)), np.full((1, 2, 2, 2), 128)
    )


def test_channels_have_factors_of_their_own() -> None:
    op = InputOp(0, "x", (1, 2, 2, 2), 7, 4.0, np.uint8([0, 3]))
    scaled = Program("p", (op, *PROGRAM.ops[1:]), 10, ())
    x = np.full((1, 2, 2, 2), -0.5, np.float32)
    assert encode_input(scaled, x).view(np.int32).reshape(2, 4).tolist() == [[-64] * 4, [-512] * 4]
    with pytest.raises(InputError, match="calibrated for at most 4"):
        encode_input(scaled, 10 * x)


def test_outputs_are_signed_and_scaled() -> None:
    values = np.array([[1 << 20, (1 << 32) - (1 << 19), 0]], np.uint32)
    assert decode_output(PROGRAM, values).tolist() == [[1.0, -0.5, 0.0]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2, 3), np.float32), r"shape \(2, 2, 3\)"),
        (np.zeros((2, 2, 2, 2), np.float32), "shape"),
        (np.zeros((1, 2, 2, 2), np.complex64), "complex64"),
        (np.zeros((1, 2, 2, 2), np.bool_), "bool"),
        (np.full((1, 2, 2, 2), None, object), "object"),
        (np.full((1, 2, 2, 2), "a"), "<U1"),
        ([[1.0]], "list"),
        (np.full((1, 2, 2, 2), np.nan), "NaN"),
        (np.full((1, 2, 2, 2), -np.inf), "NaN or infinity"),
        (np.full((1, 2, 2, 2), -4.01), "calibrated for at most 4"),
    ],
)
def test_unusable_inputs_are_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        encode_input(PROGRAM, array)
