"""The headline of a page: whether the answers are verified, both phases' times, the distance to the floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pi_bench.page.parts import Fact, PageTable, Section
from pi_bench.page.remarks import caution_addresses, caution_facts
from pi_bench.page.runs import LabeledRun, by_link, ellipsis_text, label_parts
from pi_bench.report.documents.latency import Distribution, Result
from pi_bench.report.quantities import byte_count, counted, seconds, span_text, times_text


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns the headline: large figures, and one row per run.

    >>> section([]).missing
    ('No result of `pi-bench latency` is given, so there are no times.',)
    """
    if not runs:
        return Section(
            "headline",
            "At a glance",
            missing=("No result of `pi-bench latency` is given, so there are no times.",),
        )
    answer, *others = _facts_of_one(runs[0].result) if len(runs) == 1 else _facts_of_several(runs)
    facts = (answer, *_weight_facts(runs), *caution_facts(runs), *others)
    verified = (_VERIFIED,) if any(run.result.verification is not None for run in runs) else ()
    ellipsis = ellipsis_text([run.result for run in runs])
    words = (*verified, *((ellipsis,) if ellipsis else ()))
    return Section("headline", "At a glance", words=words, facts=facts, tables=(_table(runs),))


def _weight_facts(runs: Sequence[LabeledRun]) -> tuple[Fact, ...]:
    """Says that weights are random, where they are."""
    count = sum(run.result.network.weights == "random" for run in runs)
    if not count:
        return ()
    return (
        Fact(
            "weights",
            "random" if count == len(runs) else f"random in {count} of {len(runs)}",
            "The answers mean nothing, although they are verified. Times and bytes are those of a trained "
            "network.",
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
    if latency.interval is None:
        return f"half of the runs took {span_text(latency.q1, latency.q3)}"
    return f"{span_text(*latency.interval)} with a confidence of 95 %"


def _facts_of_one(result: Result) -> tuple[Fact, ...]:
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
    floors = [
        (run.result.floor.online.times_floor, run)
        for run in runs
        if run.result.floor is not None and run.result.floor.online.times_floor is not None
    ]
    nearest = min(floors, key=lambda each: each[0] or 0.0) if floors else None
    return (
        Fact(
            "answers",
            f"{verified} of {len(runs)} verified",
            f"Not verified or failed: {'; '.join(others)}." if others else _right_words(runs),
            bool(others),
        ),
        *_latency_facts(runs),
        Fact("floor", "not measured", "No result has limits of the machine (--no-limits).")
        if nearest is None
        else Fact("nearest to its floor", f"{times_text(nearest[0])} times", f"{nearest[1].label}."),
    )


def _right_words(runs: Sequence[LabeledRun]) -> str:
    most = max(run.result.verification.max_ulp_error for run in runs if run.result.verification is not None)
    within = f", exactly or within {counted(most, 'unit')} in the last place" if most else ""
    return f"Every value of every run was right{within}."


def _latency_facts(runs: Sequence[LabeledRun]) -> list[Fact]:
    """States the fastest and the slowest run; on several links those of each, which no link compares."""
    links = by_link(runs)
    ordered = {link: sorted(found, key=_median_s) for link, found in links.items()}
    if len(links) > 1:
        return [
            Fact(
                f"online on {link}",
                span_text(_median_s(found[0]), _median_s(found[-1])),
                f"Fastest: {found[0].label}. Slowest: {found[-1].label}.",
            )
            if len(found) > 1
            else Fact(f"online on {link}", seconds(_median_s(found[0])), f"{found[0].label}.")
            for link, found in ordered.items()
        ]
    (found,) = ordered.values()
    interval = interval_text(found[0].result.online.latency_s)
    return [
        Fact("fastest online", seconds(_median_s(found[0])), f"{found[0].label}; {interval}."),
        Fact("slowest online", seconds(_median_s(found[-1])), f"{found[-1].label}."),
    ]


def _median_s(run: LabeledRun) -> float:
    return run.result.online.latency_s.median


_VERIFIED = (
    "Verified means that both parties computed the integer network: every value of every run was compared "
    "with the same operator in the clear. It is no comparison with the right classes of images, and none "
    "with the float network."
)
_SETTINGS: dict[str, Callable[[LabeledRun], str]] = {
    "protocol": lambda run: run.result.protocol,
    "mode": lambda run: run.result.mode,
    "link": lambda run: run.result.link.name,
}
_FIGURES = (
    *("answer", "online", "confidence 95 %", "times floor", "offline", "first inference"),
    *("sent online", "sent offline", "ReLUs"),
)


def _table(runs: Sequence[LabeledRun]) -> PageTable:
    """Returns one row per run. The settings come first, except those that every label says already.

    A column in which all runs have one value is left out, and the title has the value.
    """
    settings = {
        name: write
        for name, write in _SETTINGS.items()
        if not all({write(run), f"{name} {write(run)}"} & set(label_parts(run.label)) for run in runs)
    }
    columns = (*settings, *_FIGURES)
    cells = [(*(write(run) for write in settings.values()), *_figures(run)) for run in runs]
    shared = {
        name: values[0]
        for name, values in zip(columns, zip(*cells, strict=True), strict=True)
        if len(runs) > 1 and len(set(values)) == 1
    }
    rows = tuple(
        (run.label, *(cell for name, cell in zip(columns, row, strict=True) if name not in shared))
        for run, row in zip(runs, cells, strict=True)
    )
    addresses = caution_addresses(runs)
    links = {row: addresses[run.number] for row, run in enumerate(runs) if run.number in addresses}
    throughout = ", ".join(f"{name} {value}" for name, value in shared.items() if value != "-")
    title = f"Every run. Throughout: {throughout}" if throughout else "Every run"
    return PageTable(
        title, ("run", *(name for name in columns if name not in shared)), rows, one_line=True, links=links
    )


def _figures(run: LabeledRun) -> tuple[str, ...]:
    result, interval = run.result, run.result.online.latency_s.interval
    return (
        verdict(result)[0],
        seconds(result.online.latency_s.median),
        "-" if interval is None else span_text(*interval),
        "-" if result.floor is None else times_text(result.floor.online.times_floor),
        seconds(result.offline.time_s),
        seconds(result.first_inference_s),
        byte_count(result.online.bytes.total),
        byte_count(result.offline.bytes.total),
        f"{result.network.relu_count:,}",
    )
