"""The headline of a page: whether the answers are verified, both phases' times, the distance to the floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pi_bench.page.parts import Fact, PageTable, Section
from pi_bench.page.ratios import ratio_facts
from pi_bench.page.remarks import caution_facts, doubt_words, mark_addresses
from pi_bench.page.runs import (
    LabeledRun,
    by_link,
    ellipsis_text,
    label_parts,
    link_name,
    with_mark,
    without_link,
)
from pi_bench.page.time_division import division_facts, kind_words
from pi_bench.report.documents.latency import Distribution, Result
from pi_bench.report.quantities import MIN_QUARTILE_RUNS, byte_count, counted, seconds, span_text, times_text

_NAMED = 6
"""So many cells without a result are named."""


def section(runs: Sequence[LabeledRun], unmeasured: Sequence[str] = ()) -> Section:
    """Returns the headline: large figures, and one row per run.

    Args:
        unmeasured: the cells of sweeps without a result, each with the reason.

    >>> section([]).missing
    ('No result of `pi-bench latency` is given, so there are no times.',)
    """
    if not runs:
        return Section(
            "headline",
            "At a glance",
            missing=("No result of `pi-bench latency` is given, so there are no times.",),
        )
    answer, *others = _facts_of_one(runs[0]) if len(runs) == 1 else _facts_of_several(runs)
    facts = (answer, *_weight_facts(runs), *caution_facts(runs), *others, *ratio_facts(runs))
    verified = (_VERIFIED,) if any(run.result.verification is not None for run in runs) else ()
    ellipsis = ellipsis_text([run.result for run in runs])
    words = (*verified, *doubt_words(runs), *((ellipsis,) if ellipsis else ()))
    missing = _unmeasured_words(unmeasured)
    return Section("headline", "At a glance", words=words, facts=facts, tables=_tables(runs), missing=missing)


def _unmeasured_words(unmeasured: Sequence[str]) -> tuple[str, ...]:
    if not unmeasured:
        return ()
    more = f"; and {len(unmeasured) - _NAMED} more" if len(unmeasured) > _NAMED else ""
    verb = "has" if len(unmeasured) == 1 else "have"
    return (
        f"The page is not complete: {counted(len(unmeasured), 'cell')} of the sweep {verb} no result. "
        f"{'; '.join(unmeasured[:_NAMED])}{more}. The command of the sweep continues it.",
    )


def _weight_facts(runs: Sequence[LabeledRun]) -> tuple[Fact, ...]:
    """Says that weights are random, where they are."""
    count = sum(run.result.network.weights == "random" for run in runs)
    if not count:
        return ()
    return (
        Fact(
            "weights",
            "random" if count == len(runs) else f"random in {count} of {len(runs)}",
            "Times and bytes are those of a trained network. The classes that these networks answer mean "
            "nothing.",
        ),
    )


def verdict(result: Result) -> tuple[str, bool]:
    """Says whether the answer is that of the integer network, and whether that is alarming.

    ```python
    def failed(result: Result) -> bool:
        return verdict(result)[1]
    ```
    """
    if result.verification is None:
        return "not verified", True
    return ("verified", False) if result.verification.passed else ("verification FAILED", True)


def interval_text(latency: Distribution) -> str:
    """Writes the interval of the median, or the middle half of the runs where they are too few for one.

    ```python
    def print_interval(result: Result) -> None:
        print(interval_text(result.online.latency_s))
    ```
    """
    if latency.interval is None and len(latency.samples) < MIN_QUARTILE_RUNS:
        return "too few for a spread"
    if latency.interval is None:
        return f"half of the runs took {span_text(latency.q1, latency.q3)}"
    return f"{span_text(*latency.interval)} with a confidence of 95 %"


def _facts_of_one(run: LabeledRun) -> tuple[Fact, ...]:
    result = run.result
    words, alarming = verdict(result)
    latency, floor = result.online.latency_s, result.floor
    return (
        Fact("answer", words, _verification_note(result), alarming),
        Fact(
            "online latency",
            seconds(latency.median),
            f"Median of {counted(result.runs, 'run')}; {interval_text(latency)}.",
        ),
        Fact(
            "offline",
            seconds(result.offline.time_s),
            f"Set-up, offline and online together take {seconds(result.first_inference_s)}.",
        ),
        Fact("floor", "not measured", "The result has no limits of the machine (--no-limits).")
        if floor is None
        else Fact(
            "floor",
            f"{times_text(floor.online.times_floor)} times",
            f"The online latency is this many times the {seconds(floor.online.time_s)} that this machine and "
            f"link need at least. Offline: {times_text(floor.offline.times_floor)} times the floor.",
        ),
        Fact(
            "sent",
            byte_count(result.online.bytes.total),
            f"Online, in {counted(result.online.comm_round_count, 'communication round')}. "
            f"Offline: {byte_count(result.offline.bytes.total)}.",
        ),
        *division_facts(run),
    )


def _verification_note(result: Result) -> str:
    verification = result.verification
    if verification is None:
        return f"{result.unverified_reason or 'The result does not say why'}.".replace("..", ".")
    if not verification.passed:
        return f"{verification.failures[0] if verification.failures else 'The run broke its law'}."
    agrees = "agrees" if verification.argmax_agrees_with_float else "does NOT agree"
    return (
        f"All {counted(verification.compared_count, 'value')} of "
        f"{counted(verification.verified_run_count, 'run')} follow the law of mode {verification.mode}. The "
        f"answer {agrees} with the float network."
    )


def _facts_of_several(runs: Sequence[LabeledRun]) -> tuple[Fact, ...]:
    verified = sum(not verdict(run.result)[1] for run in runs)
    others = [run.label for run in runs if verdict(run.result)[1]]
    return (
        Fact(
            "computation",
            f"{verified} of {len(runs)} verified",
            f"Not verified or failed: {'; '.join(others)}." if others else _right_words(runs),
            bool(others),
        ),
        *_latency_facts(runs),
        *(
            (Fact("floor", "not measured", "No result has limits of the machine (--no-limits)."),)
            if all(run.result.floor is None for run in runs)
            else ()
        ),
    )


def _right_words(runs: Sequence[LabeledRun]) -> str:
    most = max(run.result.verification.max_ulp_error for run in runs if run.result.verification is not None)
    within = f", exactly or within {counted(most, 'unit')} in the last place" if most else ""
    return f"Every value of every run was right{within}."


def _latency_facts(runs: Sequence[LabeledRun]) -> list[Fact]:
    """States the fastest and the slowest run; on several links those of each, which no link compares.

    Behind them stand the distances from the floor and the kinds of operators that take the time, as ranges
    over all runs.
    """
    links = by_link(runs)
    facts = []
    for link, found in links.items():
        ordered = sorted(found, key=_median_s)
        low, high = (
            with_mark(seconds(_median_s(run)), "online", run.result) for run in (ordered[0], ordered[-1])
        )
        value = high if len(found) == 1 else span_text(_median_s(ordered[0]), _median_s(ordered[-1]))
        fastest, slowest = without_link(ordered[0]), without_link(ordered[-1])
        which = (
            f"{fastest}." if len(found) == 1 else f"Fastest: {fastest} ({low}). Slowest: {slowest} ({high})."
        )
        term = f"online on {link}" if len(links) > 1 else "online"
        facts.append(Fact(term, value, " ".join([which, *_floor_words(found), *kind_words(found)])))
    return facts


def _floor_words(runs: Sequence[LabeledRun]) -> list[str]:
    """Says how many times their floors the runs take, where floors were measured."""
    known = [
        times
        for run in runs
        if run.result.floor is not None and (times := run.result.floor.online.times_floor) is not None
    ]
    if not known:
        return []
    low, high = _two_decimals(min(known)), _two_decimals(max(known))
    span = low if low == high else f"{low} to {high}"
    return [f"{span} times the floor, the least time that the machine and the link need."]


def _median_s(run: LabeledRun) -> float:
    return run.result.online.latency_s.median


_VERIFIED = (
    "Verified means: every value that the two parties computed in secret was compared with the same operator "
    "in the clear, and none was wrong. This says nothing about whether the network names the right class of "
    "an image, nor whether its integers answer as the float network does."
)
_SETTINGS: dict[str, Callable[[LabeledRun], str]] = {
    "network": lambda run: label_parts(run.label)[0],
    "protocol": lambda run: run.result.protocol,
    "mode": lambda run: run.result.mode,
    "link": lambda run: link_name(run.result),
    "settings": lambda run: _other_settings(run),
    "answer": lambda run: verdict(run.result)[0],
}
_FIGURES: dict[str, Callable[[Result], tuple[float | None, str]]] = {
    "online": lambda result: _time(result.online.latency_s.median),
    "confidence 95 %": lambda result: _interval(result.online.latency_s),
    "quartiles": lambda result: _quartiles(result.online.latency_s),
    "times floor": lambda result: _times_floor(result),
    "rounds": lambda result: (result.online.comm_round_count, f"{result.online.comm_round_count:g}"),
    "offline": lambda result: _time(result.offline.time_s),
    "set-up": lambda result: _time(result.setup.time_s),
    "first inference": lambda result: _time(result.first_inference_s),
    "sent online": lambda result: _bytes(result.online.bytes.total),
    "sent offline": lambda result: _bytes(result.offline.bytes.total),
    "ReLUs": lambda result: (result.network.relu_count, f"{result.network.relu_count:,}"),
}
"""The figures of the table of runs, each as a number for sorting, None where there is none, and as text.

A run has either an interval of the median or, if its runs are too few for one, the quartiles. One or two runs
have neither.
"""


def _tables(runs: Sequence[LabeledRun]) -> tuple[PageTable, ...]:
    """Returns one table of runs; one per link where each link has several runs."""
    links = by_link(runs)
    if len(links) == 1 or min(map(len, links.values())) == 1:
        return (_table(runs, runs, "Every run"),)
    return tuple(_table(found, runs, f"Every run over {link}") for link, found in links.items())


def _table(runs: Sequence[LabeledRun], every: Sequence[LabeledRun], title: str) -> PageTable:
    """Returns one row per run, named by its network, with the mark of the run behind the name.

    A column in which all of several runs have one value is left out, and the title has the value. The columns
    can be sorted. A line stands between networks of several runs.

    Args:
        every: all runs of the page, among which the addresses of marks are found.
    """
    figures = [[write(run.result) for write in _FIGURES.values()] for run in runs]
    columns = (*_SETTINGS, *_FIGURES)
    cells = [
        (*(write(run) for write in _SETTINGS.values()), *(text for _, text in own))
        for run, own in zip(runs, figures, strict=True)
    ]
    values = [(*(None for _ in _SETTINGS), *(value for value, _ in own)) for own in figures]
    by_column = list(zip(columns, zip(*cells, strict=True), strict=True))[1:]
    shared = {name: texts[0] for name, texts in by_column if len(set(texts)) == 1 and _is_left_out(texts)}
    shown = [at for at, name in enumerate(columns) if name not in shared]
    addresses = mark_addresses(every)
    throughout = ", ".join(f"{name} {value}" for name, value in shared.items() if value != "-")
    names = [row[0] for row in cells]
    begins = frozenset(at for at in range(1, len(names)) if names[at] != names[at - 1])
    return PageTable(
        f"{title}. Throughout: {throughout}" if throughout else title,
        tuple(columns[at] for at in shown),
        tuple(
            (with_mark(row[0], "", run.result), *(row[at] for at in shown[1:]))
            for run, row in zip(runs, cells, strict=True)
        ),
        links={row: addresses[run.number] for row, run in enumerate(runs) if run.number in addresses},
        sort_values=tuple(tuple(row[at] for at in shown) for row in values),
        begins=begins if len(begins) + 1 < len(names) else frozenset(),
    )


def _is_left_out(texts: Sequence[str]) -> bool:
    """Tells whether a column of one text is left out: that of several runs, or one without any content."""
    return len(texts) > 1 or texts[0] == "-"


def _other_settings(run: LabeledRun) -> str:
    """Returns what the label of a run has beside the settings that have columns; a dash for nothing."""
    result = run.result
    known = {result.protocol, f"mode {result.mode}", link_name(result)}
    return ", ".join(part for part in label_parts(run.label)[1:] if part not in known) or "-"


def _time(value_s: float) -> tuple[float, str]:
    return value_s, seconds(value_s)


def _bytes(count: int) -> tuple[float, str]:
    return count, byte_count(count)


def _interval(latency: Distribution) -> tuple[float | None, str]:
    return (None, "-") if latency.interval is None else (latency.interval[0], span_text(*latency.interval))


def _quartiles(latency: Distribution) -> tuple[float | None, str]:
    if latency.interval is not None or len(latency.samples) < MIN_QUARTILE_RUNS:
        return None, "-"
    return latency.q1, span_text(latency.q1, latency.q3)


def _times_floor(result: Result) -> tuple[float | None, str]:
    times = None if result.floor is None else result.floor.online.times_floor
    return (None, "-") if times is None else (times, _two_decimals(times))


def _two_decimals(times: float) -> str:
    """Writes how many times its floor a time is, so that the digits of a column stand below each other."""
    return f"{times:,.2f}"
