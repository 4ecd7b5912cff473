"""Describes the set-up of all measurements of a page in sentences that a paper can take over."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from pi_bench.page.runs import LabeledRun, label_parts, link_name
from pi_bench.page.shared_settings import bits_over_layers, dates_text, machine_text, precision_text
from pi_bench.report.documents.fields import Loopback
from pi_bench.report.documents.latency import ProbedLink, Result
from pi_bench.report.link import link_text
from pi_bench.report.quantities import counted, seconds, span_text
from pi_bench.report.two_machines import threads_text

_SHORT_COMMIT = 12
_MAX_NAMES = 4
"""Results are named up to this number of names, and counted beyond it."""
_WEIGHTS = {
    "random": "random weights, which give the times and bytes of trained ones and answers without a meaning",
    "given": "given weights",
    None: "weights of an origin that their files do not note",
}


def set_up_text(runs: Sequence[LabeledRun]) -> str:
    """Returns sentences with the versions, the machine, the networks, the links, the protocols and the runs.

    A setting in which the runs differ has all of its values, in the order in which they appear. Versions,
    machines, threads and numbers of runs then name the results that have each value.

    >>> set_up_text([])
    ''
    """
    results = [run.result for run in runs]
    if not results:
        return ""
    bits = bits_over_layers(results)
    return " ".join(
        (
            f"Measured with {_each(runs, _software)} ({dates_text(results)}) on "
            f"{_each(runs, machine_text)}; {_each(runs, threads_text)}.",
            *_networks(runs),
            f"Links: {'; '.join(_links(results))}.",
            *_link_cautions(results),
            f"Protocols: {'; '.join(dict.fromkeys(map(_protocol, results)))}.",
            f"Runs per result: {_each(runs, _runs)}, after {_warmups(results)}.{_cautions(results)}",
            *([f"Fixed point in 32-bit integers: {bits}."] if bits else ()),
        )
    )


def _each(runs: Sequence[LabeledRun], write: Callable[[Result], str]) -> str:
    """Writes the one value of all runs, or each value with the results that have it."""
    found: dict[str, list[LabeledRun]] = {}
    for run in runs:
        found.setdefault(write(run.result), []).append(run)
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{value} ({_which(alike, runs)})" for value, alike in found.items())


def _which(some: Sequence[LabeledRun], runs: Sequence[LabeledRun]) -> str:
    """Names some runs by a setting that they alone have, or else by their labels; many are counted."""
    for name, read in _SETTINGS.items():
        values = dict.fromkeys(map(read, some))
        if len(values) <= _MAX_NAMES and sum(read(run) in values for run in runs) == len(some):
            return f"{name if len(values) == 1 else f'{name}s'} {', '.join(values)}"
    if len(some) <= _MAX_NAMES:
        return "; ".join(", ".join([run.network, *label_parts(run.label)[1:]]) for run in some)
    return counted(len(some), "result")


_SETTINGS: dict[str, Callable[[LabeledRun], str]] = {
    "protocol": lambda run: run.result.protocol,
    "link": lambda run: link_name(run.result),
    "network": lambda run: run.network,
}


def _networks(runs: Sequence[LabeledRun]) -> list[str]:
    """Names the networks with their ReLUs, in one sentence per origin of their weights."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        network = run.result.network
        counts = [] if run.network.endswith(" ReLUs)") else [counted(network.relu_count, "ReLU")]
        if network.input_count > 1:
            counts.append(f"{network.input_count:,} inputs per inference")
        words = f"{run.network} ({', '.join(counts)})" if counts else run.network
        found.setdefault(_weights(run.result), {})[words] = None
    return [f"Networks with {origin}: {'; '.join(networks)}." for origin, networks in found.items()]


def _weights(result: Result) -> str:
    if result.server_environment is not None and result.quantization is None:
        return "weights known to the server alone"
    return _WEIGHTS[result.network.weights]


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


def _link_cautions(results: Sequence[Result]) -> list[str]:
    """Says of each emulated link how its probes differed from what was asked for, where that is a caution."""
    links: dict[str, list[tuple[ProbedLink, Set[str]]]] = {}
    for result in results:
        if isinstance(result.link, ProbedLink):
            codes = {caution.code for caution in result.cautions}
            links.setdefault(link_text(result.link), []).append((result.link, codes))
    sentences = []
    for probes in links.values():
        asked = probes[0][0]
        trips_s = [link.measured.rtt_s for link, codes in probes if "long-round-trip" in codes]
        if trips_s:
            low, high = (seconds(trip_s) for trip_s in (min(trips_s), max(trips_s)))
            sentences.append(
                f"The round trip of the emulated link {asked.name} was probed at "
                f"{low if low == high else f'{low} to {high}'}, longer than the {seconds(asked.rtt_s)} asked "
                f"for, in {len(trips_s)} of its {counted(len(probes), 'result')}."
            )
        slow_count = sum("slow-link" in codes for _, codes in probes)
        if slow_count:
            sentences.append(
                f"The emulated link {asked.name} carried less than the bandwidth asked for in {slow_count} "
                f"of its {counted(len(probes), 'result')}."
            )
    return sentences


def _cautions(results: Sequence[Result]) -> str:
    count = sum(bool(each.cautions) for each in results)
    if not count:
        return ""
    verb = "has" if count == 1 else "have"
    return f" {count} of {counted(len(results), 'result')} {verb} a caution about the machine or the link."
