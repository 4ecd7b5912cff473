"""The ratios of two protocols that were measured with the same network and link."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from pi_bench.page.parts import Fact, PageTable
from pi_bench.page.runs import LabeledRun, by_link, label_parts, link_name
from pi_bench.report.documents.latency import Result
from pi_bench.report.quantities import counted, ratio_text, times_text

_FIGURES: Mapping[str, Callable[[Result], float]] = {
    "online": lambda result: result.online.latency_s.median,
    "offline": lambda result: result.offline.time_s,
    "sent online": lambda result: result.online.bytes.total,
    "sent offline": lambda result: result.offline.bytes.total,
}
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

    >>> ratio_facts([])
    ()
    """
    pairs = pairs_of(runs)
    facts = []
    for protocol in dict.fromkeys(other.result.protocol for _, other in pairs):
        own = [pair for pair in pairs if pair[1].result.protocol == protocol]
        links = by_link([other for _, other in own])
        online = "; ".join(
            f"{link} {_range([pair for pair in own if link_name(pair[1].result) == link], 'online')}"
            for link in links
        )
        base = own[0][0].result.protocol
        facts.append(
            Fact(
                f"{protocol} beside {base}",
                f"{_range(own, 'online')} times online",
                f"{counted(len(own), 'pair')} with the same network and link. "
                + (f"Online by link: {online}. " if len(links) > 1 else "")
                + f"Offline: {_range(own, 'offline')} times. "
                f"Bytes: {_range(own, 'sent online')} times online, "
                f"{_range(own, 'sent offline')} times offline.",
                address="settings",
            )
        )
    return tuple(facts)


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
                    label_parts(other.label)[0],
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
    known = [ratio for pair in pairs if (ratio := _ratio(pair, name)) is not None]
    if not known:
        return "-"
    low, high = times_text(min(known)), times_text(max(known))
    return low if low == high else f"{low} to {high}"
