"""Describes the set-up of all measurements of a page in sentences that a paper can take over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pi_bench.page.runs import LabeledRun
from pi_bench.page.shared_settings import bits_over_layers, dates_text, machine_text, precision_text
from pi_bench.report.documents.fields import Loopback
from pi_bench.report.documents.latency import Result
from pi_bench.report.link import link_text
from pi_bench.report.quantities import counted, span_text
from pi_bench.report.two_machines import threads_text

_SHORT_COMMIT = 12


def set_up_text(runs: Sequence[LabeledRun]) -> str:
    """Returns sentences with the versions, the machine, the links, the protocols and the runs of a page.

    A setting in which the runs differ has all of its values, in the order in which they appear.

    >>> set_up_text([])
    ''
    """
    results = [run.result for run in runs]
    if not results:
        return ""
    bits = bits_over_layers(results)
    return " ".join(
        (
            f"Measured with {_each(results, _software)} ({dates_text(results)}) on "
            f"{_each(results, machine_text)}; {_each(results, threads_text)}.",
            f"Links: {'; '.join(_links(results))}.",
            f"Protocols: {_each(results, _protocol)}.",
            f"Runs per result: {_each(results, _runs)}, after {_warmups(results)}.{_cautions(results)}",
            *([f"Fixed point in 32-bit integers: {bits}."] if bits else ()),
        )
    )


def _each(results: Iterable[Result], write: Callable[[Result], str]) -> str:
    return "; ".join(dict.fromkeys(map(write, results)))


def _software(result: Result) -> str:
    machine = result.environment
    commit = (machine.commit or "unknown")[:_SHORT_COMMIT]
    return f"pi-bench {machine.versions.get('pi-bench', 'of an unknown version')}, commit {commit}"


def _protocol(result: Result) -> str:
    security = result.security
    if security is None:
        return f"{result.protocol}, mode {result.mode}"
    return (
        f"{result.protocol}, mode {result.mode} ({security.adversary} adversary, at least "
        f"{security.computational_bits:g} bits computational and {security.statistical_bits:g} bits "
        "statistical security)"
    )


def _runs(result: Result) -> str:
    return ", ".join(filter(None, [counted(result.runs, "timed run"), precision_text(result)]))


def _warmups(results: Sequence[Result]) -> str:
    counts = [each.warmup for each in results]
    low, high = min(counts), max(counts)
    return counted(high, "warm-up run") if low == high else f"{low} to {high} warm-up runs"


def _links(results: Sequence[Result]) -> list[str]:
    """Names each link, with the range of its probed round trips."""
    probed: dict[str, list[float]] = {}
    for result in results:
        trips_s = probed.setdefault(link_text(result.link), [])
        if not isinstance(result.link, Loopback):
            trips_s.append(result.link.measured.rtt_s)
    return [
        f"{text}, probed {span_text(min(trips_s), max(trips_s))}" if trips_s else text
        for text, trips_s in probed.items()
    ]


def _cautions(results: Sequence[Result]) -> str:
    count = sum(bool(each.cautions) for each in results)
    if not count:
        return ""
    verb = "has" if count == 1 else "have"
    return f" {count} of {counted(len(results), 'result')} {verb} a caution about the machine or the link."
