"""The same networks under several protocols, links and numbers of threads."""

from __future__ import annotations

from collections.abc import Sequence

from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.ratios import ratio_tables
from pi_bench.page.runs import LabeledRun, link_name, with_mark
from pi_bench.page.specs import Encoding, bars_of_runs, layer, logarithmic, rounded, series, shapes, tooltip
from pi_bench.report.documents.latency import Result
from pi_bench.report.quantities import counted, seconds

_TITLE = "Protocols and links"
_PHASES = {"online": "online latency", "offline": "offline time"}


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns one plot per phase, where the runs have several protocols, links or numbers of threads.

    >>> section([]).missing
    ('The runs have one protocol, one link and one number of threads: nothing to compare.',)
    """
    groups = group_names([run.result for run in runs])
    if len({(group, link_name(run.result)) for group, run in zip(groups, runs, strict=True)}) < 2:
        return Section(
            "settings",
            _TITLE,
            missing=("The runs have one protocol, one link and one number of threads: nothing to compare.",),
        )
    return Section(
        "settings",
        _TITLE,
        words=(
            "One row per network. The axes are logarithmic: equal distances are equal ratios. Each result "
            "was measured on its own. `pi-bench compare` alternates the runs of two results, and says "
            "whether their difference is real.",
        ),
        plots=tuple(_plot(runs, groups, phase) for phase in _PHASES),
        tables=ratio_tables(runs),
    )


def group_names(results: Sequence[Result]) -> list[str]:
    """Names the protocol of each run, with its mode and number of threads where they differ.

    >>> group_names([])
    []
    """
    modes, threads = {each.mode for each in results}, {each.environment.threads for each in results}
    return [
        ", ".join(
            [
                each.protocol,
                *([f"mode {each.mode}"] if len(modes) > 1 else []),
                *([counted(each.environment.threads, "thread")] if len(threads) > 1 else []),
            ]
        )
        for each in results
    ]


def _network(run: LabeledRun) -> str:
    count = run.result.network.input_count
    return run.network if count == 1 else f"{run.network} ({count:,} inputs)"


def _time_s(run: LabeledRun, phase: str) -> float:
    return run.result.online.latency_s.median if phase == "online" else run.result.offline.time_s


def _plot(runs: Sequence[LabeledRun], groups: Sequence[str], phase: str) -> Plot:
    rows: list[Encoding] = [
        {
            "network": _network(run),
            "protocol": group,
            "link": link_name(run.result),
            "time_s": rounded(_time_s(run, phase)),
            "time": seconds(_time_s(run, phase)),
        }
        for group, run in zip(groups, runs, strict=True)
        if _time_s(run, phase) > 0  # a logarithmic axis has no 0
    ]
    networks, links = (
        list(dict.fromkeys(map(_network, runs))),
        list(dict.fromkeys(link_name(run.result) for run in runs)),
    )
    kinds = list(dict.fromkeys(groups))
    spec = bars_of_runs(
        networks,
        [
            layer(
                "point",
                rows,
                x=logarithmic("time_s", _PHASES[phase], "s", [row["time_s"] for row in rows]),
                color=series("protocol", kinds),
                shape=shapes("link", links),
                tooltip=tooltip("network", "protocol", "link", "time"),
            )
        ],
        field="network",
        lines=True,
    )
    cells = [(group, link) for group in kinds for link in links]
    return Plot(
        name=f"settings-{phase}",
        title=_PHASES[phase].capitalize(),
        words=f"{counted(len(networks), 'network')} under {counted(len(kinds), 'protocol')} and "
        f"{counted(len(links), 'link')}.",
        spec=spec,
        table=PageTable(
            f"{_PHASES[phase].capitalize()} by network, protocol and link",
            ("network", *(f"{group}, {link}" for group, link in cells)),
            tuple(
                (network, *(_cell(runs, groups, network, cell, phase) for cell in cells))
                for network in networks
            ),
        ),
    )


def _cell(
    runs: Sequence[LabeledRun], groups: Sequence[str], network: str, cell: tuple[str, str], phase: str
) -> str:
    """Writes the times of all runs of a network in one setting."""
    return (
        " / ".join(
            with_mark(seconds(_time_s(run, phase)), phase, run.result)
            for group, run in zip(groups, runs, strict=True)
            if _network(run) == network and (group, link_name(run.result)) == cell
        )
        or "-"
    )
