"""Holds the scheme's parameters and bounds its noise in the worst case (docs/threat-model.md, section 8)."""

from __future__ import annotations

import math

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
PUBLIC_KEY_BYTES = CIPHERTEXT_BYTES + JOIN_KEYS_BYTES
MAX_INPUT_POLYS: int = _native.he.MAX_PRODUCTS - 1  # one more product is the encryption of zero

SIMULATION_BITS = 50
"""A response of one linear operator is within 2**-SIMULATION_BITS of a simulated one."""


FAILURE_BITS = 128
"""A joined answer decrypts wrongly with a chance of at most 2**-FAILURE_BITS."""


def released_bytes(count: int) -> int:
    """Returns the size in bytes of a response polynomial that releases `count` coefficients.

    >>> released_bytes(8192) == 2 * PACKED_POLY_BYTES
    True
    """
    return PACKED_POLY_BYTES + (count * PACKED_POLY_BYTES * 8 // DEGREE + 7) // 8


def noise_before_flood(weight_sum: int) -> int:
    """Bounds the noise modulo q that depends on weights and client randomness.

    Each weight meets noise of at most BINOMIAL_BITS and a rounding of 1/2; the encryption of zero adds
    e u + e2 s; the mask adds another rounding.

    Args:
        weight_sum: bounds the sum of |w| over all weights of one output polynomial.

    >>> noise_before_flood(1000) < noise_before_flood(2000) < 1 << FLOOD_BITS
    True
    """
    return (2 * BINOMIAL_BITS + 1) * weight_sum // 2 + 1 + 2 * BINOMIAL_BITS * DEGREE + 1


def noise_after_switch(weight_sum: int) -> int:
    """Bounds the noise of an answer that was switched to the first prime. Decryption must remove this noise.

    Rounding c0 costs 1/2; rounding c1 costs 1/2 for each of the N ternary coefficients of the secret.

    Args:
        weight_sum: bounds the sum of |w| over all weights of one output polynomial.

    >>> noise_after_switch(1000) < PRIMES[0] // (2 * PLAIN_MODULUS)
    True
    """
    total = noise_before_flood(weight_sum) + (1 << FLOOD_BITS)
    return total * PRIMES[0] // MODULUS + 1 + (DEGREE + 1) // 2 + 1


def join_failure_bits(levels: int, weight_sum: int) -> float:
    """Bounds the chance that joining `levels` levels makes one coefficient decrypt wrongly, as -log2.

    A key switch adds a sum over N coefficients of a digit, which is uniform in half a prime either way, times
    key noise over the special prime, and a rounding of c1 times the secret. Uniform numbers in [-1/2, 1/2]
    are subgaussian with variance 1/12. A switch is doubled at each level after its own. The squares of key
    noise and of the secret sum to at most N * BINOMIAL_BITS, which is twice their mean and more than 60
    deviations above it.

    >>> join_failure_bits(MAX_JOIN_LEVELS, weight_sum=1000) > 300
    True
    """
    if levels == 0:
        return math.inf
    margin = PRIMES[0] // (2 * PLAIN_MODULUS) - noise_after_switch(weight_sum) - 1
    variance = DEGREE * (BINOMIAL_BITS + 1) / 12 * ((1 << 2 * levels) - 1) / 3
    return margin * margin / (2 * variance) / math.log(2) - 1


def require_join(per_answer: int, weight_sum: int, name: str) -> None:
    """Refuses joined answers that could decrypt wrongly with a chance above 2**-FAILURE_BITS each.

    >>> require_join(1 << MAX_JOIN_LEVELS, weight_sum=1000, name="conv1")

    Raises:
        ModelError: `weight_sum` is too large for the parameters.
    """
    if join_failure_bits((per_answer - 1).bit_length(), weight_sum) - DEGREE.bit_length() < FAILURE_BITS:
        raise ModelError(f"{name}: too many or too wide weights for encryption; use fewer --weight-bits")


def require_noise(weight_sum: int, released_count: int, name: str) -> None:
    """Refuses a linear operator that could decrypt wrongly or leave its noise visible.

    Only public figures enter, so a refusal says nothing about the weights.

    >>> require_noise(1000, released_count=4096, name="conv1")
    >>> require_noise(1 << 113, released_count=4096, name="conv1")
    Traceback (most recent call last):
        ...
    pi_bench.errors.ModelError: conv1: too many or too wide weights for encryption; use fewer --weight-bits

    Raises:
        ModelError: `weight_sum` or `released_count` is too large for the parameters.
    """
    if noise_after_switch(weight_sum) >= PRIMES[0] // (2 * PLAIN_MODULUS):
        raise ModelError(f"{name}: too many or too wide weights for encryption; use fewer --weight-bits")
    distance_bits = FLOOD_BITS + 1 - math.log2(noise_before_flood(weight_sum) * max(released_count, 1))
    if distance_bits < SIMULATION_BITS:
        raise ModelError(
            f"{name}: the flooding hides the noise by {distance_bits:.1f} bits only, {SIMULATION_BITS} are "
            "required; use fewer --weight-bits, or split the layer"
        )
