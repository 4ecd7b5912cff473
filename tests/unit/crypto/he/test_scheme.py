"""The scheme itself, recomputed in Python integers: every byte of both messages, and the noise."""

import math

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto import symmetric
from pi_bench.crypto.he import HeServer, LinearPlan, LinearShape, OutputPolynomials, parameters
from pi_bench.crypto.he.parameters import (
    BINOMIAL_BITS,
    CIPHERTEXT_BYTES,
    DEGREE,
    FLOOD_BITS,
    MODULUS,
    PACKED_POLY_BYTES,
    PLAIN_MODULUS,
    PRIMES,
    SEED_BYTES,
)

he = _native.he
WIDTH = 50


def centered(value: int, modulus: int) -> int:
    return (value + modulus // 2) % modulus - modulus // 2


def words_of(seed: bytes, first: int, count: int) -> list[int]:
    return symmetric.prg(seed, first // 2, 8 * count).view(np.uint64).tolist()


def ternary(words: list[int]) -> list[int]:
    return [3 * word // 2**64 - 1 for word in words]


def binomial(words: list[int]) -> list[int]:
    mask = (1 << BINOMIAL_BITS) - 1
    return [(word & mask).bit_count() - (word >> BINOMIAL_BITS & mask).bit_count() for word in words]


def recombine(residues: list[list[int]]) -> list[int]:
    """From residues modulo each prime to [0, q)."""
    basis = [MODULUS // p * pow(MODULUS // p, -1, p) for p in PRIMES]
    return [
        sum(r * b for r, b in zip(row, basis, strict=True)) % MODULUS for row in zip(*residues, strict=True)
    ]


def uniform(seed: bytes) -> list[int]:
    out = np.empty((3, DEGREE), np.uint64)
    he.parts.sample_uniform(seed, out)
    return recombine(out.tolist())


def unpack(data: bytes, count: int) -> list[int]:
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=WIDTH * count, bitorder="little")
    words = np.pad(bits.reshape(count, WIDTH), ((0, 0), (0, 64 - WIDTH)))
    values: list[int] = np.packbits(words, axis=1, bitorder="little").view(np.uint64).ravel().tolist()
    return values


def pack(values: list[int]) -> bytes:
    data = b"".join(value.to_bytes(7, "little") for value in values)
    bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(-1, 7), axis=1, bitorder="little")
    return np.packbits(bits[:, :WIDTH].ravel(), bitorder="little").tobytes()


def scale(message: int, modulus: int = MODULUS) -> int:
    return (2 * modulus * message + PLAIN_MODULUS) // (2 * PLAIN_MODULUS)


def pack_polynomial(values: list[int]) -> bytes:
    return b"".join(pack([value % p for value in values]) for p in PRIMES)


@pytest.fixture(scope="module")
def secret() -> np.ndarray:
    out = np.empty(DEGREE, np.int8)
    he.sample_ternary(b"secret of a test", out)
    return out


def encrypt_with(
    secret, messages, public_seeds: bytes, noise_seeds: bytes, isa: str, threads: int = 1
) -> bytes:
    out = bytearray(len(public_seeds) // SEED_BYTES * CIPHERTEXT_BYTES)
    he.encrypt(secret, messages, public_seeds, noise_seeds, out, threads, isa=isa)
    return bytes(out)


def test_ciphertext_is_the_formula(isa, secret, negacyclic_product) -> None:
    """seed | -a s + e + round(q m / t), byte for byte, and so equal on every path."""
    messages = np.random.default_rng(1).integers(0, 2**32, DEGREE, dtype=np.uint32)
    a_seed, e_seed = b"a public seed 16", b"a secret seed 16"
    product = negacyclic_product(uniform(a_seed), secret.tolist(), MODULUS)
    noise = binomial(words_of(e_seed, 0, DEGREE))
    body = [-x + e + scale(m) for x, e, m in zip(product, noise, messages.tolist(), strict=True)]
    assert encrypt_with(secret, messages, a_seed, e_seed, isa) == a_seed + pack_polynomial(body)
    zero = [-x + e for x, e in zip(product, noise, strict=True)]
    assert encrypt_with(secret, None, a_seed, e_seed, isa) == a_seed + pack_polynomial(zero)


def test_response_is_the_formula(isa, secret, negacyclic_product, convolution) -> None:
    """Two input polynomials, one output polynomial: sum w ct + u pk + (flood - s, e2) modulo q, then the
    switch; byte for byte, and so equal on every path."""
    plan = LinearPlan.of(convolution(1, 8, 1, (32, 32)), 10)
    assert (plan.in_poly_count, plan.out_poly_count) == (2, 1)
    rng = np.random.default_rng(2)
    weights = rng.integers(-511, 512, (1, 8, 9)).astype(np.int16)
    messages = plan.pack_input(rng.integers(0, 2**32, plan.in_shape, dtype=np.uint32))
    count = plan.in_poly_count
    public_seeds, noise_seeds, key_seeds = rng.bytes(16 * count), rng.bytes(16 * count), rng.bytes(32)
    upload = encrypt_with(secret, messages, public_seeds, noise_seeds, isa)
    public_key = encrypt_with(secret, None, key_seeds[:16], key_seeds[16:], isa)
    masks = rng.integers(0, 2**32, plan.released_count, dtype=np.uint32)
    seeds = rng.bytes(SEED_BYTES * plan.out_poly_count)
    loaded, key = np.empty(count * he.LOADED_WORDS, np.uint64), np.empty(he.LOADED_WORDS, np.uint64)
    assert he.load(upload, count, loaded, 1, isa=isa)
    assert he.load(public_key, 1, key, 1, isa=isa)
    out = bytearray(plan.response_bytes)
    shape, block = plan.weight_extents, (plan.layout.out_block, plan.layout.in_block, plan.run)
    he.respond(
        weights, plan.exponents, shape, block, None, loaded, key, seeds, masks[plan.out_index],
        plan.positions, plan.starts, out, 2, isa=isa,
    )  # fmt: skip

    def components(ciphertext: bytes) -> tuple[list[int], list[int]]:
        bodies = [ciphertext[16 + k * PACKED_POLY_BYTES :][:PACKED_POLY_BYTES] for k in range(3)]
        return recombine([unpack(body, DEGREE) for body in bodies]), uniform(ciphertext[:16])

    ciphertexts = [components(upload[i * CIPHERTEXT_BYTES :][:CIPHERTEXT_BYTES]) for i in range(count)]
    key_parts = components(public_key)
    u = ternary(words_of(seeds, 0, DEGREE))
    e2 = binomial(words_of(seeds, DEGREE, DEGREE))
    flood = words_of(seeds, 2 * DEGREE, 2 * plan.released_count)
    c0, c1 = (negacyclic_product(part, u, MODULUS) for part in key_parts)
    for i, (body, a) in enumerate(ciphertexts):
        w = [0] * DEGREE
        for b in range(min(block[1], 8 - i * block[1])):
            for tap in range(9):
                exponent = int(plan.exponents[0, b, tap])
                sign = -1 if exponent >= DEGREE else 1
                w[exponent % DEGREE] += sign * int(weights[0, i * block[1] + b, tap])
        c0 = [x + y for x, y in zip(c0, negacyclic_product(body, w, MODULUS), strict=True)]
        c1 = [x + y for x, y in zip(c1, negacyclic_product(a, w, MODULUS), strict=True)]
    c1 = [x + e for x, e in zip(c1, e2, strict=True)]
    released = []
    for j, position in enumerate(plan.positions.tolist()):
        value = (flood[2 * j] + (flood[2 * j + 1] << 64)) % 2 ** (FLOOD_BITS + 1) - 2**FLOOD_BITS
        minus_s = -int(masks[plan.out_index[j]]) % PLAIN_MODULUS
        released.append(c0[position] + scale(minus_s) + value)
    divisor = MODULUS // PRIMES[0]
    expected = b"".join(
        pack([(2 * (x % MODULUS) + divisor) // (2 * divisor) % PRIMES[0] for x in part])
        for part in (c1, released)
    )
    assert bytes(out) == expected


def test_e2_is_added_before_the_switch(isa) -> None:
    """The switch rounds e2 away almost always; with every coefficient of sum w c1 on the last value that
    is rounded down, and a public key of zeros, c1 shows where e2 is positive."""
    last = (MODULUS // PRIMES[0] - 1) // 2
    loaded = np.empty(he.LOADED_WORDS, np.uint64)
    assert he.load(bytes(SEED_BYTES) + pack_polynomial([last] * DEGREE), 1, loaded, 1, isa=isa)
    lanes = loaded.reshape(3 * DEGREE // 8, 2, 8)  # (prime and block of coefficients, component, lane)
    inputs = np.stack([np.zeros_like(lanes[:, 0]), lanes[:, 0]], axis=1).reshape(-1)
    plan = LinearPlan.of(LinearShape("fc", (1, 1), (1, 1)), 10)
    seed, out = b"seed of response", bytearray(plan.response_bytes)
    he.respond(
        np.ones(1, np.int16), plan.exponents, (1, 1, 1), (1, 1, 1), None, inputs, np.zeros_like(inputs), seed,
        np.zeros(1, np.uint32), plan.positions, plan.starts, out, 1, isa=isa,
    )  # fmt: skip
    e2 = binomial(words_of(seed, DEGREE, DEGREE))
    assert unpack(bytes(out[:PACKED_POLY_BYTES]), DEGREE) == [int(e > 0) for e in e2]


def test_noise_of_the_worst_weights_stays_below_the_public_bound(
    parties, negacyclic_product, separate_plan
) -> None:
    """Dense polynomials, all 511: the noise of every released coefficient, and the flood's width."""
    weighted = LinearShape("fc", (1, 192), (1, 128))
    plan = separate_plan(weighted)
    assert plan.layout.in_block * plan.layout.out_block > 8000
    rng = np.random.default_rng(3)
    weights = np.full((128, 192), 511, np.int16)
    secret = parties.client._secret.array.view(np.int8).tolist()
    noises: list[int] = []
    for _ in range(2):
        r = rng.integers(0, 2**32, (1, 192), dtype=np.uint32)
        s = rng.integers(0, 2**32, (1, 128), dtype=np.uint32)
        response = parties.server.respond(plan, weights, parties.client.encrypt(plan, r), s)
        plain = (r.astype(np.uint64) @ weights.astype(np.uint64).T - s).astype(np.uint32).ravel()
        offset = 0
        for o in range(plan.out_poly_count):
            begin, end = int(plan.starts[o]), int(plan.starts[o + 1])
            size = parameters.released_bytes(end - begin)
            c1 = unpack(response[offset : offset + PACKED_POLY_BYTES], DEGREE)
            c0 = unpack(response[offset + PACKED_POLY_BYTES : offset + size], end - begin)
            product = negacyclic_product(c1, secret, PRIMES[0])
            for j, position in enumerate(plan.positions[begin:end].tolist()):
                target = scale(int(plain[plan.out_index[begin + j]]), PRIMES[0])
                noises.append(centered(c0[j] + product[position] - target, PRIMES[0]))
            offset += size
    weights_bound = parameters.WeightBound(plan.layout.out_block * 192, 511)
    assert len(noises) == 256
    assert max(map(abs, noises)) <= parameters.noise_after_switch(weights_bound)
    # A uniform flood of +-2^112 is +-4,096 after the switch: 256 of them all below 3,600 has a
    # chance below 1e-14, and a standard deviation 30 % off is farther than 5.4 deviations.
    width = 2**FLOOD_BITS * PRIMES[0] / MODULUS
    assert max(map(abs, noises)) > 0.88 * width
    assert abs(math.sqrt(sum(x * x for x in noises) / len(noises)) / (width / math.sqrt(3)) - 1) < 0.3


def test_fresh_noise_is_the_binomial(parties, negacyclic_product) -> None:
    """Encryptions of zero under the real key: c0 + a s is small and has the sampler's variance."""
    secret = parties.client._secret.array.view(np.int8).tolist()
    key = parties.client.public_key
    body = recombine(
        [unpack(key[16 + k * PACKED_POLY_BYTES :][:PACKED_POLY_BYTES], DEGREE) for k in range(3)]
    )
    product = negacyclic_product(uniform(key[:16]), secret, MODULUS)
    noise = [centered(x + y, MODULUS) for x, y in zip(body, product, strict=True)]
    assert max(map(abs, noise)) <= BINOMIAL_BITS
    variance = sum(x * x for x in noise) / DEGREE
    assert abs(variance / (BINOMIAL_BITS / 2) - 1) < 5.4 * math.sqrt(2 / DEGREE)


def test_every_ciphertext_has_fresh_seeds(parties) -> None:
    plan = LinearPlan.of(LinearShape("fc", (9, 9000), (9, 1)), 10)
    r = np.zeros(plan.in_shape, np.uint32)
    messages = [parties.client.encrypt(plan, r) for _ in range(2)]
    seeds, bodies = set(), set()
    for message in messages:
        for offset in range(0, len(message), CIPHERTEXT_BYTES):
            seeds.add(message[offset : offset + SEED_BYTES])
            bodies.add(message[offset + SEED_BYTES : offset + CIPHERTEXT_BYTES])
    count = 2 * plan.tile_count * plan.in_poly_count
    assert len(seeds) == len(bodies) == count >= 20


def test_every_response_polynomial_has_fresh_randomness(parties, separate_plan) -> None:
    """Equal weights, inputs and masks: all of c1 and c0 differ between polynomials and calls."""
    plan = separate_plan(LinearShape("fc", (1, 8192), (1, 6)))
    upload = parties.client.encrypt(plan, np.zeros((1, 8192), np.uint32))
    weights, s = np.zeros((6, 8192), np.int16), np.zeros((1, 6), np.uint32)
    parts = set()
    for _ in range(2):
        response = parties.server.respond(plan, weights, upload, s)
        size = len(response) // plan.out_poly_count
        assert size * plan.out_poly_count == len(response)
        for offset in range(0, len(response), size):
            parts.add(response[offset : offset + PACKED_POLY_BYTES])
            parts.add(response[offset + PACKED_POLY_BYTES : offset + size])
    assert len(parts) == 4 * plan.out_poly_count


def test_every_polynomial_that_will_be_joined_has_fresh_randomness(parties, convolution, monkeypatch) -> None:
    """Weights of zero leave the encryption of zero alone: c1 differs between tiles, runs and calls."""
    plan = LinearPlan.of(convolution(3, 2, 3, (100, 110)), 10, "bytes")
    assert plan.layout.per_answer > 1 and plan.tile_count >= 4
    monkeypatch.setattr("pi_bench.crypto.he.server._LOADED_LIMIT_BYTES", 1)  # a run per tile
    rows: list[bytes] = []
    join = HeServer.join

    def recording(server: HeServer, plan: LinearPlan, outputs: OutputPolynomials, threads: int) -> bytearray:
        rows.extend(row.tobytes() for row in outputs.c1)
        return join(server, plan, outputs, threads)

    monkeypatch.setattr(HeServer, "join", recording)
    upload = parties.client.encrypt(plan, np.zeros(plan.in_shape, np.uint32))
    weights, s = np.zeros(plan.weight_shape, np.int16), np.zeros(plan.out_shape, np.uint32)
    for _ in range(2):
        parties.server.respond(plan, weights, upload, s)
    assert len(set(rows)) == len(rows) == 2 * plan.tile_count * plan.out_poly_count
