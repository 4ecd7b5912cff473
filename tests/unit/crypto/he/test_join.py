"""Joined answers: a model in exact integers, its laws on a small ring, and the kernels against it."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto.he import LinearPlan, LinearShape, OutputPolynomials, parameters
from pi_bench.crypto.he.geometry import Geometry
from pi_bench.crypto.he.layout import Layout
from pi_bench.crypto.he.parameters import BINOMIAL_BITS, DEGREE, PACKED_POLY_BYTES, PRIMES, SEED_BYTES

he = _native.he
FIRST, SPECIAL = PRIMES[:2]
BOTH = FIRST * SPECIAL

Poly = list[int]


@dataclass
class Ring:
    """Z[X] / (X^degree + 1), with the product of one polynomial below `modulus` and one signed."""

    degree: int
    product: Callable[[Poly, Poly, int], Poly]

    def move(self, poly: Poly, power: int) -> Poly:
        """The automorphism X -> X^power, or with `shift` the product with X^shift."""
        return self._placed(poly, lambda i: i * power)

    def shift(self, poly: Poly, by: int) -> Poly:
        return self._placed(poly, lambda i: i + by)

    def _placed(self, poly: Poly, where: Callable[[int], int]) -> Poly:
        out = [0] * self.degree
        for i, value in enumerate(poly):
            at = where(i) % (2 * self.degree)
            out[at % self.degree] = value if at < self.degree else -value
        return out


def centered(value: int, modulus: int) -> int:
    return (value + modulus // 2) % modulus - modulus // 2


def divided(poly: Poly) -> Poly:
    """round(x / special) modulo the first prime."""
    return [(2 * value + SPECIAL) // (2 * SPECIAL) % FIRST for value in poly]


def join_key(ring: Ring, secret: Poly, j: int, a: Poly, noise: Poly) -> tuple[Poly, Poly]:
    """(special * automorphism(secret) - a secret + noise, a) modulo first * special."""
    moved = ring.move(secret, (ring.degree >> j) + 1)
    masked = ring.product(a, secret, BOTH)
    return [(SPECIAL * m - x + e) % BOTH for m, x, e in zip(moved, masked, noise, strict=True)], a


@dataclass
class Joined:
    c1: Poly  # modulo the first prime
    added: Poly  # what key switching adds to c0, times `special`, modulo first * special


def join(ring: Ring, keys: list[tuple[Poly, Poly]], c1s: list[Poly]) -> Joined:
    levels = (len(c1s) - 1).bit_length()
    scale = pow(2**levels, -1, FIRST)
    zero = [0] * ring.degree

    def part(leaves: list[Poly], depth: int) -> Joined:
        if depth == 0:
            return Joined([value * scale % FIRST for value in leaves[0]], zero)
        half = 1 << (depth - 1)
        a = part(leaves[:half], depth - 1)
        b = part(leaves[half:], depth - 1) if leaves[half:] else Joined(zero, zero)
        j = levels - depth
        power = (ring.degree >> j) + 1
        sums, moved = [], []
        for x, y in ((a.c1, b.c1), (a.added, b.added)):
            y = ring.shift(y, 1 << j)
            sums.append([u + v for u, v in zip(x, y, strict=True)])
            moved.append(ring.move([u - v for u, v in zip(x, y, strict=True)], power))
        digit = [centered(value, FIRST) for value in moved[0]]
        key0, key1 = (ring.product(half_key, digit, BOTH) for half_key in keys[j])
        c1 = [(u + v) % FIRST for u, v in zip(sums[0], divided(key1), strict=True)]
        added = [(u + v + w) % BOTH for u, v, w in zip(sums[1], moved[1], key0, strict=True)]
        return Joined(c1, added)

    return part(c1s, levels)


def slot(index: int, count: int) -> int:
    levels = (count - 1).bit_length()
    return sum((index >> bit & 1) << (levels - 1 - bit) for bit in range(levels))


def schoolbook(x: Poly, y: Poly, modulus: int) -> Poly:
    degree = len(x)
    out = [0] * degree
    for (i, u), (j, v) in itertools.product(enumerate(x), enumerate(y)):
        out[(i + j) % degree] += u * v if i + j < degree else -u * v
    return [value % modulus for value in out]


SMALL = Ring(64, schoolbook)


def small_keys(rng: random.Random, secret: Poly, most: int) -> list[tuple[Poly, Poly]]:
    uniform = lambda: [rng.randrange(BOTH) for _ in range(SMALL.degree)]  # noqa: E731
    noise = lambda: [rng.choice((-most, most)) for _ in range(SMALL.degree)]  # noqa: E731
    return [join_key(SMALL, secret, j, uniform(), noise()) for j in range(3)]


def added_noise(rng: random.Random, count: int, most: int) -> list[int]:
    """The noise that joining adds to `count` products of known phases, with key noise of +-`most`."""
    secret = [rng.choice((-1, 0, 1)) for _ in range(SMALL.degree)]
    keys = small_keys(rng, secret, most)
    spread = 1 << (count - 1).bit_length()
    c1s, phases = [], []
    for _ in range(count):
        c1s.append([rng.randrange(FIRST) for _ in range(SMALL.degree)])
        phases.append([rng.randrange(FIRST) for _ in range(SMALL.degree)])
    joined = join(SMALL, keys, c1s)
    with_secret = schoolbook(joined.c1, secret, FIRST)
    noise = []
    for index, (c1, phase) in enumerate(zip(c1s, phases, strict=True)):
        product = schoolbook(c1, secret, FIRST)
        for at in range(0, SMALL.degree, spread):
            c0 = phase[at] - product[at]  # of this product alone
            place = at + slot(index, count)
            found = c0 + divided(joined.added)[place] + with_secret[place]
            noise.append(centered(found - phase[at], FIRST))
    return noise


@pytest.mark.parametrize("count", range(1, 9))
def test_every_product_keeps_its_wanted_coefficients(count) -> None:
    """The other coefficients may hold anything. The noise is within the worst case of the ring."""
    noise = added_noise(random.Random(count), count, BINOMIAL_BITS)
    levels = (count - 1).bit_length()
    degree = SMALL.degree
    # A digit is at most half a prime and meets noise of BINOMIAL_BITS; rounding c1 costs 1/2 per
    # coefficient of the secret. The switch at depth d is doubled at each of the levels above.
    each = degree * BINOMIAL_BITS / 2 * (FIRST / SPECIAL) + degree / 2
    assert len(noise) == count * (degree >> levels)
    assert max(map(abs, noise)) <= ((1 << levels) - 1) * each + 1


def test_a_product_alone_is_not_changed() -> None:
    assert set(added_noise(random.Random(9), 1, BINOMIAL_BITS)) == {0}


def test_noise_stays_within_the_deviation_that_the_parameters_name() -> None:
    """The small ring has 128 times fewer coefficients, so its variance is that much smaller."""
    rng = random.Random(10)
    noise = [value for _ in range(12) for value in added_noise(rng, 8, 3)]
    # Key noise is +-3 here: a variance of 9 in place of BINOMIAL_BITS / 2; a ternary secret has 2/3.
    expected = (SMALL.degree * (9 + 2 / 3) / 12) * sum(4**i for i in range(3))
    variance = sum(value * value for value in noise) / len(noise)
    assert 0.6 < variance / expected < 1.6


def test_failure_probability_of_decryption() -> None:
    """The noise of the most levels is many deviations away from the limit of decryption."""
    weights = parameters.WeightBound(3 * DEGREE, 511)
    assert parameters.join_failure_bits(parameters.MAX_JOIN_LEVELS, weights) > 128
    assert parameters.join_failure_bits(0, weights) == float("inf")


# The kernels.


def uniform(seed: bytes) -> Poly:
    out = np.empty((3, DEGREE), np.uint64)
    he.parts.sample_uniform(seed, out)
    return combined(out[0].tolist(), out[1].tolist())


def combined(first: Poly, special: Poly) -> Poly:
    """From residues modulo both primes to [0, first * special)."""
    inverse = pow(SPECIAL, -1, FIRST)
    return [s + SPECIAL * ((f - s) * inverse % FIRST) for f, s in zip(first, special, strict=True)]


def unpacked(data: bytes, count: int, prime: int = 0) -> Poly:
    out = np.empty(count, np.uint64)
    assert he.parts.unpack(data, prime, out)
    values: Poly = out.tolist()
    return values


@pytest.fixture(scope="module")
def secret() -> np.ndarray:
    out = np.empty(DEGREE, np.int8)
    he.sample_ternary(b"secret of a test", out)
    return out


@pytest.fixture(scope="module")
def ring(negacyclic_product) -> Ring:
    return Ring(DEGREE, negacyclic_product)


def native_keys(secret: np.ndarray, isa: str) -> bytes:
    count = parameters.MAX_JOIN_LEVELS
    out = bytearray(count * he.JOIN_KEY_BYTES)
    he.make_join_keys(secret, bytes(range(16 * count)), bytes(range(16 * count))[::-1], out, isa)
    return bytes(out)


def read_key(keys: bytes, j: int) -> tuple[Poly, Poly]:
    key = keys[j * he.JOIN_KEY_BYTES :][: he.JOIN_KEY_BYTES]
    parts = [key[SEED_BYTES + k * PACKED_POLY_BYTES :][:PACKED_POLY_BYTES] for k in range(2)]
    return combined(*(unpacked(part, DEGREE, k) for k, part in enumerate(parts))), uniform(key[:SEED_BYTES])


def test_keys_encrypt_the_moved_secret(isa, secret, ring) -> None:
    """The rest is the binomial noise of the secret seed, on every path."""
    keys = native_keys(secret, isa)
    small = secret.tolist()
    for j in (0, 5):
        seed = bytes(range(96))[::-1][16 * j :][:16]
        words = np.empty(DEGREE, np.int8)
        he.parts.binomial_from_words(np.frombuffer(prg_bytes(seed), np.uint64), words, isa)
        body, a = read_key(keys, j)
        expected, _ = join_key(ring, small, j, a, words.tolist())
        assert a == uniform(bytes(range(96))[16 * j :][:16])
        assert body == expected


def prg_bytes(seed: bytes) -> bytes:
    from pi_bench.crypto import symmetric

    return symmetric.prg(seed, 0, 8 * DEGREE).tobytes()


@pytest.mark.parametrize("count", [2, 3])
def test_kernels_join_as_the_model(isa, secret, ring, count) -> None:
    """Byte for byte, for every instruction set: all of c1, and the released coefficients of c0."""
    rng = np.random.default_rng(count)
    keys = native_keys(secret, isa)
    loaded = np.empty(parameters.MAX_JOIN_LEVELS * he.LOADED_JOIN_KEY_WORDS, np.uint64)
    assert he.load_join_keys(keys, loaded, isa)
    c1 = rng.integers(0, FIRST, (count, DEGREE), dtype=np.uint64)
    positions = np.arange(0, DEGREE, 64, dtype=np.uint16)[:100]
    c0 = rng.integers(0, FIRST, (count, 100), dtype=np.uint64)
    starts = np.arange(0, 100 * count + 1, 100, dtype=np.uint64)
    answer = bytearray(PACKED_POLY_BYTES + 100 * count * 50 // 8)
    model = join(ring, [read_key(keys, j) for j in range(2)], c1.tolist())
    expected = [
        (value + divided(model.added)[position + slot(n, count)]) % FIRST
        for n, row in enumerate(c0.tolist())
        for position, value in zip(positions.tolist(), row, strict=True)
    ]
    he.join(c1, c0, loaded, 64, np.tile(positions, count), starts, answer, 1, isa)
    assert unpacked(answer[:PACKED_POLY_BYTES], DEGREE) == model.c1
    assert unpacked(answer[PACKED_POLY_BYTES:], 100 * count) == expected


def test_every_path_joins_64_products_alike(available_isas, secret) -> None:
    """All levels, and a rest of 5: too many for the model, so the paths are compared."""
    rng = np.random.default_rng(4)
    c1 = rng.integers(0, FIRST, (69, DEGREE), dtype=np.uint64)
    c0 = rng.integers(0, FIRST, 69 * 2, dtype=np.uint64)
    positions = np.tile(np.array([0, 8128], np.uint16), 69)
    starts = np.arange(0, 139, 2, dtype=np.uint64)
    answers = set()
    for isa in available_isas:
        loaded = np.empty(parameters.MAX_JOIN_LEVELS * he.LOADED_JOIN_KEY_WORDS, np.uint64)
        assert he.load_join_keys(native_keys(secret, isa), loaded, isa)
        for threads in (1, 2):
            out = bytearray(2 * PACKED_POLY_BYTES + 800 + 63)
            he.join(c1.copy(), c0.copy(), loaded, 64, positions, starts, out, threads, isa)
            answers.add(bytes(out))
    assert len(answers) == 1


def test_a_joined_answer_is_a_function_of_the_separate_ones(parties, ring) -> None:
    """With equal seeds, both kernels give the same residues, and the model joins the packed ones alike."""
    shape = LinearShape("fc", (1, 512), (1, 40))
    geometry = Geometry.of(shape)
    layouts = (one for one in Layout.candidates(geometry) if one.copies == 1)
    layout = next(one for one in layouts if 2 < one.counts(geometry)[2] <= one.per_answer)
    plan = LinearPlan.with_layout(shape, 10, layout)
    count, starts = plan.out_poly_count, plan.starts.tolist()
    assert 2 < count <= plan.layout.per_answer
    client, server = parties.client, parties.server
    rng = np.random.default_rng(11)
    weights = rng.integers(-511, 512, plan.weight_shape).astype(np.int16)
    r, s = (rng.integers(0, 2**32, shape, dtype=np.uint32) for shape in (plan.in_shape, plan.out_shape))
    block = (plan.layout.out_block, plan.layout.in_block, plan.run)
    loaded = np.empty(plan.in_poly_count * he.LOADED_WORDS, np.uint64)
    assert he.load(client.encrypt(plan, r), plan.in_poly_count, loaded, 1, isa=parties.isa)
    request = (
        weights.reshape(plan.weight_extents), plan.exponents, plan.weight_extents, block, None, loaded,
        server._public_key, rng.bytes(count * SEED_BYTES), s.reshape(-1)[plan.out_index], plan.positions,
        plan.starts,
    )  # fmt: skip
    packed, outputs = bytearray(plan.response_bytes_of(plan.starts)), OutputPolynomials.of(plan)
    he.respond(*request, packed, 1, isa=parties.isa)
    he.respond_unpacked(*request, outputs.c1, outputs.c0, 1, isa=parties.isa)
    c1, c0, offset = [], [], 0
    for begin, end in itertools.pairwise(starts):
        size = parameters.released_bytes(end - begin)
        c1.append(unpacked(packed[offset : offset + PACKED_POLY_BYTES], DEGREE))
        c0.append(unpacked(packed[offset + PACKED_POLY_BYTES : offset + size], end - begin))
        offset += size
    assert outputs.c1.tolist() == c1
    assert outputs.c0.tolist() == list(itertools.chain(*c0))

    answer = server.join(plan, outputs)
    keys = client.public_key[parameters.CIPHERTEXT_BYTES : -parameters.COPY_KEYS_BYTES]
    model = join(ring, [read_key(keys, j) for j in range((count - 1).bit_length())], c1)
    added = divided(model.added)
    expected = [
        (value + added[position + slot(n, count)]) % FIRST
        for n, values in enumerate(c0)
        for position, value in zip(plan.positions[starts[n] :].tolist(), values, strict=False)
    ]
    assert unpacked(answer[:PACKED_POLY_BYTES], DEGREE) == model.c1
    assert unpacked(answer[PACKED_POLY_BYTES:], len(expected)) == expected
    share = (r.astype(np.uint64) @ weights.T.astype(np.uint64)).astype(np.uint32) - s
    assert np.array_equal(client.decrypt(plan, answer), share)
