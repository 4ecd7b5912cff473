"""Copies of inputs under automorphisms: laws on a small ring, and the kernels against exact integers."""

import math
import random
from typing import NamedTuple

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto.he import LinearPlan, LinearShape, parameters
from pi_bench.crypto.he.geometry import Geometry
from pi_bench.crypto.he.layout import Layout
from pi_bench.crypto.he.parameters import (
    BINOMIAL_BITS,
    CIPHERTEXT_BYTES,
    COPY_KEYS,
    COPY_KEYS_BYTES,
    COPY_ORDER,
    COPY_PRIME,
    DEGREE,
    MODULUS,
    PACKED_POLY_BYTES,
    PRIMES,
    SEED_BYTES,
)
from pi_bench.crypto.he.server import aligned_words
from tests.unit.crypto.he.test_scheme import binomial, words_of

he = _native.he
ALL_PRIMES = (*PRIMES, COPY_PRIME)
WHOLE = MODULUS * COPY_PRIME
SMALL = 64  # the degree of the small ring

Poly = list[int]
SHARED = [(2, 1), (2, 2), (2, 4), (4, 1), (4, 2), (8, 1)]
"""Copies and spread, with squares of their products that divide 2 * SMALL."""


def move(poly: Poly, power: int, up: int = 0) -> Poly:
    """X**up times the automorphism X -> X**power."""
    degree = len(poly)
    out = [0] * degree
    for i, value in enumerate(poly):
        at = (i * power + up) % (2 * degree)
        out[at % degree] += value if at < degree else -value
    return out


def schoolbook(x: Poly, y: Poly) -> Poly:
    out = [0] * len(x)
    for i, u in enumerate(x):
        for at, value in enumerate(move(y, 1, i)):
            out[at] += u * value
    return out


def total(polys: list[Poly]) -> Poly:
    return [sum(column) for column in zip(*polys, strict=True)]


def moved_weights(weights: list[Poly], copies: int, spread: int) -> list[Poly]:
    """Returns the factor of each copy i: the sum over n of X**(spread n) g**i(w_n)."""
    step = 2 * len(weights[0]) // (copies * spread)
    return [total([move(w, 1 + step * i, spread * n) for n, w in enumerate(weights)]) for i in range(copies)]


@pytest.mark.parametrize(("copies", "spread"), SHARED)
def test_one_polynomial_holds_the_wanted_coefficients_of_all_products(copies, spread) -> None:
    """They are multiplied by `copies`, whatever stands elsewhere."""
    rng = random.Random(copies)
    c = [rng.randrange(-1000, 1000) for _ in range(SMALL)]
    weights = [[rng.randrange(-9, 10) for _ in range(SMALL)] for _ in range(copies)]
    step = 2 * SMALL // (copies * spread)
    moved = moved_weights(weights, copies, spread)
    out = total([schoolbook(w, move(c, 1 + step * i)) for i, w in enumerate(moved)])
    for n, w in enumerate(weights):
        product = schoolbook(w, c)
        for at in range(0, SMALL, copies * spread):
            assert out[at + spread * n] == copies * product[at]


@pytest.mark.parametrize(("copies", "spread"), SHARED)
def test_squares_of_moved_weights(copies, spread) -> None:
    """`parameters.expected_noise` relies on this sum, which no weights exceed."""
    rng = random.Random(copies)
    weights = [[rng.randrange(-9, 10) for _ in range(SMALL)] for _ in range(copies)]
    moved = moved_weights(weights, copies, spread)
    squares = lambda polys: sum(value * value for poly in polys for value in poly)  # noqa: E731
    assert squares(moved) == copies * squares(weights)


def test_bounds_of_the_noise() -> None:
    """Each bound is recomputed from its words, in exact fractions of the special prime."""
    weights = parameters.WeightBound(count=4608, largest=511, meeting=2, copies=8)
    sum_of_weights = 4608 * 511
    rounded = (DEGREE + 1) / 2
    worst_switch = 3 * DEGREE * BINOMIAL_BITS * (PRIMES[0] / 2) / COPY_PRIME + rounded
    worst = parameters.noise_before_flood(weights)
    assert worst >= 8 * BINOMIAL_BITS * sum_of_weights + 7 * 8 * sum_of_weights * worst_switch
    assert worst < 1.001 * 7 * 8 * sum_of_weights * worst_switch
    assert parameters.noise_after_switch(weights) < PRIMES[0] // (2 * parameters.PLAIN_MODULUS) // 15

    variance = 3 * DEGREE * (BINOMIAL_BITS / 2) / 12 + DEGREE / 12
    assert variance < parameters.switch_variance() < 1.001 * variance + 2
    spread = 8 * 511 * math.sqrt(2 * 4608 * (variance + BINOMIAL_BITS / 2))
    rounding = sum_of_weights / 2 + 2 * BINOMIAL_BITS * DEGREE
    assert spread + rounding < parameters.expected_noise(weights) < 1.001 * spread + rounding + 9


# The kernels.


def from_residues(rows: list[Poly], primes: tuple[int, ...]) -> Poly:
    """[0, product of the primes) by the Chinese remainder theorem."""
    whole = math.prod(primes)
    factors = [whole // p * pow(whole // p, -1, p) for p in primes]
    return [sum(map(int.__mul__, column, factors)) % whole for column in zip(*rows, strict=True)]


def centered(value: int, modulus: int) -> int:
    return (value + modulus // 2) % modulus - modulus // 2


def uniform(seed: bytes, primes: int) -> list[Poly]:
    out = np.empty((primes, DEGREE), np.uint64)
    he.parts.sample_uniform(seed, out)
    rows: list[Poly] = out.tolist()
    return rows


def unpacked(data: bytes, prime: int) -> Poly:
    out = np.empty(DEGREE, np.uint64)
    assert he.parts.unpack(data, prime, out)
    values: Poly = out.tolist()
    return values


class Part(NamedTuple):
    """The part of a copy key for one digit, modulo q * COPY_PRIME."""

    body: Poly
    a: Poly


PART_BYTES = SEED_BYTES + 4 * PACKED_POLY_BYTES


def read_part(keys: bytes, index: int, digit: int) -> Part:
    part = keys[((index - 1) * 3 + digit) * PART_BYTES :][:PART_BYTES]
    rows = [unpacked(part[SEED_BYTES + k * PACKED_POLY_BYTES :][:PACKED_POLY_BYTES], k) for k in range(4)]
    return Part(from_residues(rows, ALL_PRIMES), from_residues(uniform(part[:SEED_BYTES], 4), ALL_PRIMES))


@pytest.fixture(scope="module")
def secret() -> np.ndarray:
    out = np.empty(DEGREE, np.int8)
    he.sample_ternary(b"secret of a test", out)
    return out


PUBLIC_SEEDS = bytes(i % 251 for i in range(COPY_KEYS * 3 * SEED_BYTES))
NOISE_SEEDS = PUBLIC_SEEDS[::-1]


def seed_of(seeds: bytes, index: int, digit: int) -> bytes:
    """The one of 21 different seeds that one part alone may use."""
    return seeds[((index - 1) * 3 + digit) * SEED_BYTES :][:SEED_BYTES]


def native_keys(secret: np.ndarray, isa: str) -> bytes:
    out = bytearray(COPY_KEYS_BYTES)
    he.make_copy_keys(secret, PUBLIC_SEEDS, NOISE_SEEDS, out, isa)
    return bytes(out)


def power(index: int) -> int:
    return 1 + 2 * DEGREE // COPY_ORDER * index


def test_keys_encrypt_the_secret_under_the_moved_one(isa, secret, negacyclic_product) -> None:
    """The rest of a part is the noise of its own secret seed, and its half `a` has a seed of its own."""
    keys, small = native_keys(secret, isa), secret.tolist()
    parts = [(index, digit) for index in range(1, COPY_KEYS + 1) for digit in range(3)]
    sent = [keys[n * PART_BYTES :][:SEED_BYTES] for n in range(len(parts))]
    assert sent == [seed_of(PUBLIC_SEEDS, *part) for part in parts] and len(set(sent)) == len(parts)
    for index, digit in ((1, 0), (1, 1), (2, 1), (COPY_KEYS, 2)):
        moved = move(small, power(COPY_ORDER - index))
        body, a = read_part(keys, index, digit)
        masked = negacyclic_product(a, moved, WHOLE)
        rest = WHOLE // PRIMES[digit]  # zero modulo every other prime, the special one included
        factor = rest * pow(rest, -1, PRIMES[digit]) * COPY_PRIME % WHOLE
        noise = [centered(b + m - factor * s, WHOLE) for b, m, s in zip(body, masked, small, strict=True)]
        assert noise == binomial(words_of(seed_of(NOISE_SEEDS, index, digit), 0, DEGREE))


class Copied(NamedTuple):
    """A ciphertext and one of its copies, modulo q."""

    c0: Poly
    c1: Poly
    copy0: Poly
    copy1: Poly


@pytest.fixture(scope="module")
def copied(secret, negacyclic_product) -> tuple[bytes, Copied]:
    """An upload with the copy that 2 copies, 4 apart, need, by exact integers."""
    upload = bytearray(CIPHERTEXT_BYTES)
    messages = np.random.default_rng(5).integers(0, 2**32, DEGREE, dtype=np.uint32)
    he.encrypt(secret, messages, b"public seed here", b"secret seed here", upload, 1, 2)
    rows = [
        unpacked(bytes(upload)[SEED_BYTES + k * PACKED_POLY_BYTES :][:PACKED_POLY_BYTES], k) for k in range(3)
    ]
    c0, digits = from_residues(rows, PRIMES), uniform(bytes(upload[:SEED_BYTES]), 3)
    keys, index = native_keys(secret, ""), COPY_ORDER // 8
    sums = [[0] * DEGREE, [0] * DEGREE]
    for digit, row in enumerate(digits):
        small = [centered(value, PRIMES[digit]) for value in row]
        for component, half in enumerate(read_part(keys, index, digit)):
            added = negacyclic_product(half, small, WHOLE)
            sums[component] = [(x + y) % WHOLE for x, y in zip(sums[component], added, strict=True)]
    divided = [[(2 * x + COPY_PRIME) // (2 * COPY_PRIME) for x in row] for row in sums]
    first = [(x + y) % MODULUS for x, y in zip(c0, divided[0], strict=True)]
    copy0, copy1 = (move(row, power(index)) for row in (first, divided[1]))
    return bytes(upload), Copied(c0, from_residues(digits, PRIMES), copy0, copy1)


def test_kernels_copy_as_the_model(isa, secret, copied) -> None:
    """Residue by residue, for every instruction set."""
    upload, model = copied
    keys = aligned_words(COPY_KEYS * he.LOADED_COPY_KEY_WORDS)
    assert he.load_copy_keys(native_keys(secret, isa), keys, isa)
    loaded = aligned_words(2 * he.LOADED_WORDS)
    assert he.load(upload, 1, loaded, 1, 2, isa)
    he.add_copies(upload, 1, (2, 4), keys, loaded, 1, isa)
    # [prime][block][copy][component][lane]
    parts = loaded.reshape(3, DEGREE // 8, 2, 2, 8)
    for copy, expected in enumerate(((model.c0, model.c1), (model.copy0, model.copy1))):
        for component, values in enumerate(expected):
            for k, p in enumerate(PRIMES):
                found = np.empty(DEGREE, np.uint64)
                he.parts.inverse(k, np.ascontiguousarray(parts[k, :, copy, component]).ravel(), found, isa)
                assert found.tolist() == [value % p for value in values]


def test_noise_of_a_copy_has_the_variance_that_the_parameters_name(
    secret, copied, negacyclic_product
) -> None:
    """The noise is what the copy's phase has besides the moved phase."""
    _, model = copied
    small, index = secret.tolist(), COPY_ORDER // 8
    phases = [
        [
            x + y
            for x, y in zip(
                first, negacyclic_product([v % MODULUS for v in second], small, MODULUS), strict=True
            )
        ]
        for first, second in ((model.c0, model.c1), (model.copy0, model.copy1))
    ]
    moved = move(phases[0], power(index))
    noise = [centered(x - y, MODULUS) for x, y in zip(phases[1], moved, strict=True)]
    variance = sum(e * e for e in noise) / DEGREE
    assert 0.9 < variance / parameters.switch_variance() < 1.03


def copied_layouts(shape: LinearShape) -> dict[tuple[int, int, bool], Layout]:
    """One layout for each number of slots and copies, with folding and without."""
    layouts = Layout.candidates(Geometry.of(shape))
    return {(one.slots, one.copies, one.folded): one for one in layouts if one.copies > 1}


SHAPES = {
    "stride 1": (1, 8, 40, (2, 8)),
    "stride 2": (1, 5, 40, (6, 12), (3, 3), (2, 2)),
    "batch, 1x1": (2, 40, 24, (2, 6), (1, 1), (1, 1), (0, 0, 0, 0)),
    "bands": (1, 2, 20, (5, 32)),
    "kernel beyond the image": (1, 5, 33, (1, 1)),
}
"""The layouts below have one row of output in a band, so these have two to five bands or one."""


@pytest.mark.parametrize("name", SHAPES)
def test_products_with_copies_are_exact(parties, convolution, convolve, name) -> None:
    """For every number of copies, with weights of the largest magnitude, on every instruction set."""
    shape = convolution(*SHAPES[name])
    layouts = copied_layouts(shape)
    assert {(32, 8), (32, 4), (32, 2), (16, 4), (16, 2), (8, 2)} == {key[:2] for key in layouts}
    rng = np.random.default_rng(len(name))
    for layout in layouts.values():
        plan = LinearPlan.with_layout(shape, 10, layout)
        weights = rng.choice([-511, 511], plan.weight_shape).astype(np.int16)
        r = rng.integers(0, 2**32, plan.in_shape, dtype=np.uint32)
        s = rng.integers(0, 2**32, plan.out_shape, dtype=np.uint32)
        response = parties.server.respond(plan, weights, parties.client.encrypt(plan, r), s)
        share = parties.client.decrypt(plan, response)
        assert np.array_equal(share, convolve(shape, weights, r) - s)
