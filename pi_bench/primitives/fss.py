"""The steps of the FSS gadgets, in slices that stay in a cache as in an inference.

The minimal work counts the hashes (one block each: both labels of an OT at the client, one at the server, and
the nodes of the trees), and every byte of states, messages and words once. A protocol that has FSS gadgets
names the primitive in its `ProtocolInfo`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.costs import CostUnits
from pi_bench.crypto import fss
from pi_bench.crypto.fss import FssCall, FssSpec
from pi_bench.crypto.gadget_spec import group_count
from pi_bench.crypto.symmetric import BLOCK_BYTES, LANES
from pi_bench.primitives.fss_buffers import FssBuffers
from pi_bench.primitives.fss_offline import offline_cases
from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork, Primitive, TimedCase

STEPS = ("request", "answer", "grow", "encode", "evaluate", "finish")
FSS_11 = FssSpec("relu", 12, 23, False, 4095, sign_drop=1)
SPECS = {
    "FSS ReLU, 8 bits": FssSpec("relu", 12, 20, False, 4095, sign_drop=1),
    "FSS ReLU, 11 bits": FSS_11,
    "FSS ReLU, 14 bits": FssSpec("relu", 12, 26, False, 4095, sign_drop=1),
    "exact FSS ReLU, 12 bits": FssSpec("relu", 12, 23, True, 2048),
    "exact FSS truncation": FssSpec("truncate", 12, 31, True, 2048),
}
_GADGET = 1
_COUNTED = {"request": "choice", "answer": "choice", "grow": "node", "encode": "hash", "evaluate": "hash"}

UNITS = (
    *(f"{step} {kind}" for step in STEPS for kind in ("fss relu", "exact fss relu", "exact fss truncation")),
    *(f"{step} fss {counted}" for step, counted in _COUNTED.items()),
)
"""An element of each kind per step, and the units that a step has several times per element: OTs that the
server chooses, tree nodes, hashes online."""


def fss_work(step: str, spec: FssSpec, count: int, bundles: range | None = None) -> CostUnits:
    """Counts one of `STEPS` on `count` elements.

    `grow` counts the bundles that a party takes: all of them, or those with the levels `bundles`.

    >>> fss_work("grow", FSS_11, 100).units
    {'grow fss relu': 100.0, 'grow fss node': 1200.0}
    >>> fss_work("grow", FSS_11, 100, range(1, 2)).units["grow fss node"]
    400.0
    """
    exact = "exact " if spec.exact and spec.truncate_bits > 0 else ""
    kind = "relu" if spec.kind == "relu" else "truncation"
    part = 1.0 if bundles is None else len(bundles) / max(1, spec.bundle_count)
    units = {f"{step} {exact}fss {kind}": count * part}
    if step in _COUNTED:
        units[f"{step} fss {_COUNTED[step]}"] = float(count * _repeats(spec, step, bundles))
    return CostUnits(units)


def _repeats(spec: FssSpec, step: str, bundles: range | None = None) -> int:
    if step in ("request", "answer"):
        return spec.choice_ots
    if step == "grow":
        taken = range(1, spec.bundle_count + 1) if bundles is None else bundles
        return sum(spec.node_hashes(level + 1) for level in taken)
    return spec.online_hashes


def relu_cases(settings: CaseSettings) -> Iterator[Case]:
    """Runs every step of a ReLU whose window has 11 bits above those truncated, windowed and exact.

    Behind them come the offline phases of both parties, windowed, with their OTs.

    >>> [case.name for case in relu_cases(CaseSettings(count=32, threads=(1,)))][:2]
    ['request FSS ReLU, 11 bits', 'answer FSS ReLU, 11 bits']
    """
    for name in ("FSS ReLU, 11 bits", "exact FSS ReLU, 12 bits"):
        yield from fss_cases(name, STEPS, settings)
    yield from offline_cases("FSS ReLU, 11 bits", FSS_11, settings)


def fss_cases(name: str, steps: tuple[str, ...], settings: CaseSettings) -> Iterator[Case]:
    """Runs steps of the gadget `SPECS[name]` on `settings.count` elements, for each number of threads.

    The time depends on no value, so the buffers hold arbitrary bytes and steps can be repeated.

    >>> settings = CaseSettings(count=70, threads=(1, 2))
    >>> [(case.threads, case.unit_count) for case in fss_cases("FSS ReLU, 8 bits", ("encode",), settings)]
    [(1, 96), (2, 96)]
    """
    spec = SPECS[name]
    groups = group_count(settings.count)
    for threads in settings.threads:
        for step in steps:
            call = _whole(
                spec, step, groups, partial(FssCall, spec, _GADGET, threads=threads, isa=settings.isa)
            )
            work = _minimal_work(spec, step)
            yield Case(f"{step} {name}", "element", groups * LANES, threads, work, call, sizes_of(spec))


def _whole(spec: FssSpec, step: str, groups: int, call_at: Callable[[int], FssCall]) -> Callable[[], None]:
    """Prepares the buffers, and returns a call that runs the step slice by slice.

    All slices use the same buffers for labels and nodes, as in an inference. Each has its own state.
    """
    size = min(groups, spec.slice_groups)
    starts = (
        range(0, groups - size + 1, size)
        if groups % size == 0
        else [*range(0, groups - size, size), groups - size]
    )
    buffers = FssBuffers(spec, groups, size)
    arguments = [buffers.of(step, slice(start, start + size)) for start in starts]

    def run() -> None:
        for start, slice_arguments in zip(starts, arguments, strict=True):
            if step in ("grow", "encode", "evaluate"):
                buffers.renew(step, slice(start, start + size))
            for one in slice_arguments:
                if isinstance(one, fss.FinishArguments):
                    fss.finish(spec, one)
                else:
                    getattr(fss, step)(call_at(start), one)

    return run


def sizes_of(spec: FssSpec) -> dict[str, float]:
    """Returns the bytes of one element on the wire and in storage, OTs included.

    >>> sizes_of(FSS_11)["offline"], sizes_of(FSS_11)["online_to_client"], sizes_of(FSS_11)["client_storage"]
    (226.5, 5.5, 85.375)
    """
    bundles = sum(spec.bundle_group_bytes(level) for level in range(1, spec.bundle_count + 1))
    groups = 2 * bundles + spec.correction_group_bytes + spec.opening_group_bytes
    return {
        "offline": groups / LANES + 4 * (spec.choice_ots + spec.request_ots),
        "online_to_client": spec.online_group_bytes / LANES,
        "online_to_server": WORD_BYTES + spec.answer_group_bytes / LANES,
        "client_storage": spec.client_state_group_bytes / LANES,
        "server_storage": spec.server_state_group_bytes / LANES,
    }


def _minimal_work(spec: FssSpec, step: str) -> MinimalWork:
    sizes = sizes_of(spec)
    first_hashes = spec.node_hashes(1)
    if step == "request":
        return MinimalWork(
            aes_blocks=2 * spec.choice_ots + first_hashes, memory_bytes=sizes["client_storage"]
        )
    if step == "answer":
        return MinimalWork(aes_blocks=spec.choice_ots + first_hashes, memory_bytes=sizes["server_storage"])
    if step == "grow":
        corrections = spec.bundle_count * BLOCK_BYTES
        return MinimalWork(aes_blocks=_repeats(spec, step), memory_bytes=max(corrections, 1))
    if step == "encode":
        kept = spec.kept_group_bytes / LANES
        stored = sizes["server_storage"] + sizes["online_to_client"] + kept + WORD_BYTES
        return MinimalWork(aes_blocks=spec.online_hashes, memory_bytes=stored)
    if step == "evaluate":
        stored = sizes["client_storage"] + sizes["online_to_client"] + 2 * WORD_BYTES
        return MinimalWork(aes_blocks=spec.online_hashes, memory_bytes=stored)
    return MinimalWork(memory_bytes=spec.kept_group_bytes / LANES + 2 * WORD_BYTES)


def timed_cases(settings: CaseSettings) -> Iterator[TimedCase]:
    """Yields the cases that the costs of tables are fitted to: every step of every gadget.

    >>> [*next(timed_cases(CaseSettings(count=32, threads=(1,)))).work.units]
    ['request fss relu', 'request fss choice']
    """
    for name, spec in SPECS.items():
        for step in STEPS:
            for case in fss_cases(name, (step,), settings):
                yield TimedCase(fss_work(step, spec, case.unit_count), case)


LEAST = {
    "request fss choice": MinimalWork(aes_blocks=2),
    "answer fss choice": MinimalWork(aes_blocks=1),
    "grow fss node": MinimalWork(aes_blocks=1),
    "encode fss hash": MinimalWork(aes_blocks=1),
    "evaluate fss hash": MinimalWork(aes_blocks=1),
}
"""The minimal work of a unit: one block per hash, and both labels of an OT at the client."""

FSS = Primitive("FSS gadgets", UNITS, {"fss": relu_cases}, timed_cases, LEAST)
