"""Makes groups of Ferret's OTs from the labels that a batch holds, and lets callers choose their bits.

The layouts are those of native/ot/ferret.h. Nothing here counts uses: `ferret` calls each group once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pi_bench import _native


@dataclass(frozen=True, slots=True, eq=False)
class FerretGroups:
    """Names the groups of a call: `groups` from `first_group` on, of batch `batch` under public seeds.

    Attributes:
        secrets: uint8 (n, 16), a party's labels of the code's secret.
        levels: the number of levels of a tree.

    >>> call = FerretGroups(bytes(16), 0, 0, 1, 3, bytes(16), np.zeros((5, 16), np.uint8), threads=1)
    >>> delta, paths = b"\\x01".ljust(16), np.zeros((1, 3, 4, 16), np.uint8)
    >>> corrections, zero_labels, labels = (np.empty((n, 16), np.uint8) for n in (8, 32, 32))
    >>> correct_groups(call, delta, paths, corrections)
    >>> send_groups(call, delta, paths, zero_labels)
    >>> receive_groups(call, paths, corrections, labels)  # path bits of 0 lead to the last leaf
    >>> np.flatnonzero((labels != zero_labels).any(axis=1)).tolist()
    [28, 29, 30, 31]
    """

    hash_seed: bytes
    batch: int
    first_group: int
    groups: int
    levels: int
    code_seed: bytes
    secrets: np.ndarray
    threads: int


def correct_groups(
    call: FerretGroups, delta: bytes | np.ndarray, paths: np.ndarray, out_corrections: np.ndarray
) -> None:
    """Writes the sender's corrections of all groups of a batch. `FerretGroups` shows an example.

    Args:
        delta: 16 bytes with bit 0 set.
        paths: uint8 (groups, levels, 4, 16).
        out_corrections: uint8 of (groups, levels - 1, 4, 16).

    >>> call = FerretGroups(bytes(16), 0, 0, 1, 3, bytes(16), np.zeros((5, 16), np.uint8), threads=1)
    >>> correct_groups(call, bytes(16), np.zeros((1, 3, 4, 16), np.uint8), np.empty((1, 2, 4, 16), np.uint8))

    Raises:
        ValueError, TypeError: a buffer has another size or type.
    """
    _native.ferret.correct(
        call.hash_seed, call.batch, call.groups, call.levels, delta, paths, out_corrections, call.threads
    )


def send_groups(
    call: FerretGroups, delta: bytes | np.ndarray, paths: np.ndarray, out_labels: np.ndarray
) -> None:
    """Writes the sender's labels, uint8 of (groups, 4 << levels, 16). `FerretGroups` shows an example.

    >>> call = FerretGroups(bytes(16), 0, 0, 1, 3, bytes(16), np.zeros((5, 16), np.uint8), threads=1)
    >>> send_groups(call, bytes(16), np.zeros((1, 3, 4, 16), np.uint8), np.empty((1, 32, 16), np.uint8))

    Raises:
        ValueError, TypeError: a buffer has another size or type.
    """
    _native.ferret.send(*_where(call), delta, paths, out_labels, call.threads)


def receive_groups(
    call: FerretGroups, paths: np.ndarray, corrections: np.ndarray, out_labels: np.ndarray
) -> None:
    """Writes the receiver's labels, uint8 of (groups, 4 << levels, 16). `FerretGroups` shows an example.

    >>> call = FerretGroups(bytes(16), 0, 0, 1, 3, bytes(16), np.zeros((5, 16), np.uint8), threads=1)
    >>> labels = np.empty((1, 32, 16), np.uint8)
    >>> receive_groups(call, np.zeros((1, 3, 4, 16), np.uint8), np.zeros((1, 2, 4, 16), np.uint8), labels)

    Raises:
        ValueError, TypeError: a buffer has another size or type.
    """
    _native.ferret.receive(*_where(call), paths, corrections, out_labels, call.threads)


def choose_bits(
    labels: np.ndarray, choices: np.ndarray, out_message: np.ndarray, out_labels: np.ndarray, *, even: bool
) -> None:
    """Makes the receiver's message that turns its random choices into `choices`, and its labels.

    Args:
        labels, out_labels: uint8 of 16 n bytes.
        choices, out_message: uint8 (n / 8,), little-bit-first.
        even: whether bit 0 of delta is 0.

    >>> labels, message = np.ones((32, 16), np.uint8), np.empty(4, np.uint8)  # all choices are 1
    >>> choose_bits(labels, np.array([1, 0, 0, 0], np.uint8), message, labels, even=False)
    >>> message.tolist()
    [254, 255, 255, 255]

    Raises:
        ValueError, TypeError: a buffer has another size or type.
    """
    count = choices.size * 8
    _native.ferret.derandomize_receiver(labels, count, choices, even, out_message, out_labels)


def follow_choices(
    labels: np.ndarray, delta: bytes | np.ndarray, message: np.ndarray, out_labels: np.ndarray
) -> None:
    """Makes the sender's labels of the OTs that `choose_bits` has made. `delta` has bit 0 set.

    >>> labels, delta = np.zeros((32, 16), np.uint8), np.ones(16, np.uint8)
    >>> follow_choices(labels, delta, np.array([1, 0, 0, 0], np.uint8), labels)
    >>> labels[:2, 0].tolist()
    [1, 0]

    Raises:
        ValueError, TypeError: a buffer has another size or type.
    """
    _native.ferret.derandomize_sender(labels, message.size * 8, delta, message, out_labels)


def _where(call: FerretGroups) -> tuple[bytes, int, int, int, int, bytes, np.ndarray]:
    return (
        call.hash_seed,
        call.batch,
        call.first_group,
        call.groups,
        call.levels,
        call.code_seed,
        call.secrets,
    )
