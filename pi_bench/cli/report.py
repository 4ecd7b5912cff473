"""`pi-bench report`: makes a page of results that one can look at, and files of its plots."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.errors import UsageError

if TYPE_CHECKING:
    from pi_bench.page.parts import Section

_DESCRIPTION = """\
Makes one HTML file that shows results of `pi-bench latency` in plots and tables: verification, both phases
with intervals and floors, layers, bytes, predictions, and networks, protocols and links beside each other.
Results of `pi-bench accuracy` are joined with the latency of the same program. The file needs no network and
holds the results, so that it can be sent to others.
"""
_EPILOG = """\
examples:
  pi-bench report last -o report.html
  pi-bench report baseline 12 result.json -o report.html
  pi-bench report results/ -o report.html --figures figures
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["report", "last", "-o", "report.html"]).results
    ['last']
    """
    parser = subparsers.add_parser("report", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument(
        "results",
        nargs="+",
        metavar="RUN",
        help="a file of --json, a folder of such files, or a kept run: its number, its tag, or last",
    )
    parser.add_argument("-o", "--output", metavar="FILE.html", help="write the page to this file")
    parser.add_argument(
        "--figures", metavar="FOLDER", help="write each plot to this folder as SVG, PDF and PNG"
    )
    parser.add_argument("--title", metavar="TEXT", help="title of the page (default: the networks)")
    parser.add_argument("--history", metavar="FILE", help="the database (default: that of the user)")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Reads the results, and writes the page and the files of its plots. Returns the exit code.

    Raises:
        UsageError: there is no such run, or nothing to write is asked for.
        OutputError: a file cannot be written.
        InputError: a file holds no result, or another version wrote it.
        EnvironmentUnsupportedError: a library of the extra ``report`` is not installed.

    ```python
    from pi_bench.cli import main

    def show(folder: str) -> int:
        return main(["report", folder, "-o", "report.html"])
    ```
    """
    from pi_bench.cli.history_option import history_path
    from pi_bench.cli.output import writable, writable_folder
    from pi_bench.page import sections_of
    from pi_bench.page.document import html_page
    from pi_bench.page.figure_files import plots_of
    from pi_bench.page.inputs import read_inputs
    from pi_bench.page.published import published_on
    from pi_bench.page.renderer import require_renderer
    from pi_bench.page.runs import labeled_runs
    from pi_bench.page.set_up import set_up_text
    from pi_bench.page.shared_settings import shared_settings
    from pi_bench.report.quantities import counted

    if parsed.output is None and parsed.figures is None:
        raise UsageError("there is nothing to write: give -o FILE.html, --figures FOLDER or both")
    require_renderer()
    writable(parsed.output, parsed)
    inputs = read_inputs(parsed.results, history_path(parsed))
    if parsed.figures is not None:
        writable_folder(Path(parsed.figures))
    for reason in inputs.passed_over:
        print(f"warning: passed over: {reason}", file=sys.stderr)
    if inputs.unmeasured:
        cells = counted(len(inputs.unmeasured), "cell")
        print(f"warning: {cells} without a result in the sweep; the page names them", file=sys.stderr)
    runs = labeled_runs(inputs.results)
    names = [each.result.network.name for each in inputs.results]
    names += [text for each in inputs.accuracies for text in (each.network.name, each.data.source)]
    sections = sections_of(inputs, published_on(names))
    if parsed.output is not None:
        title = parsed.title or default_title(inputs.documents)
        page = html_page(title, sections, inputs.documents, shared_settings(runs), set_up_text(runs))
        _write_page(parsed.output, page, len(inputs.documents), len(plots_of(sections)))
    if parsed.figures is not None:
        _write_figures(Path(parsed.figures), sections, quiet=parsed.output == "-")
    return 0


def _write_page(output: str, page: str, result_count: int, plot_count: int) -> None:
    from pi_bench.cli.output import STDOUT, write_text
    from pi_bench.report.quantities import byte_count, counted

    write_text(output, page)
    if output != STDOUT:
        print(
            f"wrote {output}: {counted(result_count, 'result')}, {counted(plot_count, 'plot')}, "
            f"{byte_count(len(page.encode()))}"
        )


def default_title(documents: list[dict[str, Any]]) -> str:
    """Names the network, or counts the networks and results.

    >>> default_title([{"network": {"name": "resnet18"}}] * 2)
    'Private inference of resnet18: 2 results'
    """
    from pi_bench.report.quantities import counted

    names = list(dict.fromkeys(document["network"]["name"] for document in documents))
    network = names[0] if len(names) == 1 else counted(len(names), "network")
    return f"Private inference of {network}: {counted(len(documents), 'result')}"


def _write_figures(folder: Path, sections: list[Section], *, quiet: bool) -> None:
    from pi_bench.cli.output import write_bytes
    from pi_bench.cli.progress import Progress
    from pi_bench.page.figure_files import figure_files, plots_of
    from pi_bench.report.quantities import counted

    plots = plots_of(sections)
    with Progress() as progress:
        for number, plot in enumerate(plots):
            progress(f"plot {plot.name}", number, len(plots))
            for name, content in figure_files(plot):
                write_bytes(folder / name, content)
    if not quiet:
        print(f"wrote {counted(len(plots), 'plot')} to {folder}, each as SVG, PDF and PNG")
