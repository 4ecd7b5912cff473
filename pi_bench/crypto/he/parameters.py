"""Holds the scheme's parameters and bounds its noise in the worst case (docs/threat-model.md, section 8)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pi_bench import _native
from pi_bench.errors import ModelError

DEGREE: int = _native.he.DEGREE
PRIMES: tuple[int, int, int] = _native.he.PRIMES
MODULUS = math.prod(PRIMES)  # q
PLAIN_BITS: int = _native.he.PLAIN_BITS
PLAIN_MODULUS = 1 << PLAIN_BITS  # t
FLOOD_BITS: int = _native.he.FLOOD_BITS
BINOMIAL_BITS: int = _native.he.BINOMIAL_BITS
SEED_BYTES: int = _native.he.SEED_BYTES
CIPHERTEXT_BYTES: int = _native.he.CIPHERTEXT_BYTES
PACKED_POLY_BYTES: int = _native.he.PACKED_POLY_BYTES
MAX_JOIN_LEVELS: int = _native.he.MAX_JOIN_LEVELS
JOIN_KEYS_BYTES: int = MAX_JOIN_LEVELS * _native.he.JOIN_KEY_BYTES
COPY_PRIME: int = _native.he.COPY_PRIME
COPY_ORDER: int = _native.he.COPY_ORDER
COPY_KEYS: int = _native.he.COPY_KEYS
COPY_KEYS_BYTES: int = COPY_KEYS * _native.he.COPY_KEY_BYTES
MAX_INPUT_POLYS: int = _native.he.MAX_PRODUCTS - 1  # one more product is the encryption of zero

MAX_WIRE_BYTES = 1 << 32
"""Bounds one operator: shapes come from the peer, and small ones can need a polynomial per output row."""

SIMULATION_BITS = 50
"""A response of one linear operator is within 2**-SIMULATION_BITS of a simulated one."""


FAILURE_BITS = 128
"""A joined answer decrypts wrongly with a chance of at most 2**-FAILURE_BITS."""


def public_key_bytes(*, copy_keys: bool) -> int:
    """Returns the size of the public key of a client. Only plans with copies need the copy keys in it.

    >>> public_key_bytes(copy_keys=True) - public_key_bytes(copy_keys=False) == COPY_KEYS_BYTES
    True
    """
    return CIPHERTEXT_BYTES + JOIN_KEYS_BYTES + (COPY_KEYS_BYTES if copy_keys else 0)


def released_bytes(count: int) -> int:
    """Returns the size in bytes of a response polynomial that releases `count` coefficients.

    >>> released_bytes(8192) == 2 * PACKED_POLY_BYTES
    True
    """
    return PACKED_POLY_BYTES + (count * PACKED_POLY_BYTES * 8 // DEGREE + 7) // 8


@dataclass(frozen=True, slots=True)
class WeightBound:
    """Bounds the weights of one product polynomial by public figures.

    With `copies` above 1, an output polynomial holds that many products (native/he/copies.h).

    >>> WeightBound(count=4608, largest=511).total
    2354688
    """

    count: int  # of weights
    largest: int  # of |w|
    meeting: int = 1  # the most weights that meet at one exponent
    copies: int = 1

    @property
    def total(self) -> int:
        """The largest possible sum of |w|."""
        return self.count * self.largest


def noise_before_flood(weights: WeightBound) -> int:
    """Bounds the noise modulo q that depends on weights and client randomness, in the very worst case.

    Each weight meets noise of at most BINOMIAL_BITS, once for each copy, and a rounding of 1/2. Every copy
    but the first adds noise of `_switch_noise`, which meets the weights of all products of the polynomial.
    The encryption of zero adds e u + e2 s; the mask adds another rounding.

    >>> small, large = (noise_before_flood(WeightBound(count, 1)) for count in (1000, 2000))
    >>> small < large < 1 << FLOOD_BITS
    True
    """
    switched = (weights.copies - 1) * weights.copies * weights.total * _switch_noise()
    return _fresh_noise(weights) + switched


def expected_noise(weights: WeightBound) -> int:
    """Bounds the mean of the noise of `noise_before_flood` over the client's randomness.

    The statistical distance of a released coefficient is at most this over 2**(FLOOD_BITS + 1). Without
    copies it is the worst case. With copies, the noise of ciphertexts and of key switching is bounded by its
    root mean square: digits are uniform, drawn noise has the variance BINOMIAL_BITS / 2, and the squares of
    the moved weights sum to at most copies**2 * count * meeting * largest**2 (docs/threat-model.md).

    >>> plain, copied = (WeightBound(4608, 511, copies=copies) for copies in (1, 8))
    >>> expected_noise(plain) == noise_before_flood(plain)
    True
    >>> 1 << 25 < expected_noise(copied) < noise_before_flood(copied) >> 16
    True
    """
    if weights.copies == 1:
        return _fresh_noise(weights)
    squares = weights.copies**2 * weights.count * weights.meeting * weights.largest**2
    variance = switch_variance() + (BINOMIAL_BITS + 1) // 2
    return math.isqrt(squares * variance) + 1 + _rounding_and_zero_noise(weights)


def switch_variance() -> int:
    """Bounds the variance of a coefficient of the noise that one copy adds.

    A digit is uniform in half a prime either way. Dividing by the special prime rounds c0 by at most 1/2, and
    c1, uniformly, by at most 1/2, which meets N ternary coefficients of the secret.

    >>> switch_variance()
    22188
    """
    digits = len(PRIMES) * DEGREE * BINOMIAL_BITS * PRIMES[0] ** 2
    return digits // (24 * COPY_PRIME**2) + DEGREE // 12 + 2


def _fresh_noise(weights: WeightBound) -> int:
    return BINOMIAL_BITS * weights.copies * weights.total + _rounding_and_zero_noise(weights)


def _rounding_and_zero_noise(weights: WeightBound) -> int:
    return weights.total // 2 + 1 + 2 * BINOMIAL_BITS * DEGREE + 1


def _switch_noise() -> int:
    """Bounds the noise of one copy in the very worst case."""
    digits = len(PRIMES) * DEGREE * BINOMIAL_BITS * (PRIMES[0] // 2)
    return digits // COPY_PRIME + 1 + (DEGREE + 1) // 2 + 1


def noise_after_switch(weights: WeightBound) -> int:
    """Bounds the noise of an answer that was switched to the first prime. Decryption must remove this noise.

    Rounding c0 costs 1/2; rounding c1 costs 1/2 for each of the N ternary coefficients of the secret.

    >>> noise_after_switch(WeightBound(1000, 1)) < PRIMES[0] // (2 * PLAIN_MODULUS)
    True
    """
    total = noise_before_flood(weights) + (1 << FLOOD_BITS)
    return total * PRIMES[0] // MODULUS + 1 + (DEGREE + 1) // 2 + 1


def join_failure_bits(levels: int, weights: WeightBound) -> float:
    """Bounds the chance that joining `levels` levels makes one coefficient decrypt wrongly, as -log2.

    A key switch adds a sum over N coefficients of a digit, which is uniform in half a prime either way, times
    key noise over the special prime, and a rounding of c1 times the secret. Uniform numbers in [-1/2, 1/2]
    are subgaussian with variance 1/12. A switch is doubled at each level after its own. The squares of key
    noise and of the secret sum to at most N * BINOMIAL_BITS, which is twice their mean and more than 60
    deviations above it.

    >>> join_failure_bits(MAX_JOIN_LEVELS, WeightBound(1000, 1)) > 300
    True
    """
    if levels == 0:
        return math.inf
    margin = PRIMES[0] // (2 * PLAIN_MODULUS) - noise_after_switch(weights) - 1
    variance = DEGREE * (BINOMIAL_BITS + 1) / 12 * ((1 << 2 * levels) - 1) / 3
    return margin * margin / (2 * variance) / math.log(2) - 1


def require_join(per_answer: int, weights: WeightBound, name: str) -> None:
    """Refuses joined answers that could decrypt wrongly with a chance above 2**-FAILURE_BITS each.

    >>> require_join(1 << MAX_JOIN_LEVELS, WeightBound(1000, 1), name="conv1")

    Raises:
        ModelError: the weights are too large for the parameters.
    """
    if join_failure_bits((per_answer - 1).bit_length(), weights) - DEGREE.bit_length() < FAILURE_BITS:
        raise ModelError(f"{name}: too many or too wide weights for encryption; use fewer --weight-bits")


def require_noise(weights: WeightBound, released_count: int, name: str) -> None:
    """Refuses a linear operator that could decrypt wrongly or leave its noise visible.

    Only public figures enter, so a refusal says nothing about the weights.

    >>> require_noise(WeightBound(1000, 1), released_count=4096, name="conv1")
    >>> require_noise(WeightBound(1, 1 << 113), released_count=4096, name="conv1")
    Traceback (most recent call last):
        ...
    pi_bench.errors.ModelError: conv1: too many or too wide weights for encryption; use fewer --weight-bits

    Raises:
        ModelError: the weights or `released_count` are too large for the parameters.
    """
    if noise_after_switch(weights) >= PRIMES[0] // (2 * PLAIN_MODULUS):
        raise ModelError(f"{name}: too many or too wide weights for encryption; use fewer --weight-bits")
    distance_bits = FLOOD_BITS + 1 - math.log2(expected_noise(weights) * max(released_count, 1))
    if distance_bits < SIMULATION_BITS:
        raise ModelError(
            f"{name}: the flooding hides the noise by {distance_bits:.1f} bits only, {SIMULATION_BITS} are "
            "required; use fewer --weight-bits, or split the layer"
        )
