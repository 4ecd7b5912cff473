"""Oblivious transfer, each step and side: one thread, streaming from memory.

`extra_info` holds the count of OTs and the path; time an OT is the mean over `ots`.
"""

import os

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto.base_ot import BaseOtReceiver, BaseOtSender
from pi_bench.crypto.ot_extension import extension_bytes

COUNT = 1 << 18
BASE_COUNT = 128


@pytest.mark.parametrize("side", ["receiver", "sender"])
def test_base_ot(benchmark, side: str) -> None:
    choices = np.frombuffer(os.urandom(BASE_COUNT), np.uint8) & 1
    sender = BaseOtSender(b"benchmark")
    reply = BaseOtReceiver(b"benchmark", sender.message, choices).reply
    benchmark.extra_info.update(ots=BASE_COUNT)
    if side == "receiver":
        benchmark(BaseOtReceiver, b"benchmark", sender.message, choices)
    else:
        benchmark.pedantic(
            lambda fresh: fresh.keys(reply), setup=lambda: ((BaseOtSender(b"benchmark"),), {}), rounds=10
        )


@pytest.mark.parametrize("step", ["receiver", "sender", "additive-send", "additive-receive"])
@pytest.mark.parametrize("isa", ["aesni", "vaes512"])
def test_correlated_ot(benchmark, isa: str, step: str) -> None:
    try:
        _native.symmetric.resolve_isa(isa)
    except _native.symmetric.UnsupportedCpuError as error:
        pytest.skip(str(error))
    ot = _native.ot
    leaves, delta, hash_seed = os.urandom(ot.LEAF_BYTES), os.urandom(16), os.urandom(16)
    packed, message = os.urandom(COUNT // 8), bytearray(extension_bytes(COUNT))
    labels = np.zeros((COUNT, 16), np.uint8)
    words, tau, share = np.zeros((3, COUNT), np.uint32)
    choices = np.zeros(COUNT, np.uint8)
    steps = {
        "receiver": lambda: ot.extend_receiver(leaves, 0, COUNT, packed, message, labels, 1, isa),
        "sender": lambda: ot.extend_sender(leaves, delta, 0, COUNT, message, labels, 1, isa),
        "additive-send": lambda: ot.additive_send(delta, hash_seed, 1, 0, labels, words, tau, share, 1, isa),
        "additive-receive": lambda: ot.additive_receive(hash_seed, 1, 0, labels, choices, tau, share, 1, isa),
    }
    benchmark.extra_info.update(isa=isa, ots=COUNT, message_bytes=len(message))
    benchmark(steps[step])
