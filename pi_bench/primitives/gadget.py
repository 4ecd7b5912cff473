"""The steps of the ReLU and truncation gadgets, streamed from memory.

The minimal work counts the gates (an AND takes two hashes to evaluate and four to garble in half-gates, and
three and six in three halves), the server's labels (one block each), and every byte of tables, labels and
words once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.costs import STREAMED, CostUnits
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
from pi_bench.crypto.gadget_spec import THREE_HALVES
from pi_bench.crypto.symmetric import BLOCK_BYTES, LANES
from pi_bench.primitives.buffers import filled, paged
from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork, Primitive, TimedCase

STEPS = ("garble", "accept", "encode", "evaluate")
_GATE_STEPS = ("garble", "evaluate")  # those that garble or evaluate ANDs
_WORDS = {
    "accept": "prepare"
}  # in the names of cases: a stranger cannot know that acceptance prepares evaluation
RELU_11 = GadgetSpec("relu", 12, 23, False, 4095)
RELU_19 = GadgetSpec("relu", 12, 31, False, 4095)
_TIMED_RELUS = (
    "ReLU, 11 ANDs",
    "ReLU, 19 ANDs",
    "ReLU, 11 ANDs, three halves",
    "ReLU, 19 ANDs, three halves",
)
_CHUNKS = (2, 3, 4)  # bits per chunk of labels
SPECS = {
    "ReLU, 11 ANDs": RELU_11,
    "ReLU, 19 ANDs": RELU_19,
    "exact ReLU, 23 ANDs": GadgetSpec("relu", 12, 23, True, 2048),
    "truncation": GadgetSpec("truncate", 12, 31, False, 4095),
    "exact truncation": GadgetSpec("truncate", 12, 31, True, 2048),
    **{
        f"ReLU, 11 ANDs, chunks of {bits}": GadgetSpec("relu", 12, 23, False, 4095, label_chunk=bits)
        for bits in _CHUNKS
    },
    "ReLU, 11 ANDs, three halves": replace(RELU_11, garbling=THREE_HALVES),
    "ReLU, 19 ANDs, three halves": replace(RELU_19, garbling=THREE_HALVES),
}
_GADGET = 1
_STREAMED_COUNT = 1 << 16  # elements whose tables exceed the caches
_CACHED_COUNT = 1 << 10

UNITS = (
    *(
        f"{step} {exact}{kind}"
        for step in STEPS
        for exact in ("", "exact ")
        for kind in ("relu", "truncation")
    ),
    *(f"{step} gate" for step in STEPS),
    *(f"{step} {THREE_HALVES} gate" for step in _GATE_STEPS),
    *(f"{step} chunk of {bits}" for step in STEPS for bits in _CHUNKS),
    STREAMED,
)
"""An element of each kind, each of its gates, each of its chunks of labels, and each byte of tables and
labels that evaluation reads from memory. Gates in three halves have units of their own where a step computes
them."""


_EVALUATED_GATE = 2  # hashes: one per half gate
_EVALUATED_THREE_HALVES = 3
_LABEL = 1  # block: at least one for the label of the garbler's bit
_ENCODED_GATE = 1 / max(_CHUNKS)  # blocks: one per chunk of labels
LEAST = {
    "garble gate": MinimalWork(aes_blocks=2 * _EVALUATED_GATE + _LABEL),
    f"garble {THREE_HALVES} gate": MinimalWork(aes_blocks=2 * _EVALUATED_THREE_HALVES + _LABEL),
    "encode gate": MinimalWork(aes_blocks=_ENCODED_GATE),
    "evaluate gate": MinimalWork(aes_blocks=_EVALUATED_GATE),
    f"evaluate {THREE_HALVES} gate": MinimalWork(aes_blocks=_EVALUATED_THREE_HALVES),
    STREAMED: MinimalWork(memory_bytes=1),
}
"""The minimal work of a unit, in every form of the gadget: a chunk of labels shares one block."""


def gadget_work(step: str, spec: GadgetSpec, count: int) -> CostUnits:
    """Counts one of `STEPS` on `count` elements, with tables and labels that are in a cache.

    >>> gadget_work("garble", RELU_11, 100).units
    {'garble relu': 100.0, 'garble gate': 1100.0}
    """
    kind = ("exact " if spec.exact else "") + ("relu" if spec.kind == "relu" else "truncation")
    computes_gates = step in _GATE_STEPS and spec.garbling == THREE_HALVES
    gate = f"{THREE_HALVES} gate" if computes_gates else "gate"
    units = {f"{step} {kind}": float(count), f"{step} {gate}": float(count * spec.gate_count)}
    if spec.label_chunk > 1:
        units[f"{step} chunk of {spec.label_chunk}"] = float(count * spec.label_ots)
    return CostUnits(units)


def evaluate_work(spec: GadgetSpec, count: int) -> CostUnits:
    """Counts the evaluation of `count` elements with tables and labels that come from memory.

    >>> list(evaluate_work(RELU_11, 100).units)
    ['evaluate relu', 'evaluate gate', 'table byte']
    """
    element_bytes = spec.garbled_group_bytes / LANES + spec.label_ots * BLOCK_BYTES
    return gadget_work("evaluate", spec, count) + CostUnits({STREAMED: count * element_bytes})


def garble_cases(settings: CaseSettings) -> Iterator[Case]:
    """Yields micro cases that garble ReLUs of 11 and of 19 AND gates, in half-gates and in three halves.

    >>> [case.name for case in garble_cases(CaseSettings(count=32, threads=(1,)))][::3]
    ['garble ReLU, 11 ANDs', 'garble ReLU, 19 ANDs, three halves']
    """
    for name in _TIMED_RELUS:
        yield from gadget_cases(name, ("garble",), settings)


def evaluate_cases(settings: CaseSettings) -> Iterator[Case]:
    """Yields micro cases that evaluate ReLUs of 11 and of 19 AND gates, in half-gates and in three halves.

    >>> [case.name for case in evaluate_cases(CaseSettings(count=32, threads=(1,)))][::3]
    ['evaluate ReLU, 11 ANDs', 'evaluate ReLU, 19 ANDs, three halves']
    """
    for name in _TIMED_RELUS:
        yield from gadget_cases(name, ("evaluate",), settings)


def relu_cases(settings: CaseSettings) -> Iterator[Case]:
    """Runs every step of a ReLU, windowed and exact.

    >>> len(list(relu_cases(CaseSettings(count=32, threads=(1,))))) == 2 * len(STEPS)
    True
    """
    for name in ("ReLU, 11 ANDs", "exact ReLU, 23 ANDs"):
        yield from gadget_cases(name, STEPS, settings)


def truncate_cases(settings: CaseSettings) -> Iterator[Case]:
    """Runs every step of a truncation without ReLU, windowed and exact.

    >>> len(list(truncate_cases(CaseSettings(count=32, threads=(1,))))) == 2 * len(STEPS)
    True
    """
    for name in ("truncation", "exact truncation"):
        yield from gadget_cases(name, STEPS, settings)


def gadget_cases(name: str, steps: tuple[str, ...], settings: CaseSettings) -> Iterator[Case]:
    """Runs steps of the gadget `SPECS[name]` on `settings.count` elements, for each number of threads.

    The time depends on no value, so the buffers hold arbitrary bytes and steps can be repeated.

    >>> settings = CaseSettings(count=70, threads=(1, 2))
    >>> [(case.threads, case.unit_count) for case in gadget_cases("truncation", ("encode",), settings)]
    [(1, 96), (2, 96)]
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
                f"{_WORDS.get(step, step)} {name}",
                "element",
                count,
                threads,
                _work(spec, step),
                calls[step],
                sizes_of(spec),
            )


def sizes_of(spec: GadgetSpec) -> dict[str, float]:
    """Returns the bytes of one element on the wire and in storage.

    >>> sizes_of(RELU_11)["online_to_server"]
    4
    """
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


def timed_cases(settings: CaseSettings) -> Iterator[TimedCase]:
    """Yields the cases that the costs of gadgets are fitted to: every step of every gadget.

    Evaluation is timed twice, with tables in a cache and with tables from memory, so that the cost of one
    byte of a table shows.

    >>> [*next(timed_cases(CaseSettings(count=32, threads=(1,)))).work.units]
    ['garble relu', 'garble gate']
    """
    for name, spec in SPECS.items():
        for step in STEPS[:-1]:
            for case in gadget_cases(name, (step,), settings):
                yield TimedCase(gadget_work(step, spec, case.unit_count), case)
        for case in gadget_cases(name, ("evaluate",), replace(settings, count=_CACHED_COUNT)):
            yield TimedCase(gadget_work("evaluate", spec, case.unit_count), case)
        for case in gadget_cases(name, ("evaluate",), replace(settings, count=_STREAMED_COUNT)):
            yield TimedCase(evaluate_work(spec, case.unit_count), case)


GADGET = Primitive(
    "garbled gadgets",
    UNITS,
    {"garble": garble_cases, "evaluate": evaluate_cases, "relu": relu_cases, "truncate": truncate_cases},
    timed_cases,
    LEAST,
)
