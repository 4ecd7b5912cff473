"""The steps of the ReLU and truncation gadgets, streamed from memory.

The work counted is that of the gates (a half gate is two hashes to evaluate and four to garble) and of
the server's labels (one block each), and every byte of tables, labels and words once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.crypto import gadget as gadgets
from pi_bench.crypto.gadget import (
    AcceptArguments,
    EncodeArguments,
    EvaluateArguments,
    GadgetCall,
    GadgetSpec,
    GarbleArguments,
    group_count,
)
from pi_bench.crypto.symmetric import BLOCK_BYTES, LANES
from pi_bench.measure.micro.case import Case, MinimalWork, Settings, filled, paged

STEPS = ("garble", "accept", "encode", "evaluate")
RELU_11 = GadgetSpec("relu", 12, 23, False, 4095)
RELU_19 = GadgetSpec("relu", 12, 31, False, 4095)
SPECS = {
    "ReLU, 11 ANDs": RELU_11,
    "ReLU, 19 ANDs": RELU_19,
    "exact ReLU, 23 ANDs": GadgetSpec("relu", 12, 23, True, 2048),
    "truncation": GadgetSpec("truncate", 12, 31, False, 4095),
    "exact truncation": GadgetSpec("truncate", 12, 31, True, 2048),
    **{
        f"ReLU, 11 ANDs, chunks of {bits}": GadgetSpec("relu", 12, 23, False, 4095, label_chunk=bits)
        for bits in (2, 3, 4)
    },
}
_GADGET = 1


def garble_cases(settings: Settings) -> Iterator[Case]:
    for name in ("ReLU, 11 ANDs", "ReLU, 19 ANDs"):
        yield from gadget_cases(name, ("garble",), settings)


def evaluate_cases(settings: Settings) -> Iterator[Case]:
    for name in ("ReLU, 11 ANDs", "ReLU, 19 ANDs"):
        yield from gadget_cases(name, ("evaluate",), settings)


def relu_cases(settings: Settings) -> Iterator[Case]:
    for name in ("ReLU, 11 ANDs", "exact ReLU, 23 ANDs"):
        yield from gadget_cases(name, STEPS, settings)


def truncate_cases(settings: Settings) -> Iterator[Case]:
    for name in ("truncation", "exact truncation"):
        yield from gadget_cases(name, STEPS, settings)


def gadget_cases(name: str, steps: tuple[str, ...], settings: Settings) -> Iterator[Case]:
    """The steps of the gadget `SPECS[name]` on `settings.count` elements, once for each of the threads.

    The time depends on no value, so the buffers hold arbitrary bytes and steps can be repeated.
    """
    spec = SPECS[name]
    groups = group_count(settings.count)
    count = groups * LANES
    u, v, alpha, beta, next_mask = filled(5 * count * WORD_BYTES).view(np.uint32).reshape(5, count)
    select = filled(count) & 1 if spec.uses_select else None
    alpha_or_none, beta_or_none = (alpha, beta) if spec.uses_select else (None, None)
    labels = paged(count * spec.label_ots * BLOCK_BYTES).reshape(groups, spec.label_ots, LANES, BLOCK_BYTES)
    garbled, state = paged(groups * spec.garbled_group_bytes), paged(groups * spec.state_group_bytes)
    message = filled(groups * spec.online_group_bytes)
    mask, z = filled(2 * count * WORD_BYTES).view(np.uint32).reshape(2, count)
    delta, hash_seed, label_seed = b"\x01" + os.urandom(15), os.urandom(16), os.urandom(16)
    garbling = GarbleArguments(delta, hash_seed, label_seed, labels, select, alpha_or_none, garbled, state)
    accepting = AcceptArguments(hash_seed, v, labels, garbled)
    encoding = EncodeArguments(delta, label_seed, state, u, message, mask)
    evaluating = EvaluateArguments(hash_seed, v, beta_or_none, labels, garbled, message, next_mask, z)
    for threads in settings.threads:
        call = GadgetCall(spec, _GADGET, 0, threads, settings.isa)
        calls = {
            "garble": partial(gadgets.garble, call, garbling),
            "accept": partial(gadgets.accept, call, accepting),
            "encode": partial(gadgets.encode, call, encoding),
            "evaluate": partial(gadgets.evaluate, call, evaluating),
        }
        for step in steps:
            yield Case(
                f"{step} {name}", "element", count, threads, _work(spec, step), calls[step], sizes_of(spec)
            )


def sizes_of(spec: GadgetSpec) -> dict[str, float]:
    """What an element takes on the wire and in storage."""
    return {
        "offline": spec.garbled_group_bytes / LANES,
        "online_to_client": spec.online_group_bytes / LANES,
        "online_to_server": WORD_BYTES,
        "client_storage": spec.garbled_group_bytes / LANES
        + spec.label_ots * BLOCK_BYTES
        + (3 if spec.uses_select else 2) * WORD_BYTES,  # share, mask, and the reverse OT's share
        "server_storage": spec.state_group_bytes / LANES,
    }


def _work(spec: GadgetSpec, step: str) -> MinimalWork:
    garbled, state = spec.garbled_group_bytes / LANES, spec.state_group_bytes / LANES
    message, labels = spec.online_group_bytes / LANES, spec.label_ots * BLOCK_BYTES
    words = (2 if spec.uses_select else 1) * WORD_BYTES
    gates = spec.gate_count
    if step == "garble":
        return MinimalWork(aes_blocks=5 * gates, memory_bytes=labels + garbled + state)
    if step == "accept":
        return MinimalWork(aes_blocks=1, memory_bytes=BLOCK_BYTES + words)
    if step == "encode":
        return MinimalWork(aes_blocks=gates, memory_bytes=state + message + 2 * WORD_BYTES)
    return MinimalWork(aes_blocks=2 * gates, memory_bytes=labels + garbled + message + words + 2 * WORD_BYTES)
