"""Turns correlated OTs into additive shares of choice times correlation modulo 2^32.

Source: Asharov, Lindell, Schneider and Zohner, CCS 2013, section 5.4. docs/threat-model.md, section 7, says
where each pad is used.
"""

from __future__ import annotations

import numpy as np

from pi_bench import _native
from pi_bench.crypto.secret import SecretBytes


def additive_send(
    delta: bytes | SecretBytes,
    hash_seed: bytes,
    gadget: int,
    first_group: int,
    zero_labels: np.ndarray,
    correlation: np.ndarray,
    *,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Computes (tau, beta), uint32 like `correlation`. tau goes to the receiver; beta is this party's share.

    With the receiver's share alpha, alpha + beta = choice * correlation mod 2^32.

    Use each (hash_seed, gadget, group) once.

    Args:
        delta, hash_seed: 16 bytes.
        gadget: the gadget's number, 24 bits.
        first_group: the number of the first group of 32 elements.
        zero_labels: uint8 (n, 16).
        correlation: uint32 of n elements, n a multiple of 32.

    >>> delta, hash_seed = bytes(range(16)), bytes(16)
    >>> zero, choices = np.zeros((32, 16), np.uint8), np.arange(32, dtype=np.uint8) % 2
    >>> tau, beta = additive_send(delta, hash_seed, 0, 0, zero, np.full(32, 1000, np.uint32))
    >>> active = zero ^ choices[:, None] * np.frombuffer(delta, np.uint8)
    >>> alpha = additive_receive(hash_seed, 0, 0, active, choices, tau)
    >>> (alpha + beta)[:4].tolist()
    [0, 1000, 0, 1000]

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or a number has too many bits.
    """
    tau, beta = np.empty_like(correlation), np.empty_like(correlation)
    delta_bytes = delta.array if isinstance(delta, SecretBytes) else delta
    _native.ot.additive_send(
        delta_bytes, hash_seed, gadget, first_group, zero_labels, correlation, tau, beta, threads
    )
    return tau, beta


def additive_receive(
    hash_seed: bytes,
    gadget: int,
    first_group: int,
    active_labels: np.ndarray,
    choices: np.ndarray,
    tau: np.ndarray,
    *,
    threads: int = 1,
) -> np.ndarray:
    """Computes the receiver's share alpha, uint32 like `tau`.

    The other arguments are those of `additive_send`, which shows an example of both.

    Args:
        active_labels: uint8 (n, 16).
        choices: uint8 (n,), 0 or 1 per element, not packed.

    >>> labels, choices, tau = np.zeros((32, 16), np.uint8), np.zeros(32, np.uint8), np.zeros(32, np.uint32)
    >>> additive_receive(bytes(16), 0, 0, labels, choices, tau).shape
    (32,)

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or a number has too many bits.
    """
    alpha = np.empty_like(tau)
    _native.ot.additive_receive(hash_seed, gadget, first_group, active_labels, choices, tau, alpha, threads)
    return alpha
