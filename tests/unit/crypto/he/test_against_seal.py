"""An independent implementation of the same scheme as oracle: Microsoft SEAL, in the package seal-python."""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest

from pi_bench.crypto.he import LinearPlan, LinearShape
from pi_bench.crypto.he.parameters import DEGREE, PLAIN_MODULUS
from tests.oracles import oracle

SHAPES = {
    "separate": ((1, 3, 64, (32, 32)), "compute"),
    "joined": ((1, 4, 32, (16, 16)), "compute"),
    "copied and joined": ((1, 64, 64, (8, 8)), "bytes"),
    "copied, with a stride, in two images": ((2, 16, 24, (16, 16), (3, 3), (2, 2)), "bytes"),
}


class Seal:
    """SEAL with the keys for a plan. Its plaintexts have the bits that the factor `copies` takes."""

    def __init__(self, plan: LinearPlan) -> None:
        self.seal = seal = oracle("seal")
        self.modulus = PLAIN_MODULUS * plan.layout.copies
        parameters = seal.EncryptionParameters(seal.scheme_type.bfv)
        parameters.set_poly_modulus_degree(DEGREE)
        parameters.set_coeff_modulus(seal.CoeffModulus.Create(DEGREE, [50, 50, 50, 50]))
        parameters.set_plain_modulus(self.modulus)
        context = seal.SEALContext(parameters)
        assert context.parameters_set()
        keys = seal.KeyGenerator(context)
        self.encryptor = seal.Encryptor(context, keys.create_public_key())
        self.decryptor = seal.Decryptor(context, keys.secret_key())
        self.evaluator = seal.Evaluator(context)
        self.galois_keys = keys.create_galois_keys() if plan.layout.copies > 1 else None

    def plaintext(self, coefficients: np.ndarray):
        values = coefficients % self.modulus
        terms = [f"{int(values[i]):X}x^{i}" for i in np.flatnonzero(values)[::-1] if i]
        return self.seal.Plaintext(" + ".join([*terms, f"{int(values[0]):X}"]))

    def coefficients(self, ciphertext) -> np.ndarray:
        out = np.zeros(DEGREE, np.int64)
        for term in self.decryptor.decrypt(ciphertext).to_string().split(" + "):
            value, _, exponent = term.partition("x^")
            out[int(exponent or 0)] = int(value, 16)
        return out

    def copies(self, plan: LinearPlan, message: np.ndarray) -> list:
        """The encrypted message, under each of the plan's automorphisms."""
        first = self.encryptor.encrypt(self.plaintext(message.astype(np.int64)))
        return [self._moved(first, power) for power in automorphisms(plan)]

    def _moved(self, ciphertext, power: int):
        """The ciphertext with X replaced by X**power. SEAL has keys for the powers 3**(2**k), which it takes
        one after the other."""
        exponent = next(e for e in range(DEGREE) if pow(3, e, 2 * DEGREE) == power)
        for k in range(exponent.bit_length()):
            if exponent >> k & 1:
                factor = pow(3, 1 << k, 2 * DEGREE)
                ciphertext = self.evaluator.apply_galois(ciphertext, factor, self.galois_keys)
        return ciphertext


def automorphisms(plan: LinearPlan) -> list[int]:
    """The powers of X by which `native/he/copies.h` replaces X."""
    step = 2 * DEGREE // (plan.layout.copies * plan.layout.per_answer)
    return [1 + step * i for i in range(plan.layout.copies)]


def moved_weights(plan: LinearPlan, weights: np.ndarray, out: int, operand: int) -> Iterator[np.ndarray]:
    """For each copy, the weight polynomial by which output polynomial `out` multiplies it."""
    layout = plan.layout
    taps = weights.reshape(plan.weight_extents).astype(np.int64)
    for power in automorphisms(plan):
        total = np.zeros(DEGREE, np.int64)
        for n in range(layout.copies):
            first = (out * layout.copies + n) * layout.out_block
            inputs = slice(operand * layout.in_block, (operand + 1) * layout.in_block)
            part = taps[first : first + layout.out_block, inputs]
            exponents = plan.exponents[: part.shape[0], : part.shape[1]].astype(np.int64)
            at = (exponents * power + n * layout.per_answer) % (2 * DEGREE)
            np.add.at(total, at % DEGREE, np.where(at < DEGREE, part, -part))
        yield total


class Answered(NamedTuple):
    """An operator with its weights and input, and the outputs that SEAL computes."""

    plan: LinearPlan
    weights: np.ndarray
    r: np.ndarray
    outputs: np.ndarray


@pytest.fixture(scope="module")
def answered_by_seal(convolution: Callable[..., LinearShape]) -> Callable[[str], Answered]:
    """answered_by_seal(name): one of the shapes, once for all instruction sets.

    SEAL encrypts our packed masks, moves them, multiplies by our weight polynomials and decrypts.
    """

    @functools.cache
    def answered(name: str) -> Answered:
        shape, objective = SHAPES[name]
        plan = LinearPlan.of(convolution(*shape), 10, objective)
        rng = np.random.default_rng(1)
        weights = rng.integers(-511, 512, plan.weight_shape).astype(np.int16)
        r = rng.integers(0, 2**32, plan.in_shape, dtype=np.uint32)
        return Answered(plan, weights, r, outputs_of_seal(plan, weights, r))

    return answered


def outputs_of_seal(plan: LinearPlan, weights: np.ndarray, r: np.ndarray) -> np.ndarray:
    seal = Seal(plan)
    expected = np.zeros(plan.released_count, np.uint32)
    for tile, messages in enumerate(plan.pack_input(r)):
        operands = [seal.copies(plan, message) for message in messages]
        for out in range(plan.out_poly_count):
            products = [
                seal.evaluator.multiply_plain(ciphertext, seal.plaintext(polynomial))
                for operand, copies in enumerate(operands)
                for ciphertext, polynomial in zip(
                    copies, moved_weights(plan, weights, out, operand), strict=True
                )
                if polynomial.any()  # SEAL refuses a product that hides nothing
            ]
            number = tile * plan.out_poly_count + out
            begin, end = int(plan.starts[number]), int(plan.starts[number + 1])
            found = seal.coefficients(seal.evaluator.add_many(products))[plan.positions[begin:end]]
            assert not (found % plan.layout.copies).any()
            expected[plan.out_index[begin:end]] = found // plan.layout.copies
    return expected.reshape(plan.out_shape)


@pytest.mark.parametrize("name", SHAPES)
def test_responses_agree_with_seal(name: str, parties, answered_by_seal: Callable[[str], Answered]) -> None:
    """Its released coefficients equal those that our client decrypts from the joined answers, plus s."""
    plan, weights, r, outputs = answered_by_seal(name)
    s = np.random.default_rng(2).integers(0, 2**32, plan.out_shape, dtype=np.uint32)
    response = parties.server.respond(plan, weights, parties.client.encrypt(plan, r), s)
    assert np.array_equal(parties.client.decrypt(plan, response) + s, outputs)


def test_shapes_cover_every_kind_of_response(convolution: Callable[..., LinearShape]) -> None:
    """The names of the shapes say what the default layouts do with them."""
    layouts = {
        name: LinearPlan.of(convolution(*shape), 10, objective).layout
        for name, (shape, objective) in SHAPES.items()
    }
    assert layouts["separate"].copies == layouts["separate"].per_answer == 1
    assert layouts["joined"].copies == 1 < layouts["joined"].per_answer
    assert layouts["copied, with a stride, in two images"].images == 2
    for name in ("copied and joined", "copied, with a stride, in two images"):
        assert layouts[name].copies > 1 and layouts[name].per_answer > 1
