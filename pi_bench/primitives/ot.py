"""Correlated OT by extension and its additive form, at both parties.

Source of the counts: Roy, SoftSpokenOT, CRYPTO 2022. Over GF(2^4) it has 32 trees of 16 leaves, of which the
sender knows 15, and every leaf yields one bit per OT.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import numpy as np

from pi_bench.costs import CostUnits
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
from pi_bench.primitives.buffers import filled
from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork, Primitive, TimedCase

_STEPS = ("extend receiver", "extend sender", "add receiver", "add sender")
_OTS_PER_ELEMENT = 12
_MOVED_BYTES = LABEL_BYTES + extension_bytes(LANES) / LANES
EXTENSION_WORK = {
    "receiver": MinimalWork(aes_blocks=32 * 16 / COT_BITS, memory_bytes=_MOVED_BYTES),
    "sender": MinimalWork(aes_blocks=32 * 15 / COT_BITS, memory_bytes=_MOVED_BYTES),
}
"""The minimal work of extending one OT, by role."""


def ot_work(step: str, count: int) -> CostUnits:
    """Counts one step on `count` OTs.

    Args:
        step: "extend receiver", "extend sender", "add receiver" or "add sender", where "add" is the additive
            form.

    >>> ot_work("extend sender", 128).units
    {'ot extend sender': 128.0}
    """
    return CostUnits({f"ot {step}": float(count)})


def cases(settings: CaseSettings) -> Iterator[Case]:
    """Extends as many OTs as `settings.count` ReLUs of 11 ANDs need for their labels, then adds on some.

    >>> roles = [case.name for case in cases(CaseSettings(count=32, threads=(1,)))]
    >>> roles == ["extend, receiver", "extend, sender", "additive, sender", "additive, receiver"]
    True
    """
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


def _additive(settings: CaseSettings, delta: bytes, labels: np.ndarray) -> Iterator[Case]:
    """Runs one additive OT per element, as the random select bits of the server need it."""
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


def timed_cases(settings: CaseSettings) -> Iterator[TimedCase]:
    """Yields the cases that the costs of oblivious transfer are fitted to: those of `cases`.

    >>> [list(timed.work.units) for timed in timed_cases(CaseSettings(count=32, threads=(1,)))]
    [['ot extend receiver'], ['ot extend sender'], ['ot add sender'], ['ot add receiver']]
    """
    for case in cases(settings):
        kind, role = case.name.split(", ")
        step = f"{kind.removesuffix('itive')} {role}"
        yield TimedCase(ot_work(step, case.unit_count), case)


LEAST = {
    "ot extend receiver": MinimalWork(aes_blocks=EXTENSION_WORK["receiver"].aes_blocks),
    "ot extend sender": MinimalWork(aes_blocks=EXTENSION_WORK["sender"].aes_blocks),
    "ot add receiver": MinimalWork(aes_blocks=1),
    "ot add sender": MinimalWork(aes_blocks=2),
}
"""The minimal work of one OT. Its labels may stay in a cache."""

OT = Primitive(
    "oblivious transfers", tuple(f"ot {step}" for step in _STEPS), {"cot": cases}, timed_cases, LEAST
)
