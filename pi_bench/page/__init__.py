"""Makes one self-contained HTML page of results, and writes its plots as files.

Data:
    inputs          reads results from files, folders and the history
    runs            gives each run a label that tells it from the others
    doubts          what makes a latency uncertain, and what a slower link adds to it
    shared_settings the settings in which all runs agree
    set_up          the set-up of all runs in sentences that a paper can take over
    run_groups      names sets of runs by the setting that they share
    remarks         the cautions, warnings and notes of the runs
    ratios          the ratios of protocols that were measured with the same network and link
    time_division   the online time by kind of operator and by round
    parts           the parts of a page: sections, plots, tables
    published       the accuracies and latencies that papers publish on the data sets of the runs

Sections, each with its plots and tables:
    headline        verification, online and offline time, floor
    phases          the offline phase beside the online phase
    causes          the online time by cause: both parties' work, bytes, round trips
    layers          the online time of each layer: computing, sending, waiting
    sent_bytes      bytes by direction, phase and purpose
    floors          the least times, by client, server and link
    predictions     how far predicted times are from measured ones
    growth          the online latency over ReLUs and over the predicted time
    frontier        accuracy over ReLUs; accuracy_latency has the plot over the online latency
    settings        the same network under several protocols, links or numbers of threads
    resources       networks, protocols with their options, storage and memory
    machines        machines, software, cautions and warnings
    words           the words that the other sections use, with their meanings

Outputs, each a format of the same sections:
    document        the HTML page, from the files of `template`
    figure_files    the plots as SVG, PDF and PNG

Drawing:
    link_plots      draws a plot once per link
    specs           pieces of Vega-Lite that several plots use
    theme           colors in light and dark, and the style of plots
    renderer        the library that draws: its JavaScript for the page, its conversion for files
"""

from __future__ import annotations

from pi_bench.page import (
    causes,
    floors,
    frontier,
    growth,
    headline,
    layers,
    machines,
    phases,
    predictions,
    resources,
    sent_bytes,
    settings,
    words,
)
from pi_bench.page.inputs import PageInputs
from pi_bench.page.parts import Section
from pi_bench.page.published import PublishedPoints
from pi_bench.page.runs import labeled_runs
from pi_bench.page.shared_settings import shared_settings


def sections_of(inputs: PageInputs, published: PublishedPoints | None = None) -> list[Section]:
    """Prepares every section of the page, in its order.

    A section without the data for its plots says so, and draws none.

    Args:
        published: points of papers by data set (`pi_bench.page.published`).

    >>> [section.name for section in sections_of(PageInputs())][:2]
    ['headline', 'phases']
    """
    runs = labeled_runs(inputs.results)
    sections = [
        headline.section(runs, inputs.unmeasured),
        phases.section(runs),
        causes.section(runs),
        layers.section(runs),
        sent_bytes.section(runs),
        floors.section(runs),
        predictions.section(runs),
        growth.section(runs),
        frontier.section(runs, inputs.accuracies, published or PublishedPoints()),
        settings.section(runs),
        resources.section(runs),
        machines.section(runs),
    ]
    return [*sections, words.section(sections, runs, shared_settings(runs))]
