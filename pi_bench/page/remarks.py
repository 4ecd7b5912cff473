"""The cautions, warnings and notes of the runs: which there are, and of which runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pi_bench.page.doubts import (
    WIDE_SPREAD,
    added_by_bytes_s,
    added_by_trips_s,
    fraction_range,
    is_unsteady,
    part_of_latency,
    spread_of,
)
from pi_bench.page.parts import Fact, PageTable
from pi_bench.page.run_groups import group_text
from pi_bench.page.runs import CAUTION_MARK, DOUBT_MARK, LabeledRun, mark_of
from pi_bench.report.cautions import LINK_CODES
from pi_bench.report.documents.cautions import CAUTION_WORDS
from pi_bench.report.quantities import counted, part_text, percent, seconds, span_text

KINDS = {
    "caution": "A caution names a circumstance of the machine that makes figures doubtful.",
    "warning": "A warning says why a result does not mean all that it seems to.",
    "note": "A note states a fact about a protocol or a program, and casts no doubt on figures.",
}
"""The kinds in the order of the table, each with its meaning."""
_LINK_EFFECTS = {
    "slow-link": ("Missing bandwidth explains at most", added_by_bytes_s),
    "long-round-trip": ("Longer round trips explain", added_by_trips_s),
}
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
        alike: dict[tuple[str, tuple[str, ...], str], list[tuple[str, LabeledRun]]] = {}
        for run in runs:
            for text, phases, code in dict.fromkeys(_texts(run, kind)):
                key = text if kind == "warning" else _NUMBER.sub("#", text)
                alike.setdefault((key, phases, code), []).append((text, run))
        for number, ((_, phases, code), own) in enumerate(alike.items(), start=1):
            owners = {run.number: run for _, run in own}
            text = _merged([text for text, _ in own])
            if code in LINK_CODES:
                text += _link_words(list(owners.values()), (code,))
            found.append(Remark(kind, text, f"{kind}-{number}", phases, list(owners.values())))
    return found


def _texts(run: LabeledRun, kind: str) -> list[tuple[str, tuple[str, ...], str]]:
    """Returns the texts of a kind, each with the phases that it concerns and the code of a caution."""
    result = run.result
    if kind == "caution":
        return [(caution.text, caution.phases, caution.code) for caution in result.cautions]
    return [(text, (), "") for text in (result.warnings if kind == "warning" else result.notes)]


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


def doubt_table(runs: Sequence[LabeledRun]) -> PageTable | None:
    """Returns the table of the runs whose online latency is uncertain; None without such a run.

    A row has an address, to which the mark of its run leads if the run has no caution.

    >>> doubt_table([]) is None
    True
    """
    doubtful = [run for run in runs if is_unsteady(run.result)]
    if not doubtful:
        return None
    return PageTable(
        "Runs whose online latency is uncertain",
        ("run", "online", "middle half", "its span"),
        tuple(
            (
                run.label,
                seconds(run.result.online.latency_s.median),
                span_text(run.result.online.latency_s.q1, run.result.online.latency_s.q3),
                part_text(spread_of(run.result), "the median"),
            )
            for run in doubtful
        ),
        addresses={row: f"doubt-{run.number}" for row, run in enumerate(doubtful)},
    )


def doubt_words(runs: Sequence[LabeledRun]) -> tuple[str, ...]:
    """Says what the mark of an uncertain latency means, and how many runs have it; nothing without one.

    >>> doubt_words([])
    ()
    """
    count = sum(mark_of(run.result) == DOUBT_MARK for run in runs)
    if not count:
        return ()
    more = sum(is_unsteady(run.result) for run in runs) - count
    others = (
        f" {counted(more, 'more result')} with a caution {'is' if more == 1 else 'are'} uncertain too, under "
        f"the mark {CAUTION_MARK}."
        if more
        else ""
    )
    return (
        f"{DOUBT_MARK} marks {counted(count, 'result')} without a caution whose online latency is uncertain: "
        f"the middle half of the runs spans more than {percent(WIDE_SPREAD)} of the median.{others}",
    )


def mark_addresses(runs: Sequence[LabeledRun]) -> dict[int, str]:
    """Returns the address to which the mark of each run leads, by the number of the run.

    This is the first caution of the run, or else its row among the runs with an uncertain latency.

    >>> mark_addresses([])
    {}
    """
    found: dict[int, str] = {}
    for remark in remarks_of(runs):
        if remark.kind == "caution":
            for run in remark.runs:
                found.setdefault(run.number, remark.address)
    for run in runs:
        if mark_of(run.result) == DOUBT_MARK:
            found[run.number] = f"doubt-{run.number}"
    return found


def _code_words(code: str, phases_of: Mapping[int, tuple[str, ...]], run_count: int) -> str:
    """Returns the meaning of a code, with the number of its runs and with its phases, unless it has all."""
    count = [counted(len(phases_of), "result")] if run_count > 1 else []
    named = list(dict.fromkeys(phase for phases in phases_of.values() for phase in phases))
    phases = named if all(phases_of.values()) else []
    details = ": ".join([*count, *([", ".join(phases)] if phases else [])])
    return CAUTION_WORDS[code] + (f" ({details})" if details else "")


def _link_words(runs: Sequence[LabeledRun], codes: Collection[str] = LINK_CODES) -> str:
    """Says which part of the online time a slower link explains; "" without a caution of such a code."""
    found = ""
    for code in (each for each in LINK_CODES if each in codes):
        own = [run.result for run in runs if any(each.code == code for each in run.result.cautions)]
        words, added_s = _LINK_EFFECTS[code]
        if own:
            parts = fraction_range([part_of_latency(result, added_s(result)) for result in own])
            whose = "its result" if len(own) == 1 else f"these {len(own)} results"
            found += f" {words} {parts} of the online latency of {whose}."
    return found


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
        return (
            Fact(
                "machine",
                value,
                f"The figures are doubtful: {words}.{_link_words(runs)}",
                address="caution-1",
            ),
        )
    return (
        Fact(
            "cautions",
            f"{len(doubtful)} of {len(runs)} results",
            f"{CAUTION_MARK} marks them, because their figures are doubtful: {words}.{_link_words(runs)}",
            address="caution-1",
        ),
    )
