"""The ratios of two protocols that were measured with the same network and link."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from pi_bench.errors import PiBenchError
from pi_bench.page.parts import Fact, PageTable
from pi_bench.page.runs import CAUTION_MARK, LabeledRun, by_link, label_parts, link_name, with_mark
from pi_bench.registry import find_protocol
from pi_bench.report.documents.latency import Result
from pi_bench.report.quantities import counted, ratio_text, times_text

_FIGURES: Mapping[str, Callable[[Result], float]] = {
    "online": lambda result: result.online.latency_s.median,
    "offline": lambda result: result.offline.time_s,
    "sent online": lambda result: result.online.bytes.total,
    "sent offline": lambda result: result.offline.bytes.total,
}
_TIMES = ("online", "offline")
_Pair = tuple[LabeledRun, LabeledRun]


def pairs_of(runs: Sequence[LabeledRun]) -> list[_Pair]:
    """Pairs the runs of each protocol with those of the first one that differ from them in nothing else.

    The runs of a pair have the network, the link, the mode, the threads and the processor in common. A
    protocol with several such runs, whose options differ, has no pair.

    >>> pairs_of([])
    []
    """
    groups: dict[tuple[object, ...], dict[str, list[LabeledRun]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        groups[_common(run)][run.result.protocol].append(run)
    first = runs[0].result.protocol if runs else ""
    return [
        (found[first][0], own[0])
        for found in groups.values()
        for protocol, own in found.items()
        if protocol != first and len(own) == len(found.get(first, ())) == 1
    ]


def ratio_facts(runs: Sequence[LabeledRun]) -> tuple[Fact, ...]:
    """States the ratios of each protocol to the first one, over all networks, and those online for each link.

    Ratios of times on a link come from the pairs without a caution, as long as the link has one. A ratio of
    a marked run has its mark.

    >>> ratio_facts([])
    ()
    """
    pairs = pairs_of(runs)
    facts = []
    for protocol in dict.fromkeys(other.result.protocol for _, other in pairs):
        own = [pair for pair in pairs if pair[1].result.protocol == protocol]
        base = own[0][0].result.protocol
        chosen = [pair for _, pairs_on in _by_link(own) for pair in _without_caution(pairs_on)]
        facts.append(
            Fact(
                f"{protocol} beside {base}",
                f"{_range(chosen, 'online')} times online",
                f"{protocol} divided by {base}, for the same network and link. {_link_words(own)}"
                f"Offline: {_range(chosen, 'offline')} times. "
                f"Bytes: {_range(own, 'sent online')} times online, "
                f"{_range(own, 'sent offline')} times offline.{_caveat(protocol)}",
                address="settings",
            )
        )
    return tuple(facts)


def _without_caution(pairs: Sequence[_Pair]) -> Sequence[_Pair]:
    """Returns the pairs of which no run has a caution; all, if there is no such pair."""
    return [pair for pair in pairs if not any(run.result.cautions for run in pair)] or pairs


def _link_words(pairs: Sequence[_Pair]) -> str:
    """Gives range and median of the online ratios on each link, and says which networks they are of."""
    ranges = []
    for link, own in _by_link(pairs):
        chosen = _without_caution(own)
        ratios = [ratio for pair in chosen if (ratio := _ratio(pair, "online")) is not None]
        median = f", median {times_text(statistics.median(ratios))}" if len(ratios) > 2 else ""
        ranges.append(f"{link} {_range(chosen, 'online')}{median} ({_chosen_words(own, chosen)})")
    return f"Online by link: {'; '.join(ranges)}. " if len(ranges) > 1 else ""


def _chosen_words(pairs: Sequence[_Pair], chosen: Sequence[_Pair]) -> str:
    """Says of how many networks a range is, and what is marked among them or left out."""
    if len(chosen) < len(pairs):
        return (
            f"{len(chosen)} of {counted(len(pairs), 'network')}, without {len(pairs) - len(chosen)} marked "
            f"{CAUTION_MARK}"
        )
    marked = any(run.result.cautions for pair in chosen for run in pair)
    return counted(len(chosen), "network") + (f", all marked {CAUTION_MARK}" if marked else "")


def _by_link(pairs: Sequence[_Pair]) -> list[tuple[str, list[_Pair]]]:
    links = by_link([other for _, other in pairs])
    return [(link, [pair for pair in pairs if link_name(pair[1].result) == link]) for link in links]


def _caveat(protocol: str) -> str:
    """Returns what a protocol says against itself; nothing for one that is not installed."""
    try:
        caveat = find_protocol(protocol).caveat
    except PiBenchError:
        return ""
    return f" {caveat}" if caveat else ""


def ratio_tables(runs: Sequence[LabeledRun]) -> tuple[PageTable, ...]:
    """Returns the table of all pairs; nothing where there is none.

    >>> ratio_tables([])
    ()
    """
    pairs = pairs_of(runs)
    if not pairs:
        return ()
    ratios = [[_ratio(pair, name) for name in _FIGURES] for pair in pairs]
    return (
        PageTable(
            "Ratios of protocols with the same network and link: below 1, the first one takes or sends less",
            ("network", "link", "protocols", *_FIGURES),
            tuple(
                (
                    with_mark(label_parts(other.label)[0], "", base.result, other.result),
                    link_name(other.result),
                    f"{other.result.protocol} / {base.result.protocol}",
                    *("-" if ratio is None else ratio_text(ratio) for ratio in own),
                )
                for (base, other), own in zip(pairs, ratios, strict=True)
            ),
            sort_values=tuple((None, None, None, *own) for own in ratios),
        ),
    )


def _common(run: LabeledRun) -> tuple[object, ...]:
    result = run.result
    network, environment = result.network, result.environment
    return (
        *(run.network, network.input_count, network.fusion is not None),
        *(link_name(result), result.mode, environment.threads, environment.cpu_model, result.offline.ahead),
    )


def _ratio(pair: _Pair, name: str) -> float | None:
    base, other = (_FIGURES[name](run.result) for run in pair)
    return other / base if base else None


def _range(pairs: Sequence[_Pair], name: str) -> str:
    """Writes the smallest and the largest ratio. A ratio of times has the mark of its runs."""
    known = [(ratio, pair) for pair in pairs if (ratio := _ratio(pair, name)) is not None]
    if not known:
        return "-"
    known.sort(key=lambda each: each[0])
    low, high = (
        with_mark(times_text(ratio), name, *(run.result for run in pair if name in _TIMES))
        for ratio, pair in (known[0], known[-1])
    )
    return low if low == high else f"{low} to {high}"
