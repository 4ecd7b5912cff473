"""The cautions, warnings and notes of the runs: which there are, and of which runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pi_bench.page.parts import Fact, PageTable
from pi_bench.page.run_groups import group_text
from pi_bench.page.runs import CAUTION_MARK, LabeledRun
from pi_bench.report.documents.cautions import CAUTION_WORDS
from pi_bench.report.quantities import counted

KINDS = {
    "caution": "A caution names a circumstance of the machine that makes figures doubtful.",
    "warning": "A warning says why a result does not mean all that it seems to.",
    "note": "A note states a fact about a protocol or a program, and casts no doubt on figures.",
}
"""The kinds in the order of the table, each with its meaning."""
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@dataclass
class Remark:
    """Holds one caution, warning or note with the runs that have it.

    Attributes:
        kind: one of `KINDS`.
        address: that of its row within the page.
        phases: those whose figures a caution makes doubtful; empty for all figures.

    >>> Remark("note", "Protocol fss is new.", "note-1").runs
    []
    """

    kind: str
    text: str
    address: str
    phases: tuple[str, ...] = ()
    runs: list[LabeledRun] = field(default_factory=list)


def remarks_of(runs: Sequence[LabeledRun]) -> list[Remark]:
    """Collects the remarks of all runs: first cautions, then warnings, then notes.

    Cautions of one kind about the same phases, and notes, that differ in their numbers alone become one with
    the ranges of the numbers.

    >>> remarks_of([])
    []
    """
    found = []
    for kind in KINDS:
        alike: dict[tuple[str, tuple[str, ...]], list[tuple[str, LabeledRun]]] = {}
        for run in runs:
            for text, phases in dict.fromkeys(_texts(run, kind)):
                key = text if kind == "warning" else _NUMBER.sub("#", text)
                alike.setdefault((key, phases), []).append((text, run))
        for number, ((_, phases), own) in enumerate(alike.items(), start=1):
            owners = {run.number: run for _, run in own}
            text = _merged([text for text, _ in own])
            found.append(Remark(kind, text, f"{kind}-{number}", phases, list(owners.values())))
    return found


def _texts(run: LabeledRun, kind: str) -> list[tuple[str, tuple[str, ...]]]:
    """Returns the texts of a kind, each with the phases that it concerns."""
    result = run.result
    if kind == "caution":
        return [(caution.text, caution.phases) for caution in result.cautions]
    return [(text, ()) for text in (result.warnings if kind == "warning" else result.notes)]


def _merged(texts: Sequence[str]) -> str:
    """Writes texts that differ in their numbers as one text with the range of each number."""
    numbers = iter(zip(*(_NUMBER.findall(text) for text in texts), strict=True))
    return _NUMBER.sub(lambda _: _range(next(numbers)), texts[0])


def _range(numbers: Sequence[str]) -> str:
    ordered = sorted(set(numbers), key=lambda text: float(text.replace(",", "")))
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def remark_table(remarks: Sequence[Remark], runs: Sequence[LabeledRun]) -> PageTable:
    """Returns the table of all remarks. Each row has an address, to which marks of runs lead.

    >>> remark_table([Remark("note", "Protocol fss is new.", "note-1")], []).addresses
    {0: 'note-1'}
    """
    return PageTable(
        "Cautions, warnings and notes",
        ("kind", "text", "concerns", "runs"),
        tuple((each.kind, each.text, _concerns(each), group_text(each.runs, runs)) for each in remarks),
        addresses={row: each.address for row, each in enumerate(remarks)},
    )


def _concerns(remark: Remark) -> str:
    """Names the phases that a caution concerns. Warnings and notes concern no phase more than the others."""
    if remark.kind != "caution":
        return "-"
    return ", ".join(remark.phases) or "all figures"


def caution_addresses(runs: Sequence[LabeledRun]) -> dict[int, str]:
    """Returns the address of the first caution of each run that has one, by the number of the run.

    >>> caution_addresses([])
    {}
    """
    found: dict[int, str] = {}
    for remark in remarks_of(runs):
        if remark.kind == "caution":
            for run in remark.runs:
                found.setdefault(run.number, remark.address)
    return found


def _code_words(code: str, phases_of: Mapping[int, tuple[str, ...]], run_count: int) -> str:
    """Returns the meaning of a code, with the number of its runs and with its phases, unless it has all."""
    count = [counted(len(phases_of), "result")] if run_count > 1 else []
    named = list(dict.fromkeys(phase for phases in phases_of.values() for phase in phases))
    phases = named if all(phases_of.values()) else []
    details = ": ".join([*count, *([", ".join(phases)] if phases else [])])
    return CAUTION_WORDS[code] + (f" ({details})" if details else "")


def caution_facts(runs: Sequence[LabeledRun]) -> tuple[Fact, ...]:
    """Counts the results with a caution; returns nothing if no result has one.

    >>> caution_facts([])
    ()
    """
    doubtful = [run for run in runs if run.result.cautions]
    if not doubtful:
        return ()
    cautions = [(run.number, each) for run in doubtful for each in run.result.cautions]
    words = "; ".join(
        _code_words(code, {number: each.phases for number, each in cautions if each.code == code}, len(runs))
        for code in sorted({each.code for _, each in cautions})
    )
    if len(runs) == 1:
        value = counted(len(doubtful[0].result.cautions), "caution")
        return (Fact("machine", value, f"The figures are doubtful: {words}.", address="caution-1"),)
    return (
        Fact(
            "cautions",
            f"{len(doubtful)} of {len(runs)} results",
            f"The figures of results with {CAUTION_MARK} are doubtful: {words}.",
            address="caution-1",
        ),
    )
