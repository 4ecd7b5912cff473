"""Oblivious transfer, each step and role: one thread, streaming from memory."""

import os

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto.base_ot import BaseOtReceiver, BaseOtSender
from pi_bench.crypto.ferret import FerretReceiver, FerretSender
from pi_bench.crypto.ferret_plan import LARGE, FerretPlan, choice_bytes, ferret_batches
from pi_bench.crypto.ot_extension import (
    LABEL_BYTES,
    CotReceiver,
    CotSender,
    base_choice_bits,
    extension_bytes,
    random_delta,
)
from pi_bench.crypto.symmetric import require_isa
from pi_bench.primitives import Case, CaseSettings, MinimalWork
from pi_bench.primitives.buffers import filled
from pi_bench.primitives.cross import cases as cross_cases
from pi_bench.primitives.ot import EXTENSION_WORK
from pi_bench.primitives.ot import cases as ot_cases

COUNT = 1 << 20
BASE_COUNT = 128
SILENT_COUNT = 1 << 22
"""The OTs of an instance of Ferret, about as many as the label OTs of 370,000 ReLUs."""


@pytest.mark.parametrize("role", ["receiver", "sender"])
def test_base_ot(benchmark, role: str) -> None:
    choices = np.frombuffer(os.urandom(BASE_COUNT), np.uint8) & 1
    sender = BaseOtSender(b"benchmark")
    reply = BaseOtReceiver(b"benchmark", sender.message, choices).reply
    benchmark.extra_info.update(ots=BASE_COUNT, message_bytes=len(sender.message), reply_bytes=len(reply))
    if role == "receiver":
        benchmark(BaseOtReceiver, b"benchmark", sender.message, choices)
    else:
        benchmark.pedantic(
            lambda fresh: fresh.keys(reply), setup=lambda: ((BaseOtSender(b"benchmark"),), {}), rounds=10
        )


@pytest.mark.parametrize("step", ["receiver", "sender", "additive-send", "additive-receive"])
def test_correlated_ot(time_case, target, isa: str, step: str) -> None:
    """Times the kernels themselves: an instance of `ot_extension` takes the process's instruction set."""
    ot = _native.ot
    leaves, delta, hash_seed = os.urandom(ot.LEAF_BYTES), os.urandom(LABEL_BYTES), os.urandom(16)
    packed, message = filled(COUNT // 8), filled(extension_bytes(COUNT))
    labels = filled(COUNT * LABEL_BYTES).reshape(COUNT, LABEL_BYTES)
    words, tau, share = filled(12 * COUNT).view(np.uint32).reshape(3, COUNT)
    choices = filled(COUNT) & 1
    additive_memory = LABEL_BYTES + 12
    calls = {
        "receiver": (
            EXTENSION_WORK["receiver"],
            lambda: ot.extend_receiver(leaves, 0, COUNT, packed, message, labels, 1, isa),
        ),
        "sender": (
            EXTENSION_WORK["sender"],
            lambda: ot.extend_sender(leaves, delta, 0, COUNT, message, labels, 1, isa),
        ),
        "additive-send": (
            MinimalWork(aes_blocks=2, memory_bytes=additive_memory),
            lambda: ot.additive_send(delta, hash_seed, 1, 0, labels, words, tau, share, 1, isa),
        ),
        "additive-receive": (
            MinimalWork(aes_blocks=1, memory_bytes=additive_memory),
            lambda: ot.additive_receive(hash_seed, 1, 0, labels, choices, tau, share, 1, isa),
        ),
    }
    work, call = calls[step]
    wire = {"wire": extension_bytes(COUNT) / COUNT}
    time_case(Case(f"COT {step}", "OT", COUNT, 1, work, call, wire), isa, f"cot-{step}-{isa}")
    if step == "receiver":
        target("cot-bytes", wire["wire"])


@pytest.mark.parametrize("step", ["receiver", "sender", "correct"])
def test_silent_ot(time_case, benchmark, step: str) -> None:
    """Times Ferret's kernels on a full large batch, in the process's instruction set."""
    settings = CaseSettings(count=(LARGE.most_trees << LARGE.levels) // 12, threads=(1,))
    for case in ot_cases(settings):
        if case.name == f"silent, {step}":
            benchmark.extra_info.update({f"{key}_bytes": size for key, size in case.bytes.items()})
            time_case(case, "", f"silent-{step}-{require_isa()}")
            return
    raise LookupError(f"no case silent, {step}")


@pytest.mark.parametrize("phase", ["set-up", "all"])
def test_silent_instance(benchmark, target, phase: str) -> None:
    """Times both parties of an instance in turns, one thread, from its first message on.

    The set-up ends with the sender's corrections. Bytes are those of all messages.
    """
    plan = FerretPlan(ferret_batches(SILENT_COUNT), b"benchmark", even=False)
    choices, labels = filled(SILENT_COUNT // 8), filled(SILENT_COUNT * LABEL_BYTES)
    sent_bytes = plan.set_up_bytes + plan.correction_bytes
    with random_delta(label=True) as delta:

        def parties() -> tuple[tuple[CotReceiver, CotSender], dict[str, object]]:
            pairs = np.frombuffer(os.urandom(BASE_COUNT * 2 * LABEL_BYTES), np.uint8)
            pairs = pairs.reshape(BASE_COUNT, 2, LABEL_BYTES)
            receiver = CotReceiver(pairs)
            own = pairs[np.arange(BASE_COUNT), base_choice_bits(delta)]
            return (receiver, CotSender(delta, own, receiver.tree_message)), {}

        def run(base_receiver: CotReceiver, base_sender: CotSender) -> None:
            with FerretReceiver(base_receiver, plan) as receiver, FerretSender(base_sender, plan) as sender:
                receiver.accept(sender.accept_set_up(receiver.set_up_message))
                if phase == "all":
                    message = receiver.extend(choices, SILENT_COUNT, labels)
                    sender.extend(message, SILENT_COUNT, labels)

        benchmark.pedantic(run, setup=parties, rounds=5)
    if phase == "all":
        sent_bytes += choice_bytes(SILENT_COUNT)
        target("silent-bytes", sent_bytes / SILENT_COUNT)
    median_s = benchmark.stats.stats.median
    benchmark.extra_info.update(
        ots=SILENT_COUNT,
        sent_bytes=sent_bytes,
        ot_bytes=sent_bytes / SILENT_COUNT,
        unit_s=median_s / SILENT_COUNT,
    )


@pytest.mark.parametrize("role", ["sender", "receiver"])
@pytest.mark.parametrize("name", ["square", "product"])
def test_cross_product(time_case, benchmark, name: str, role: str) -> None:
    """Times an element's OTs and words, in the process's instruction set."""
    for case in cross_cases(CaseSettings(threads=(1,))):
        if case.name == f"{name}, {role}":
            benchmark.extra_info.update({f"{key}_bytes": size for key, size in case.bytes.items()})
            time_case(case, "")
            return
    raise LookupError(f"no case {name}, {role}")
