"""Each part of the scheme against Python integers of any size."""

import math

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto import symmetric
from pi_bench.crypto.he.parameters import (
    BINOMIAL_BITS,
    DEGREE,
    FLOOD_BITS,
    MODULUS,
    PLAIN_MODULUS,
    PRIMES,
)

parts = _native.he.parts
FALSE_ALARM_Z = 5.4  # two-sided, below 1e-7


def is_prime(n: int) -> bool:
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):  # decides every odd n below 2**64
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def test_primes_are_the_three_largest_of_their_form() -> None:
    found = []
    candidate = (1 << 50) + 1
    while len(found) < 3:
        candidate -= 2 * DEGREE
        if is_prime(candidate):
            found.append(candidate)
    assert tuple(found) == PRIMES


def random_residues(prime: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, PRIMES[prime], DEGREE, dtype=np.uint64)


@pytest.mark.parametrize("prime", range(3))
def test_product_equals_schoolbook(isa, negacyclic_product, prime) -> None:
    rng = np.random.default_rng(prime)
    p = PRIMES[prime]
    x, y = random_residues(prime, rng), random_residues(prime, rng)
    x[:4] = y[:4] = p - 1
    out = np.empty(DEGREE, np.uint64)
    parts.product(prime, x, y, out, isa)
    assert out.tolist() == negacyclic_product(x.tolist(), y.tolist(), p)


@pytest.mark.parametrize("prime", range(3))
def test_product_of_extremes(isa, prime) -> None:
    """All coefficients p - 1, which is -1: coefficient k of the square is 2 (k + 1) - N."""
    p = PRIMES[prime]
    x = np.full(DEGREE, p - 1, np.uint64)
    out = np.empty(DEGREE, np.uint64)
    parts.product(prime, x, x, out, isa)
    assert out.tolist() == [(2 * (k + 1) - DEGREE) % p for k in range(DEGREE)]


@pytest.mark.parametrize("exponent", [0, 1, 7, 8, 63, 64, 4096, 8191])
def test_product_with_a_monomial_rotates_and_negates(isa, exponent) -> None:
    p = PRIMES[1]
    x = random_residues(1, np.random.default_rng(exponent))
    y = np.zeros(DEGREE, np.uint64)
    y[exponent] = 1
    out = np.empty(DEGREE, np.uint64)
    parts.product(1, x, y, out, isa)
    expected = np.roll(x, exponent)
    expected[:exponent] = (p - expected[:exponent]) % p
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(
    ("seed", "refused"),
    # The second was searched for: its 6,880th word for the third prime reaches the prime.
    [(bytes(range(16)), 0), (b"rejection!" + (10928).to_bytes(6, "little"), 1)],
)
def test_uniform_takes_50_bits_a_word_and_skips_what_reaches_the_prime(isa, seed, refused) -> None:
    out = np.empty((3, DEGREE), np.uint64)
    parts.sample_uniform(seed, out, isa)
    words = symmetric.prg(seed, 0, 8 * (3 * DEGREE + refused)).view(np.uint64) & np.uint64((1 << 50) - 1)
    stream = iter(words.tolist())
    skipped = 0
    for p, residues in zip(PRIMES, out.tolist(), strict=True):
        for residue in residues:
            candidate = next(stream)
            while candidate >= p:
                candidate, skipped = next(stream), skipped + 1
            assert residue == candidate
    assert skipped == refused


def test_uniform_fills_its_range(isa) -> None:
    counts = np.zeros(16)
    out = np.empty((3, DEGREE), np.uint64)
    for seed in range(20):
        parts.sample_uniform(seed.to_bytes(16, "little"), out, isa)
        counts += np.bincount((out >> np.uint64(46)).astype(np.int64).ravel(), minlength=16)
    expected = 20 * 3 * DEGREE / 16
    assert ((counts - expected) ** 2 / expected).sum() < 64  # chi-squared, 15 degrees, 1e-7


def test_ternary_maps_thirds_of_the_words(isa) -> None:
    words = np.zeros(DEGREE, np.uint64)
    words[:6] = [0, 2**64 // 3, 2**64 // 3 + 1, 2 * 2**64 // 3, 2 * 2**64 // 3 + 1, 2**64 - 1]
    out = np.empty(DEGREE, np.int8)
    parts.ternary_from_words(words, out, isa)
    assert out[:6].tolist() == [-1, -1, 0, 0, 1, 1]


def test_ternary_is_uniform(isa) -> None:
    counts = np.zeros(3)
    out = np.empty(DEGREE, np.int8)
    for seed in range(40):
        _native.he.sample_ternary(seed.to_bytes(16, "little"), out, isa)
        counts += np.bincount(out.astype(np.int64) + 1, minlength=3)
    expected = 40 * DEGREE / 3
    assert ((counts - expected) ** 2 / expected).sum() < 32.3  # chi-squared, 2 degrees, 1e-7


def test_binomial_counts_bits(isa) -> None:
    words = np.random.default_rng(0).integers(0, 2**64, DEGREE, dtype=np.uint64)
    low = (1 << BINOMIAL_BITS) - 1
    words[0], words[1] = low, low << BINOMIAL_BITS
    out = np.empty(DEGREE, np.int8)
    parts.binomial_from_words(words, out, isa)
    expected = [
        (word & low).bit_count() - (word >> BINOMIAL_BITS & low).bit_count() for word in words.tolist()
    ]
    assert out.tolist() == expected
    assert (out[0], out[1]) == (BINOMIAL_BITS, -BINOMIAL_BITS)
    variance = BINOMIAL_BITS / 2
    assert abs(out.mean()) < FALSE_ALARM_Z * math.sqrt(variance / DEGREE)
    assert abs(out.var() / variance - 1) < FALSE_ALARM_Z * math.sqrt(2 / DEGREE)


@pytest.mark.parametrize("prime", range(3))
def test_flood_is_exactly_uniform_over_its_width(isa, prime) -> None:
    words = np.random.default_rng(prime).integers(0, 2**64, (1000, 2), dtype=np.uint64)
    words[0], words[1] = 0, 2**64 - 1
    out = np.empty(1000, np.uint64)
    parts.flood_modulo(prime, words, out, isa)
    values = [(low + (high << 64)) % 2 ** (FLOOD_BITS + 1) - 2**FLOOD_BITS for low, high in words.tolist()]
    assert (values[0], values[1]) == (-(2**FLOOD_BITS), 2**FLOOD_BITS - 1)
    assert out.tolist() == [value % PRIMES[prime] for value in values]


EDGE_MESSAGES = [0, 1, 2, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1]


@pytest.mark.parametrize("prime", range(3))
def test_encode_rounds_q_m_over_t(isa, prime) -> None:
    messages = np.random.default_rng(prime).integers(0, 2**32, 1000, dtype=np.uint32)
    messages[: len(EDGE_MESSAGES)] = EDGE_MESSAGES
    out = np.empty(1000, np.uint64)
    parts.encode(prime, messages, out, isa)
    expected = [(2 * MODULUS * m + PLAIN_MODULUS) // (2 * PLAIN_MODULUS) for m in messages.tolist()]
    assert out.tolist() == [value % PRIMES[prime] for value in expected]


def test_switch_rounds_to_the_nearest(isa) -> None:
    rng = np.random.default_rng(3)
    divisor = PRIMES[1] * PRIMES[2]
    half = divisor // 2
    values = [int.from_bytes(rng.bytes(32), "little") % MODULUS for _ in range(500)]
    values += [0, 1, MODULUS - 1, half, half + 1, MODULUS - half, MODULUS - half - 1]
    values += [(k * divisor + half + side) % MODULUS for k in (1, PRIMES[0] - 1) for side in (0, 1)]
    residues = np.array([[value % p for value in values] for p in PRIMES], np.uint64)
    out = np.empty(len(values), np.uint64)
    parts.switch_down(residues, out, isa)
    assert out.tolist() == [(2 * value + divisor) // (2 * divisor) % PRIMES[0] for value in values]


def test_decode_rounds_to_the_nearest(isa) -> None:
    p = PRIMES[0]
    values = np.random.default_rng(4).integers(0, p, 1000, dtype=np.uint64).tolist()
    for m in (*EDGE_MESSAGES, 12345):
        boundary = (2 * m + 1) * p // (2 * PLAIN_MODULUS)
        values += [(boundary + side) % p for side in (0, 1)]
        values += [(m * p // PLAIN_MODULUS + side) % p for side in (0, 1)]
    values += [0, p - 1, p // 2, p // 2 + 1]
    out = np.empty(len(values), np.uint32)
    parts.decode(np.array(values, np.uint64), out, isa)
    expected = [(2 * PLAIN_MODULUS * value + p) // (2 * p) % PLAIN_MODULUS for value in values]
    assert out.tolist() == expected


@pytest.mark.parametrize("prime", range(3))
def test_small_integers_become_residues(isa, prime) -> None:
    small = np.arange(-40, 41, dtype=np.int32) * 700
    out = np.empty(len(small), np.uint64)
    parts.lift(prime, small, out, isa)
    assert out.tolist() == [value % PRIMES[prime] for value in small.tolist()]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 16, 100, DEGREE])
def test_packing_is_50_bits_each_little_bit_first(isa, count) -> None:
    values = np.random.default_rng(count).integers(0, PRIMES[2], count, dtype=np.uint64)
    packed = np.empty((50 * count + 7) // 8, np.uint8)
    parts.pack(values, packed, isa)
    whole = sum(value << (50 * i) for i, value in enumerate(values.tolist()))
    assert packed.tobytes() == whole.to_bytes(len(packed), "little")
    back = np.empty(count, np.uint64)
    assert parts.unpack(packed, 2, back, isa)
    assert np.array_equal(back, values)


def test_unpacking_refuses_what_reaches_the_prime_and_dirty_filling(isa) -> None:
    for count in (8, 19):  # whole vectors, and a rest
        size = (50 * count + 7) // 8
        for prime, p in enumerate(PRIMES):
            good = sum((p - 1) << (50 * place) for place in range(count))
            values = np.empty(count, np.uint64)
            assert parts.unpack(good.to_bytes(size, "little"), prime, values, isa)
            assert (values == p - 1).all()
            for place in range(count):
                whole = good + (1 << (50 * place))
                assert not parts.unpack(whole.to_bytes(size, "little"), prime, values, isa)
    out = np.empty(3, np.uint64)
    for prime, p in enumerate(PRIMES):
        good = (p - 1) * (1 + (1 << 50) + (1 << 100))
        assert parts.unpack(good.to_bytes(19, "little"), prime, out, isa)
        assert not parts.unpack((good | 1 << 151).to_bytes(19, "little"), prime, out, isa)
        for bad in (p, p + 1, (1 << 50) - 1):
            for place in range(3):
                whole = good + ((bad - p + 1) << (50 * place))
                assert not parts.unpack(whole.to_bytes(19, "little"), prime, out, isa)


def test_bindings_refuse_wrong_sizes_and_types() -> None:
    words = np.empty(DEGREE, np.uint64)
    with pytest.raises(ValueError, match="prime"):
        parts.product(4, words, words, words)
    with pytest.raises(ValueError, match="x: need 8192"):
        parts.product(0, words[1:], words, words)
    with pytest.raises(TypeError, match="y"):
        parts.product(0, words, words.astype(np.float64), words)
    with pytest.raises(ValueError, match="seed"):
        parts.sample_uniform(b"short", np.empty(3 * DEGREE, np.uint64))
