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
from pi_bench.crypto.ferret_groups import (
    FerretGroups,
    choose_bits,
    correct_groups,
    follow_choices,
    receive_groups,
    send_groups,
)
from pi_bench.crypto.ferret_plan import GROUP_TREES, LARGE, ROW_ONES
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

_STEPS = (
    "extend receiver",
    "extend sender",
    "add receiver",
    "add sender",
    "silent receiver",
    "silent sender",
    "silent correct",
)
_OTS_PER_ELEMENT = 12
_MOVED_BYTES = LABEL_BYTES + extension_bytes(LANES) / LANES
EXTENSION_WORK = {
    "receiver": MinimalWork(aes_blocks=32 * 16 / COT_BITS, memory_bytes=_MOVED_BYTES),
    "sender": MinimalWork(aes_blocks=32 * 15 / COT_BITS, memory_bytes=_MOVED_BYTES),
}
"""The minimal work of extending one OT, by role."""

SILENT_WORK = MinimalWork(aes_blocks=1 + ROW_ONES / 4, memory_bytes=LABEL_BYTES)
"""The minimal work of one OT of Ferret, at either role: a node, the words of a row, and the label.

The ten secrets that a row adds stay in a cache, and are not counted.
"""


def ot_work(step: str, count: int) -> CostUnits:
    """Counts one step on `count` OTs.

    Args:
        step: "extend" (SoftSpoken), "silent" (Ferret) or "add" (the additive form), with "receiver" or
            "sender", or "silent correct", by which Ferret's sender makes its message.

    >>> ot_work("extend sender", 128).units
    {'ot extend sender': 128.0}
    """
    return CostUnits({f"ot {step}": float(count)})


def cases(settings: CaseSettings) -> Iterator[Case]:
    """Extends as many OTs as `settings.count` ReLUs of 11 ANDs need for their labels, then adds on some.

    >>> roles = [case.name for case in cases(CaseSettings(count=32, threads=(1,)))]
    >>> roles[:4] == ["extend, receiver", "extend, sender", "additive, sender", "additive, receiver"]
    True
    >>> roles[4:]
    ['silent, receiver', 'silent, sender', 'silent, correct']
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
    yield from _silent(settings, count)


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


def _silent(settings: CaseSettings, count: int) -> Iterator[Case]:
    """Runs Ferret's kernels on whole groups of trees, with inputs that need not fit together.

    Each call also turns its OTs into chosen ones, as an instance does.
    """
    levels, secrets = LARGE.levels, LARGE.secrets
    groups = max(1, count // (GROUP_TREES << levels))
    ots = groups * GROUP_TREES << levels
    seed, delta = bytes(LABEL_BYTES), b"\x01".ljust(LABEL_BYTES)
    paths, inputs = filled(groups * levels * GROUP_TREES * LABEL_BYTES), filled(secrets * LABEL_BYTES)
    corrections = filled(groups * (levels - 1) * GROUP_TREES * LABEL_BYTES)
    labels, choices = filled(ots * LABEL_BYTES), filled(ots // 8)

    def call(threads: int) -> FerretGroups:
        return FerretGroups(seed, 0, 0, groups, levels, seed, inputs, threads)

    def receive(threads: int) -> None:
        receive_groups(call(threads), paths, corrections, labels)
        choose_bits(labels, choices, choices, labels, even=False)

    def send(threads: int) -> None:
        send_groups(call(threads), delta, paths, labels)
        follow_choices(labels, delta, choices, labels)

    def correct(threads: int) -> None:
        correct_groups(call(threads), delta, paths, corrections)

    chosen = {"wire": 1 / 8}
    sent = {"wire": corrections.nbytes / ots}
    for threads in settings.threads:
        yield Case("silent, receiver", "OT", ots, threads, SILENT_WORK, partial(receive, threads), chosen)
        yield Case("silent, sender", "OT", ots, threads, SILENT_WORK, partial(send, threads), chosen)
        yield Case("silent, correct", "OT", ots, threads, MinimalWork(1, 0), partial(correct, threads), sent)


def timed_cases(settings: CaseSettings) -> Iterator[TimedCase]:
    """Yields the cases that the costs of oblivious transfer are fitted to: those of `cases`.

    >>> [list(timed.work.units) for timed in timed_cases(CaseSettings(count=32, threads=(1,)))]
    [['ot extend receiver'], ['ot extend sender'], ['ot add sender'], ['ot add receiver'],
     ['ot silent receiver'], ['ot silent sender'], ['ot silent correct']]
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
    "ot silent receiver": MinimalWork(aes_blocks=SILENT_WORK.aes_blocks),
    "ot silent sender": MinimalWork(aes_blocks=SILENT_WORK.aes_blocks),
    "ot silent correct": MinimalWork(aes_blocks=1),
}
"""The minimal work of one OT. Its labels may stay in a cache."""

OT = Primitive(
    "oblivious transfers", tuple(f"ot {step}" for step in _STEPS), {"cot": cases}, timed_cases, LEAST
)
