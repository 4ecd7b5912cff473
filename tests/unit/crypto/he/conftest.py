"""An oracle in Python integers: the ring, the convolution; and one key pair per path."""

import decimal
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from pi_bench.crypto.he import HeClient, HeServer, LinearPlan, LinearShape
from pi_bench.crypto.he.geometry import Geometry
from pi_bench.crypto.he.layout import Layout
from pi_bench.crypto.he.parameters import DEGREE

Product = Callable[[list[int], list[int], int], list[int]]


@pytest.fixture(scope="session")
def negacyclic_product() -> Product:
    """product(x, y, modulus): x * y in Z_modulus[X] / (X^N + 1) by multiplications of large integers
    with one slot per coefficient. x is not negative, y is signed.

    The integers are decimal, because Python multiplies large decimal numbers by a number-theoretic transform
    of its own, and other integers by Karatsuba's algorithm. Both paths of the kernels ask for the same
    products, one after the other, so the last ones are kept."""

    @functools.lru_cache(maxsize=12)
    def known(x: tuple[int, ...], y: tuple[int, ...], modulus: int) -> tuple[int, ...]:
        return tuple(_negacyclic_product(x, y, modulus))

    return lambda x, y, modulus: list(known(tuple(x), tuple(y), modulus))


def _negacyclic_product(x: Sequence[int], y: Sequence[int], modulus: int) -> list[int]:
    """Multiplies x by y less its least coefficient, and adds that times x (1 + X + X^2 ...)."""
    least = min(y)
    positive = [value - least for value in y]
    slot = len(str(max(x) * max(max(positive), 1) * DEGREE))
    exact = decimal.Context(prec=2 * DEGREE * slot, Emax=decimal.MAX_EMAX, traps=[decimal.Inexact])

    def joined(values: Sequence[int]) -> decimal.Decimal:
        return decimal.Decimal("".join(str(value).zfill(slot) for value in reversed(values)))

    digits = str(exact.multiply(joined(x), joined(positive))).zfill(2 * DEGREE * slot)
    found = [int(digits[end - slot : end]) for end in range(len(digits), 0, -slot)]
    whole = sum(x)
    return [
        (low - high + least * (2 * up_to - whole)) % modulus
        for low, high, up_to in zip(found[:DEGREE], found[DEGREE:], itertools.accumulate(x), strict=True)
    ]


@dataclass
class Parties:
    client: HeClient
    server: HeServer
    isa: str


@pytest.fixture(scope="session")
def make_parties() -> Iterator[Callable[[str], Parties]]:
    """make_parties(isa): one key pair per path, for all tests."""
    made: dict[str, Parties] = {}

    def make(isa: str) -> Parties:
        if isa not in made:
            client = HeClient(isa=isa)
            made[isa] = Parties(client, HeServer(client.public_key, isa=isa), isa)
        return made[isa]

    yield make
    for parties in made.values():
        parties.client.close()


@pytest.fixture(scope="session")
def available_isa(available_isas: list[str]) -> str:
    """The best path that this processor can run."""
    return available_isas[-1]


@pytest.fixture
def parties(isa: str, make_parties: Callable[[str], Parties]) -> Parties:
    return make_parties(isa)


@pytest.fixture(scope="session")
def separate_plan() -> Callable[[LinearShape], LinearPlan]:
    """separate_plan(shape): the plan with the fewest bytes whose output polynomials are not joined."""

    def make(shape: LinearShape) -> LinearPlan:
        geometry = Geometry.of(shape)
        layouts = [
            layout for layout in Layout.candidates(geometry) if layout.per_answer == layout.copies == 1
        ]
        return LinearPlan.with_layout(shape, 10, min(layouts, key=lambda one: one.wire_bytes(geometry)))

    return make


@pytest.fixture(scope="session")
def convolution() -> Callable[..., LinearShape]:
    """convolution(batch, in, out, (h, w), (kh, kw), (sh, sw), padding, dilation): with its output shape."""
    return _convolution


def _convolution(
    batch: int,
    in_channels: int,
    out_channels: int,
    size: tuple[int, int],
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (1, 1, 1, 1),
    dilation: tuple[int, int] = (1, 1),
) -> LinearShape:
    extent = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
    out_height = (size[0] + padding[0] + padding[1] - extent[0]) // stride[0] + 1
    out_width = (size[1] + padding[2] + padding[3] - extent[1]) // stride[1] + 1
    assert out_height > 0 and out_width > 0
    return LinearShape(
        name="conv",
        in_shape=(batch, in_channels, *size),
        out_shape=(batch, out_channels, out_height, out_width),
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
    )


@pytest.fixture(scope="session")
def convolve() -> Callable[[LinearShape, np.ndarray, np.ndarray], np.ndarray]:
    """convolve(weighted, weights, r): W r in int64, modulo 2**32 as uint32."""

    def run(weighted: LinearShape, weights: np.ndarray, r: np.ndarray) -> np.ndarray:
        top, bottom, left, right = weighted.padding
        padded = np.pad(r.view(np.int32).astype(np.int64), ((0, 0), (0, 0), (top, bottom), (left, right)))
        _, _, rows, columns = weighted.out_shape
        out = np.zeros(weighted.out_shape, np.int64)
        for k in range(weighted.kernel[0]):
            for m in range(weighted.kernel[1]):
                at = padded[:, :, k * weighted.dilation[0] :, m * weighted.dilation[1] :]
                read = at[:, :, :: weighted.stride[0], :: weighted.stride[1]][:, :, :rows, :columns]
                out += np.einsum("oc,bchw->bohw", weights[:, :, k, m].astype(np.int64), read)
        return out.astype(np.uint32)

    return run
