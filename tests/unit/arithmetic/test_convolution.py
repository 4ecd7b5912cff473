"""The convolution kernel of every instruction set against sums of Python integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.arithmetic.convolution import RingConvolution, scale_add


def supported_kernels() -> list[str]:
    shape = RingConvolution((1, 1, 1, 1), (1, 1, 1, 1), (1, 1), (1, 1), (0, 0))
    names = []
    for name in ("portable", "avx2", "vnni512"):
        word = np.zeros((1, 1, 1, 1), np.uint32)
        packed = shape.pack(np.zeros((1, 1, 1, 1), np.int16))
        try:
            shape.add(packed, word, 1, np.zeros(1, np.uint8), np.zeros(2, np.uint32), word, kernel=name)
        except RuntimeError:
            continue
        names.append(name)
    return names


KERNELS = ["", *supported_kernels()]


def expected(
    weights: np.ndarray,
    share: np.ndarray,
    out_shape: tuple[int, ...],
    stride: tuple[int, int],
    pad: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> np.ndarray:
    """In int64, which wraps mod 2^64 and so is exact mod 2^32."""
    batch, outputs, rows, columns = out_shape
    (kh, kw), (down, across) = weights.shape[2:], dilation
    top, left = pad
    height, width = (rows - 1) * stride[0] + kh * down, (columns - 1) * stride[1] + kw * across
    padded = np.zeros(
        (*share.shape[:2], top + share.shape[2] + height, left + share.shape[3] + width), np.int64
    )
    padded[:, :, top : top + share.shape[2], left : left + share.shape[3]] = share
    out = np.zeros(out_shape, np.int64)
    for i in range(rows):
        for j in range(columns):
            at = padded[:, :, i * stride[0] :, j * stride[1] :]
            window = at[:, :, : kh * down : down, : kw * across : across].reshape(batch, groups, -1, kh, kw)
            grouped = weights.astype(np.int64).reshape(groups, -1, *weights.shape[1:])
            out[:, :, i, j] = np.einsum("ngcij,gocij->ngo", window, grouped).reshape(batch, outputs)
    return out.astype(np.uint32)


@settings(max_examples=40, deadline=None)
@given(st.data())
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_shape_and_kernel(kernel: str, data: st.DataObject) -> None:
    def size(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    batch, groups = size(1, 2), size(1, 3)
    channels, outputs = groups * size(1, 5), groups * data.draw(st.sampled_from([1, 7, 16, 33, 64]))
    dilation = (size(1, 3), size(1, 3))
    kernel_size, stride = (size(1, 4), size(1, 4)), (size(1, 3), size(1, 3))
    in_size, pad = (size(1, 7), size(1, 7)), (size(0, 2), size(0, 2))
    out_size = (size(1, 5), size(1, 5))
    rng = np.random.default_rng(size(0, 2**32))
    extremes = np.array([-32768, -32767, -1, 0, 1, 32767], np.int16)
    weights = rng.choice(extremes, (outputs, channels // groups, *kernel_size))
    words = np.array(
        [0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF8000, 0x80000000, 0x80008000, 0xFFFFFFFF], np.uint32
    )
    share = rng.choice(words, (batch, channels, *in_size)) ^ rng.integers(0, 2, 1, dtype=np.uint32)
    shift = rng.integers(0, 32, outputs).astype(np.uint8)
    multiplier = int(rng.integers(-5, 6))
    out_shape = (batch, outputs, *out_size)
    before = rng.integers(0, 2**32, out_shape, dtype=np.uint32)

    convolution = RingConvolution(share.shape, out_shape, kernel_size, stride, pad, dilation, groups)
    workspace = rng.integers(0, 2**32, convolution.workspace_words, dtype=np.uint32)  # as a use leaves it
    out = before.copy()
    convolution.add(convolution.pack(weights), share, multiplier, shift, workspace, out, 2, kernel=kernel)

    product = expected(weights, share, out_shape, stride, pad, dilation, groups)
    product *= np.uint32(multiplier & 0xFFFFFFFF)
    np.testing.assert_array_equal(out, before + (product << shift.astype(np.uint32)[:, None, None]))


@pytest.mark.parametrize("kernel", KERNELS)
def test_long_sums_of_the_largest_products_wrap_as_the_ring_does(kernel: str) -> None:
    fan_in = 70001
    convolution = RingConvolution((1, fan_in, 1, 1), (1, 2, 1, 1), (1, 1), (1, 1), (0, 0))
    weights = np.full((2, fan_in, 1, 1), -32768, np.int16)
    weights[1] = 32767
    share = np.full((1, fan_in, 1, 1), 0x80008000, np.uint32)
    out = np.zeros((1, 2, 1, 1), np.uint32)
    workspace = np.zeros(convolution.workspace_words, np.uint32)
    convolution.add(convolution.pack(weights), share, 1, np.zeros(2, np.uint8), workspace, out, kernel=kernel)
    assert out.reshape(-1).tolist() == [
        fan_in * -32768 * 0x80008000 % 2**32,
        fan_in * 32767 * 0x80008000 % 2**32,
    ]


def test_scale_add_is_the_same_on_every_channel_and_sample() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2**32, (2, 3, 4, 5), dtype=np.uint32)
    out = rng.integers(0, 2**32, x.shape, dtype=np.uint32)
    shift = np.array([0, 5, 31], np.uint8)
    wanted = out + ((x * np.uint32(2**32 - 7)) << shift.astype(np.uint32)[:, None, None])
    scale_add(x, -7, shift, out)
    np.testing.assert_array_equal(out, wanted)


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="extents"):
        RingConvolution((1, 0, 4, 4), (1, 2, 4, 4), (3, 3), (1, 1), (1, 1))
    with pytest.raises(ValueError, match="extents"):
        RingConvolution((1, 2, 4, 4), (1, 2, 4, 4), (3, 3), (1, 2**40), (1, 1))
    for groups in (0, 3):
        with pytest.raises(ValueError, match="groups"):
            RingConvolution((1, 3, 4, 4), (1, 2, 4, 4), groups=groups)
    for dilation in ((0, 1), (1, 2**62)):
        with pytest.raises(ValueError, match="extents"):
            RingConvolution((1, 2, 4, 4), (1, 2, 4, 4), (3, 3), dilation=dilation)
    with pytest.raises(ValueError, match="batch"):
        RingConvolution((1, 2, 4, 4), (2, 2, 4, 4), (3, 3), (1, 1), (1, 1))
    convolution = RingConvolution((1, 2, 4, 4), (1, 2, 4, 4), (3, 3), (1, 1), (1, 1))
    good = {
        "packed": convolution.pack(np.zeros((2, 2, 3, 3), np.int16)),
        "share": np.zeros((1, 2, 4, 4), np.uint32),
        "multiplier": 1,
        "shift_bits": np.zeros(2, np.uint8),
        "workspace": np.zeros(convolution.workspace_words, np.uint32),
        "out": np.zeros((1, 2, 4, 4), np.uint32),
    }
    convolution.add(**good)
    for name, bad, message in (
        ("packed", good["packed"][1:], "packed"),
        ("share", good["share"][:, :1], "share"),
        ("shift_bits", np.full(2, 32, np.uint8), "below 32"),
        ("workspace", good["workspace"][1:], "workspace"),
        ("out", good["out"][:, :, 1:].copy(), "out"),
    ):
        with pytest.raises(ValueError, match=message):
            convolution.add(**{**good, name: bad})
    with pytest.raises(TypeError, match="share"):
        convolution.add(**{**good, "share": good["share"].astype(np.int64)})
    with pytest.raises(ValueError, match="kernel"):
        convolution.add(**good, kernel="neon")
    with pytest.raises(ValueError, match="whole"):
        scale_add(good["share"], 1, np.zeros(3, np.uint8), good["out"])
