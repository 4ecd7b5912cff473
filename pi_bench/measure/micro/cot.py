"""Correlated OT by extension and its additive form, both sides.

Source of the counts: SoftSpoken over GF(2^4) has 32 trees of 16 leaves (the sender knows 15 of them),
and every leaf yields one bit an OT.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import numpy as np

from pi_bench.crypto.additive_ot import additive_receive, additive_send
from pi_bench.crypto.ot_extension import (
    COT_BITS,
    LABEL_BYTES,
    CotReceiver,
    CotSender,
    extension_bytes,
    random_delta,
)
from pi_bench.crypto.symmetric import LANES
from pi_bench.measure.micro.case import Case, MinimalWork, Settings, filled

_OTS_PER_ELEMENT = 12
_MOVED_BYTES = LABEL_BYTES + extension_bytes(LANES) / LANES
EXTENSION_WORK = {
    "receiver": MinimalWork(aes_blocks=32 * 16 / COT_BITS, memory_bytes=_MOVED_BYTES),
    "sender": MinimalWork(aes_blocks=32 * 15 / COT_BITS, memory_bytes=_MOVED_BYTES),
}
"""Of one OT."""


def cases(settings: Settings) -> Iterator[Case]:
    """As many OTs as `settings.count` ReLUs of 11 ANDs need for their labels."""
    count = -(-settings.count // LANES) * LANES * _OTS_PER_ELEMENT
    choices, labels = filled(count // 8), filled(count * LABEL_BYTES)
    pairs = filled(COT_BITS * 2 * LABEL_BYTES).reshape(COT_BITS, 2, LABEL_BYTES)
    wire = {"wire": extension_bytes(LANES) / LANES}
    with CotReceiver(pairs) as receiver, random_delta(label=True) as delta:
        message = receiver.extend(choices, count, labels)
        # The base keys do not fit to delta: the labels come out wrong, in the same time.
        with CotSender(delta, pairs[:, 0].copy(), receiver.tree_message) as sender:
            for threads in settings.threads:
                yield Case(
                    "extend, receiver",
                    "OT",
                    count,
                    threads,
                    EXTENSION_WORK["receiver"],
                    partial(receiver.extend, choices, count, labels, threads=threads),
                    wire,
                )
                yield Case(
                    "extend, sender",
                    "OT",
                    count,
                    threads,
                    EXTENSION_WORK["sender"],
                    partial(sender.extend, message, count, labels, threads=threads),
                    wire,
                )
        yield from _additive(settings, delta.array.tobytes(), labels.reshape(-1, LABEL_BYTES))


def _additive(settings: Settings, delta: bytes, labels: np.ndarray) -> Iterator[Case]:
    """One OT an element: what the server's random select bit needs."""
    count = len(labels) // _OTS_PER_ELEMENT
    labels, hash_seed = labels[:count], os.urandom(16)
    correlation, tau = filled(8 * count).view(np.uint32).reshape(2, count)
    select = filled(count) & 1
    for threads in settings.threads:
        yield Case(
            "additive, sender",
            "OT",
            count,
            threads,
            MinimalWork(aes_blocks=2, memory_bytes=LABEL_BYTES + 12),
            partial(additive_send, delta, hash_seed, 1, 0, labels, correlation, threads=threads),
            {"wire": 4},
        )
        yield Case(
            "additive, receiver",
            "OT",
            count,
            threads,
            MinimalWork(aes_blocks=1, memory_bytes=LABEL_BYTES + 9),
            partial(additive_receive, hash_seed, 1, 0, labels, select, tau, threads=threads),
            {"wire": 4},
        )
