"""The steps of the gadgets with shared tables, streamed from memory.

The minimal work counts the hashes of the pads and of the tree's nodes, and every byte of labels, states and
messages once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.costs import CostUnits
from pi_bench.crypto import fss
from pi_bench.crypto.fss import FssCall, FssSpec
from pi_bench.crypto.gadget import group_count
from pi_bench.crypto.symmetric import BLOCK_BYTES, LANES
from pi_bench.primitives.buffers import filled, paged
from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork, Primitive, TimedCase

STEPS = ("request", "answer", "grow", "encode", "evaluate", "finish")
SPECS = {
    "table of 7 bits": FssSpec("relu", 12, 20, False, 4095, 1),
    "table of 10 bits": FssSpec("relu", 12, 23, False, 4095, 1),
    "table of 13 bits": FssSpec("relu", 12, 26, False, 4095, 1),
    "exact, table of 12 bits": FssSpec("relu", 9, 20, True, 256),
    "exact truncation": FssSpec("truncate", 12, 31, True, 2048),
}
_MICRO = ("table of 10 bits", "exact, table of 12 bits")
_GADGET = 1

UNITS = (
    *(f"fss {step}" for step in STEPS),
    "fss request pad",
    "fss answer pad",
    "fss grow node",
    "fss encode level",
    "fss evaluate level",
)
"""An element in each step, each of its OTs, each node of its trees, and each level that is walked online."""


def fss_work(step: str, spec: FssSpec, count: int, level: int = 1) -> CostUnits:
    """Counts one of `STEPS` on `count` elements. `level` is that of the bundle that "grow" takes.

    >>> fss_work("grow", SPECS["table of 10 bits"], 100, level=2).units
    {'fss grow': 100.0, 'fss grow node': 400.0}
    """
    units = {f"fss {step}": float(count)}
    if step in ("request", "answer"):
        units[f"fss {step} pad"] = float(count * spec.choice_ots)
    elif step == "grow":
        units["fss grow node"] = float(count << level)
    elif step in ("encode", "evaluate"):
        units[f"fss {step} level"] = float(count * spec.bundle_count)
    return CostUnits(units)


def cases(settings: CaseSettings) -> Iterator[Case]:
    """Runs every step of a ReLU, windowed and exact.

    >>> [case.name for case in cases(CaseSettings(count=32, threads=(1,)))][:3]
    ['request, table of 10 bits', 'answer, table of 10 bits', 'grow level 1, table of 10 bits']
    """
    for name in _MICRO:
        for _, case in step_cases(name, settings):
            yield case


def timed_cases(settings: CaseSettings) -> Iterator[TimedCase]:
    """Times every step of every gadget of `SPECS`.

    >>> [*next(timed_cases(CaseSettings(count=32, threads=(1,)))).work.units]
    ['fss request', 'fss request pad']
    """
    for name in SPECS:
        for work, case in step_cases(name, settings):
            yield TimedCase(work, case)


def step_cases(name: str, settings: CaseSettings) -> Iterator[tuple[CostUnits, Case]]:
    """Runs the steps of the gadget `SPECS[name]` on `settings.count` elements, for each number of threads.

    The time depends on no value, so the buffers hold arbitrary bytes and steps can be repeated.

    >>> found = list(step_cases("table of 7 bits", CaseSettings(count=70, threads=(1,))))
    >>> [(case.name, case.unit_count) for _, case in found][-1]
    ('finish, table of 7 bits', 96)
    """
    spec = SPECS[name]
    groups = group_count(settings.count)
    for threads in settings.threads:
        call = FssCall(spec, _GADGET, 0, threads, settings.isa)
        for words, step, level, run in _calls(call, groups):
            work = _minimal_work(spec, step, level)
            case = Case(f"{words}, {name}", "element", groups * LANES, threads, work, run, sizes_of(spec))
            yield fss_work(step, spec, groups * LANES, level), case


_Call = tuple[str, str, int, Callable[[], object]]
"""The words of a call, its step, its level and the call."""


def _calls(call: FssCall, groups: int) -> Iterator[_Call]:
    spec, count = call.spec, groups * LANES
    even, odd, seed = bytes(BLOCK_BYTES), b"\x01" + os.urandom(BLOCK_BYTES - 1), os.urandom(BLOCK_BYTES)
    u, v, r, z, share = filled(5 * count * WORD_BYTES).view(np.uint32).reshape(5, count)
    of_server, of_client = (
        filled(groups * bits * WORD_BYTES).view(np.uint32) for bits in (spec.server_bits, spec.client_bits)
    )
    choices = filled(groups * spec.choice_ots * WORD_BYTES).view(np.uint32)
    reverse, labels = (
        paged(count * ots * BLOCK_BYTES).reshape(groups, ots, LANES, BLOCK_BYTES)
        for ots in (spec.choice_ots, spec.request_ots)
    )
    corrections, opening, message, kept, state_s, state_c, growth = (
        paged(groups * size)
        for size in (
            *(spec.correction_group_bytes, spec.opening_group_bytes, spec.online_group_bytes),
            *(spec.kept_group_bytes, spec.server_state_group_bytes, spec.client_state_group_bytes),
            spec.growth_group_bytes,
        )
    )
    bundles = [
        filled(groups * spec.bundle_group_bytes(level)) for level in range(1, spec.bundle_count + 1)
    ] + [filled(0)]
    answer = filled(groups * spec.answer_group_bytes).view(np.uint32)
    asking = fss.RequestArguments(
        *(even, seed, v, of_client, reverse, labels, corrections, state_c, growth, bundles[0])
    )
    yield "request", "request", 1, partial(fss.request, call, asking)
    answering = fss.AnswerArguments(
        *(odd, seed, choices, of_server, reverse, labels, corrections, opening, state_s, growth, bundles[0])
    )
    yield "answer", "answer", 1, partial(fss.answer, call, answering)
    for level in range(1, spec.bundle_count + 1):
        taking = fss.GrowArguments(
            "client", even, seed, level, bundles[level - 1], state_c, growth, bundles[level]
        )
        yield f"grow level {level}", "grow", level, partial(fss.grow, call, taking)
    encoding = fss.FssEncodeArguments(odd, seed, state_s, u, message, kept)
    yield "encode", "encode", 1, partial(fss.encode, call, encoding)
    evaluating = fss.FssEvaluateArguments(even, seed, state_c, message, r, z, answer)
    yield "evaluate", "evaluate", 1, partial(fss.evaluate, call, evaluating)
    finishing = fss.FinishArguments(kept, z, answer, share)
    yield "finish", "finish", 1, partial(fss.finish, spec, finishing, call.threads)


def sizes_of(spec: FssSpec) -> dict[str, float]:
    """Returns the bytes of one element on the wire and in storage, without the messages of the OTs.

    >>> sizes = sizes_of(SPECS["table of 10 bits"])
    >>> sizes["online_to_client"], sizes["online_to_server"]
    (5.5, 4.125)
    """
    bundles = sum(spec.bundle_group_bytes(level) for level in range(1, spec.bundle_count + 1))
    return {
        "offline": (spec.correction_group_bytes + spec.opening_group_bytes + 2 * bundles) / LANES,
        "online_to_client": spec.online_group_bytes / LANES,
        "online_to_server": WORD_BYTES + spec.answer_group_bytes / LANES,
        "client_storage": spec.client_state_group_bytes / LANES,
        "server_storage": spec.server_state_group_bytes / LANES,
    }


def _minimal_work(spec: FssSpec, step: str, level: int) -> MinimalWork:
    sizes = sizes_of(spec)
    online, back = sizes["online_to_client"], sizes["online_to_server"]
    if step in ("request", "answer"):
        pads = (2 if step == "request" else 1) * spec.choice_ots
        labels = (spec.choice_ots + spec.request_ots) * BLOCK_BYTES
        return MinimalWork(
            aes_blocks=pads,
            memory_bytes=labels + spec.correction_group_bytes / LANES + sizes["server_storage"],
        )
    if step == "grow":
        return MinimalWork(aes_blocks=1 << level, memory_bytes=2 * spec.bundle_group_bytes(level) / LANES)
    if step == "encode":
        return MinimalWork(memory_bytes=sizes["server_storage"] + WORD_BYTES + online)
    if step == "evaluate":
        return MinimalWork(memory_bytes=sizes["client_storage"] + WORD_BYTES + online + back)
    return MinimalWork(memory_bytes=spec.kept_group_bytes / LANES + back + WORD_BYTES)


FSS = Primitive("gadgets with shared tables", UNITS, {"fss": cases}, timed_cases)
