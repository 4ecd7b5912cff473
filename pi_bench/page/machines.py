"""The machines and the software of the runs, and everything that makes their figures doubtful."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pi_bench.page.parts import PageTable, Section
from pi_bench.page.remarks import KINDS, doubt_table, remark_table, remarks_of
from pi_bench.page.run_groups import group_text
from pi_bench.page.runs import LabeledRun
from pi_bench.report.documents.fields import Loopback, Machine
from pi_bench.report.link import link_text
from pi_bench.report.quantities import byte_count, counted, rate, seconds
from pi_bench.report.two_machines import threads_text

_TITLE = "Machines and cautions"


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns the tables of machines, links, and of cautions, warnings and notes.

    >>> section([]).missing
    ('No run is given.',)
    """
    if not runs:
        return Section("machines", _TITLE, missing=("No run is given.",))
    machines = _grouped([(_machine_texts(run), run) for run in runs])
    remarks = remarks_of(runs)
    tables = [
        PageTable(
            "Machines and software",
            (
                "runs",
                "measured",
                "processor",
                "cores",
                "memory",
                "instructions",
                "placement",
                "system",
                "versions",
            ),
            tuple((group_text(found, runs), _times(found), *texts) for texts, found in machines),
        ),
        PageTable(
            "Links",
            ("link", "runs", "round trip as probed", "to the server", "to the client"),
            tuple((texts[0], group_text(found, runs), *texts[1:]) for texts, found in _links(runs)),
        ),
    ]
    if remarks:
        tables.append(remark_table(remarks, runs))
    if (doubts := doubt_table(runs)) is not None:
        tables.append(doubts)
    kinds = {each.kind: KINDS[each.kind] for each in remarks}
    words = [" ".join(kinds.values())] if kinds else []
    if len(machines) > 1:
        words.append(
            f"The runs come from {len(machines)} different machines or versions, so a difference of their "
            "times has several causes."
        )
    quiet = not any(run.result.cautions for run in runs)
    missing = ("No run has a caution about its machine.",) if quiet else ()
    return Section("machines", _TITLE, words=tuple(words), tables=tuple(tables), missing=missing)


def _machine_texts(run: LabeledRun) -> tuple[str, ...]:
    environment, server = run.result.environment, run.result.server_environment
    own = _texts(environment)
    placement = (
        f"{threads_text(run.result)}, {'on cores of their own' if environment.pinned else 'on shared cores'}"
    )
    if server is None:
        return (*own[:4], placement, *own[4:])
    both = tuple(
        mine if mine == other else f"client: {mine}; server: {other}"
        for mine, other in zip(own, _texts(server), strict=True)
    )
    return (*both[:4], threads_text(run.result), *both[4:])


def _texts(machine: Machine) -> tuple[str, ...]:
    versions = [f"{name} {version}" for name, version in machine.versions.items()]
    return (
        machine.cpu_model,
        f"{machine.usable_core_count} of {counted(machine.core_count, 'core')}",
        byte_count(machine.memory_bytes),
        machine.instruction_set,
        machine.system,
        ", ".join([*versions, f"commit {machine.commit or 'unknown'}"]),
    )


def _links(runs: Sequence[LabeledRun]) -> list[tuple[tuple[str, ...], list[LabeledRun]]]:
    """Returns each link with the range of its probed figures over its runs."""
    found: list[tuple[tuple[str, ...], list[LabeledRun]]] = []
    for (text,), own in _grouped([((link_text(run.result.link),), run) for run in runs]):
        probed = [run.result.link.measured for run in own if not isinstance(run.result.link, Loopback)]
        figures = (
            _range([each.rtt_s for each in probed], seconds),
            _range([each.up_bits_per_s for each in probed], rate),
            _range([each.down_bits_per_s for each in probed], rate),
        )
        found.append(((text, *figures), own))
    return found


def _range(values: Sequence[float], write: Callable[[float], str]) -> str:
    if not values:
        return "-"
    low, high = write(min(values)), write(max(values))
    return low if low == high else f"{low} to {high}"


def _grouped(
    pairs: Sequence[tuple[tuple[str, ...], LabeledRun]],
) -> list[tuple[tuple[str, ...], list[LabeledRun]]]:
    """Collects the runs that have equal texts, in the order of the texts."""
    found: dict[tuple[str, ...], list[LabeledRun]] = {}
    for texts, run in pairs:
        found.setdefault(texts, []).append(run)
    return list(found.items())


def _times(found: Sequence[LabeledRun]) -> str:
    times = sorted(run.result.environment.time[:16].replace("T", " ") for run in found)
    return times[0] if times[0] == times[-1] else f"{times[0]} to {times[-1]}"
