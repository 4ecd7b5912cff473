"""An independent implementation of the same scheme as oracle: Microsoft SEAL, where it is installed."""

import numpy as np
import pytest

from pi_bench.crypto.he import LinearPlan
from pi_bench.crypto.he.parameters import DEGREE, PLAIN_MODULUS

seal = pytest.importorskip("seal", reason="seal-python is not installed")


@pytest.fixture(scope="module")
def context():
    parameters = seal.EncryptionParameters(seal.scheme_type.bfv)
    parameters.set_poly_modulus_degree(DEGREE)
    parameters.set_coeff_modulus(seal.CoeffModulus.Create(DEGREE, [50, 50, 50]))
    parameters.set_plain_modulus(PLAIN_MODULUS)
    context = seal.SEALContext(parameters)
    assert context.parameters_set()
    return context


def plaintext(coefficients: np.ndarray):
    terms = [f"{int(c):X}x^{i}" for i, c in enumerate(coefficients) if i and c][::-1]
    return seal.Plaintext(" + ".join([*terms, f"{int(coefficients[0]):X}"]))


def coefficients(plain) -> np.ndarray:
    out = np.zeros(DEGREE, np.uint32)
    for term in plain.to_string().split(" + "):
        value, _, exponent = term.partition("x^")
        out[int(exponent or 0)] = int(value, 16)
    return out


def test_products_of_packed_polynomials_agree(context, parties, convolution) -> None:
    """SEAL encrypts our packed masks, multiplies by our weight polynomials and decrypts; the released
    coefficients equal what our chain decrypts, plus s."""
    plan = LinearPlan.of(convolution(1, 9, 4, (16, 16)), 10)
    rng = np.random.default_rng(1)
    weights = rng.integers(-511, 512, plan.weight_shape).astype(np.int16)
    r = rng.integers(0, 2**32, plan.in_shape, dtype=np.uint32)
    s = rng.integers(0, 2**32, plan.out_shape, dtype=np.uint32)
    share = parties.client.decrypt(
        plan, parties.server.respond(plan, weights, parties.client.encrypt(plan, r), s)
    )

    keys = seal.KeyGenerator(context)
    encryptor = seal.Encryptor(context, keys.create_public_key())
    decryptor, evaluator = seal.Decryptor(context, keys.secret_key()), seal.Evaluator(context)
    encrypted = [encryptor.encrypt(plaintext(message)) for message in plan.pack_input(r)[0]]
    taps = weights.reshape(plan.weight_extents)
    out_block, in_block = plan.layout.out_block, plan.layout.in_block
    expected = np.zeros(plan.released_count, np.uint32)
    for o in range(plan.out_poly_count):
        total = None
        for i, ciphertext in enumerate(encrypted):
            part = taps[o * out_block : (o + 1) * out_block, i * in_block : (i + 1) * in_block]
            exponents = plan.exponents[: part.shape[0], : part.shape[1]].astype(np.int64)
            w = np.zeros(DEGREE, np.int64)
            np.add.at(w, exponents % DEGREE, np.where(exponents < DEGREE, part, -part.astype(np.int64)))
            product = evaluator.multiply_plain(ciphertext, plaintext(w % PLAIN_MODULUS))
            total = product if total is None else evaluator.add(total, product)
        begin, end = int(plan.starts[o]), int(plan.starts[o + 1])
        released = coefficients(decryptor.decrypt(total))[plan.positions[begin:end]]
        expected[plan.out_index[begin:end]] = released
    assert np.array_equal((share + s).ravel(), expected)
