"""Bytes off the wire that the protocol never sends, and arguments that no caller should give."""

import contextlib

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto.he import (
    HeClient,
    HeServer,
    LinearPlan,
    LinearShape,
    parameters,
    public_key_bytes,
    transform_weights,
)
from pi_bench.crypto.he.parameters import CIPHERTEXT_BYTES, DEGREE, PACKED_POLY_BYTES, PRIMES
from pi_bench.errors import PeerError

PLAN = LinearPlan.of(LinearShape("fc", (1, 20), (1, 3)), 10)
PUBLIC_KEY_BYTES = public_key_bytes(copy_keys=True)
WEIGHTS = np.ones((3, 20), np.int16)
S = np.zeros((1, 3), np.uint32)
R = np.arange(20, dtype=np.uint32).reshape(1, 20)


def with_residue(data: bytes, offset: int, value: int) -> bytes:
    """`data` with the 50-bit residue that starts at byte `offset` replaced."""
    word = int.from_bytes(data[offset : offset + 7], "little")
    word = word >> 50 << 50 | value
    return data[:offset] + word.to_bytes(7, "little") + data[offset + 7 :]


@pytest.mark.parametrize("length", [0, 1, PUBLIC_KEY_BYTES - 1, PUBLIC_KEY_BYTES + 1])
def test_public_keys_of_the_wrong_length(length) -> None:
    with pytest.raises(PeerError, match=f"{length} bytes instead of {PUBLIC_KEY_BYTES}"):
        HeServer(bytes(length))


def test_plans_with_copies_need_the_keys_for_them(isa) -> None:
    """Without copy keys the others serve, and a plan with copies is refused before a kernel runs."""
    with HeClient(copy_keys=False, isa=isa) as client:
        assert len(client.public_key) == public_key_bytes(copy_keys=False) < PUBLIC_KEY_BYTES
        with pytest.raises(PeerError, match=f"instead of {PUBLIC_KEY_BYTES}"):
            HeServer(client.public_key, isa=isa)
        server = HeServer(client.public_key, copy_keys=False, isa=isa)
        response = server.respond(PLAN, WEIGHTS, client.encrypt(PLAN, R), S)
        assert client.decrypt(PLAN, response).tolist() == [[190, 190, 190]]
        plan = LinearPlan.of(LinearShape("fc", (1, 512), (1, 100)), 10, "bytes")
        with pytest.raises(ValueError, match="fc: the plan has copies, and the public key has no copy keys"):
            server.respond(
                plan,
                np.ones((100, 512), np.int16),
                client.encrypt(plan, np.ones((1, 512), np.uint32)),
                np.zeros((1, 100), np.uint32),
            )


@pytest.mark.parametrize("prime", range(3))
def test_residues_of_the_prime_and_above(parties, prime) -> None:
    offset = 16 + prime * PACKED_POLY_BYTES + 25 * 77
    key = parties.client.public_key
    HeServer(with_residue(key, offset, PRIMES[prime] - 1), isa=parties.isa)
    upload = parties.client.encrypt(PLAN, R)
    for bad in (PRIMES[prime], (1 << 50) - 1):
        with pytest.raises(PeerError, match="public key: damaged"):
            HeServer(with_residue(key, offset, bad), isa=parties.isa)
        with pytest.raises(PeerError, match="fc: damaged"):
            parties.server.respond(PLAN, WEIGHTS, with_residue(upload, offset, bad), S)


@pytest.mark.parametrize("prime", range(2))
@pytest.mark.parametrize("level", [0, 5])
def test_join_keys_with_a_residue_out_of_range(parties, level, prime) -> None:
    key = parties.client.public_key
    offset = CIPHERTEXT_BYTES + level * _native.he.JOIN_KEY_BYTES + 16 + prime * PACKED_POLY_BYTES + 25 * 77
    HeServer(with_residue(key, offset, PRIMES[prime] - 1), isa=parties.isa)
    for bad in (PRIMES[prime], (1 << 50) - 1):
        with pytest.raises(PeerError, match="public key: damaged join key"):
            HeServer(with_residue(key, offset, bad), isa=parties.isa)


@pytest.mark.parametrize(("part", "prime"), [(0, 0), (10, 1), (20, 2), (20, 3), (0, 3)])
def test_copy_keys_with_a_residue_out_of_range(parties, part, prime) -> None:
    """The first part of all, a middle one of a middle key, and the last part of the last key."""
    key, bound = parties.client.public_key, (*PRIMES, parameters.COPY_PRIME)[prime]
    part_bytes = 16 + 4 * PACKED_POLY_BYTES
    offset = len(key) - (21 - part) * part_bytes + 16 + prime * PACKED_POLY_BYTES + 25 * 77
    HeServer(with_residue(key, offset, bound - 1), isa=parties.isa)
    with pytest.raises(PeerError, match="public key: damaged copy key"):
        HeServer(with_residue(key, offset, bound), isa=parties.isa)


def test_joined_responses_damaged(parties) -> None:
    plan = LinearPlan.of(LinearShape("fc", (1, 512), (1, 100)), 10, "bytes")
    assert plan.answer_count < plan.out_poly_count
    r, s = np.ones((1, 512), np.uint32), np.zeros((1, 100), np.uint32)
    weights = np.ones((100, 512), np.int16)
    response = parties.server.respond(plan, weights, parties.client.encrypt(plan, r), s)
    assert parties.client.decrypt(plan, response).tolist() == [[512] * 100]
    for wrong in (response[:-1], response + b"\0"):
        with pytest.raises(PeerError, match="fc: the encrypted answer has"):
            parties.client.decrypt(plan, wrong)
    for offset in (25, PACKED_POLY_BYTES):
        with pytest.raises(PeerError, match="damaged"):
            parties.client.decrypt(plan, with_residue(response, offset, PRIMES[0]))


@pytest.mark.parametrize(
    ("per_answer", "position", "words"),
    [
        (3, 0, "power of two"),
        (128, 0, "power of two"),
        (0, 0, "power of two"),
        (4, 2, "multiples of per_answer"),
    ],
)
def test_products_that_cannot_be_joined_are_refused(per_answer, position, words) -> None:
    keys = np.zeros(6 * _native.he.LOADED_JOIN_KEY_WORDS, np.uint64)
    positions, starts = np.array([position], np.uint16), np.array([0, 1], np.uint64)
    c1, c0 = np.zeros((1, DEGREE), np.uint64), np.zeros(1, np.uint64)
    with pytest.raises(ValueError, match=words):
        _native.he.join(c1, c0, keys, per_answer, positions, starts, bytearray(PACKED_POLY_BYTES + 7), 1)


@pytest.mark.parametrize("length", [0, CIPHERTEXT_BYTES - 1, CIPHERTEXT_BYTES + 1, 2 * CIPHERTEXT_BYTES])
def test_uploads_of_the_wrong_length(parties, length) -> None:
    with pytest.raises(PeerError, match="fc: the encrypted mask has"):
        parties.server.respond(PLAN, WEIGHTS, bytes(length), S)


def test_responses_damaged(parties) -> None:
    response = parties.server.respond(PLAN, WEIGHTS, parties.client.encrypt(PLAN, R), S)
    assert parties.client.decrypt(PLAN, response).tolist() == [[190, 190, 190]]
    for wrong in (b"", response[:-1], response + b"\0"):
        with pytest.raises(PeerError, match="fc: the encrypted answer has"):
            parties.client.decrypt(PLAN, wrong)
    damaged = [
        with_residue(response, 25, PRIMES[0]),  # of c1
        with_residue(response, PACKED_POLY_BYTES, PRIMES[0]),  # of c0
        response[:-1] + bytes([response[-1] | 0x80]),  # in the filling: 150 bits in 19 bytes
    ]
    for wrong in damaged:
        with pytest.raises(PeerError, match="damaged"):
            parties.client.decrypt(PLAN, wrong)


def test_random_bytes_never_crash(parties) -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        with pytest.raises(PeerError):
            parties.server.respond(PLAN, WEIGHTS, b"\xff" * 100 + rng.bytes(PLAN.upload_bytes - 100), S)
        # Random residues are mostly valid: an answer, or a refusal, never anything else.
        with contextlib.suppress(PeerError):
            assert parties.client.decrypt(PLAN, rng.bytes(PLAN.response_bytes)).shape == (1, 3)


def test_arguments_of_the_wrong_shape_or_type(parties) -> None:
    upload = parties.client.encrypt(PLAN, R)
    with pytest.raises(ValueError, match="r: need uint32"):
        parties.client.encrypt(PLAN, R.astype(np.int64))
    with pytest.raises(ValueError, match="r: need uint32"):
        parties.client.encrypt(PLAN, R[0])
    with pytest.raises(ValueError, match="weights: need int16"):
        parties.server.respond(PLAN, WEIGHTS.T, upload, S)
    with pytest.raises(ValueError, match="weights: need int16"):
        transform_weights(PLAN, WEIGHTS.astype(np.int32))
    for value in (512, -512, -32768):
        wide = WEIGHTS.copy()
        wide[2, 3] = value
        with pytest.raises(ValueError, match="weights: need magnitudes below 512"):
            parties.server.respond(PLAN, wide, upload, S)
    with pytest.raises(ValueError, match="s: need uint32"):
        parties.server.respond(PLAN, WEIGHTS, upload, S[:, :2])


def test_errors_of_type_print_no_arguments(parties) -> None:
    upload = parties.client.encrypt(PLAN, R)
    response = parties.server.respond(PLAN, WEIGHTS, upload, S)
    calls = [
        lambda: parties.client.encrypt(PLAN, R, None),
        lambda: parties.client.decrypt(PLAN, response, None),
        lambda: transform_weights(PLAN, WEIGHTS, None),
        lambda: parties.server.respond(PLAN, WEIGHTS, upload, S, None),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"^(need an integer, got NoneType|unsupported operand .*)$"):
            call()


def test_a_closed_client_refuses(isa) -> None:
    with HeClient(isa=isa) as client:
        assert len(client.public_key) == PUBLIC_KEY_BYTES
    with pytest.raises(ValueError, match="wiped"):
        client.encrypt(PLAN, R)


@pytest.mark.parametrize("wrong", [7, "text", np.zeros(3)])
def test_errors_of_the_kernels_show_no_secret(wrong: object) -> None:
    """A binding that converts its arguments itself would print all of them, secret and seeds too."""
    secret, seed = b"SECRET-KEY-POLY!" * (DEGREE // 16), b"SECRET-NOISESEED"
    out = bytearray(CIPHERTEXT_BYTES)
    for messages, public in ((wrong, bytes(16)), (None, wrong)):
        with pytest.raises((TypeError, ValueError)) as caught:
            _native.he.encrypt(secret, messages, public, seed, out, 1)
        assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("run", "exponent", "words"),
    [
        (48, 0, "power of two"),
        (32, 0, "power of two"),
        (0, 0, "power of two"),
        (64, 32, "multiples of the run"),
    ],
)
def test_runs_that_do_not_fit_are_refused(run, exponent, words) -> None:
    exponents, out = np.array([[[exponent]]], np.uint16), np.empty(3 * 8192, np.uint64)
    with pytest.raises(ValueError, match=words):
        _native.he.transform_weights(np.ones(1, np.int16), exponents, (1, 1, 1), (1, 1, run), out, 1)
