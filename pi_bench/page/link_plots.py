"""Draws a plot once per link, because one axis has no room for the times of all links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pi_bench.page.parts import Plot
from pi_bench.page.runs import LabeledRun, by_link, on_one_link


def plots_by_link(
    runs: Sequence[LabeledRun], plot: Callable[[Sequence[LabeledRun], str], Plot]
) -> tuple[Plot, ...]:
    """Draws both phases, on several links once per link. The title names the link, and labels leave it out.

    >>> plots_by_link([], lambda runs, phase: None)
    ()
    """
    links = by_link(runs)
    plots = []
    for number, (link, found) in enumerate(links.items(), start=1):
        for phase in ("online", "offline"):
            if len(links) == 1:
                plots.append(plot(found, phase))
                continue
            drawn = plot([on_one_link(run) for run in found], phase)
            title = f"{drawn.title}, {link}"
            table = replace(drawn.table, title=f"{drawn.table.title}, {link}")
            plots.append(replace(drawn, name=f"{drawn.name}-{number}", title=title, table=table))
    return tuple(plots)
