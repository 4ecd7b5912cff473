"""Cross products at both parties, which are the offline half of an element-wise product of activations.

A unit is one element. It takes one OT per bit of the server's factor, and the words that follow from the
labels. Scripts count cross products in the units of `pi_bench.primitives.ot`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import numpy as np

from pi_bench.crypto import gilboa
from pi_bench.crypto.ot_extension import (
    COT_BITS,
    LABEL_BYTES,
    CotReceiver,
    CotSender,
    extension_bytes,
    random_delta,
)
from pi_bench.crypto.symmetric import LANES
from pi_bench.primitives.buffers import filled
from pi_bench.primitives.ot import EXTENSION_WORK
from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork, Primitive

_FACTORS = {"square": 31, "product": 32}
"""Bits of the server's factor. A product needs two such cross products, a square one."""

_SLICE_GROUPS = 128
"""Groups whose OTs are extended together, as in an offline phase: labels stay in a cache."""


def cross_work(role: str, bit_count: int) -> MinimalWork:
    """Returns the minimal work of one element: its OTs, then one hash per label that the role knows.

    Args:
        role: "sender" or "receiver".
        bit_count: bits of the server's factor.

    >>> cross_work("sender", 31).aes_blocks > cross_work("receiver", 31).aes_blocks
    True
    """
    hashes = {"sender": 2, "receiver": 1}[role]
    corrections = gilboa.correction_words(bit_count) * 4 / LANES
    moved = 4 * bit_count + corrections + 8  # extension message, corrections, factor, share
    return MinimalWork(
        aes_blocks=bit_count * (EXTENSION_WORK[role].aes_blocks + hashes),
        memory_bytes=moved,
    )


def cases(settings: CaseSettings) -> Iterator[Case]:
    """Computes one slice of the cross products of a square and of a product, at both parties.

    >>> [case.name for case in cases(CaseSettings(count=32, threads=(1,)))]
    ['square, sender', 'square, receiver', 'product, sender', 'product, receiver']
    """
    pairs = filled(COT_BITS * 2 * LABEL_BYTES).reshape(COT_BITS, 2, LABEL_BYTES)
    # The base keys do not fit to delta: the labels come out wrong, in the same time.
    with (
        CotReceiver(pairs) as receiver,
        random_delta(label=False) as delta,
        CotSender(delta, pairs[:, 0].copy(), receiver.tree_message) as sender,
    ):
        for name, bit_count in _FACTORS.items():
            yield from _of_width(settings, name, bit_count, sender, receiver)


def _of_width(
    settings: CaseSettings, name: str, bit_count: int, sender: CotSender, receiver: CotReceiver
) -> Iterator[Case]:
    group_count = min(_SLICE_GROUPS, -(-settings.count // LANES))
    count = group_count * LANES
    ot_count, hash_seed = count * bit_count, os.urandom(LABEL_BYTES)
    factor = filled(4 * count).view(np.uint32)
    labels = gilboa.empty_labels(bit_count, group_count)
    choices = receiver.extend(gilboa.choice_bits(factor, bit_count), ot_count, labels)
    corrections = np.zeros((group_count, gilboa.correction_words(bit_count)), np.uint32)
    wire = {
        "to_sender": extension_bytes(ot_count) / count,
        "to_receiver": corrections.nbytes / count,
    }

    def send(threads: int) -> None:
        sender.extend(choices, ot_count, labels, threads=threads)
        gilboa.product_send(sender, hash_seed, 1, 0, bit_count, labels, factor, threads=threads)

    def receive(threads: int) -> None:
        receiver.extend(gilboa.choice_bits(factor, bit_count), ot_count, labels, threads=threads)
        gilboa.product_receive(hash_seed, 1, 0, bit_count, labels, factor, corrections, threads=threads)

    for threads in settings.threads:
        for role, call in (("sender", send), ("receiver", receive)):
            yield Case(
                f"{name}, {role}",
                "element",
                count,
                threads,
                cross_work(role, bit_count),
                partial(call, threads),
                wire,
            )


CROSS = Primitive("cross products", families={"cross": cases})
