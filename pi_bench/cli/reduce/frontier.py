"""`pi-bench reduce frontier`: puts the networks of several searches into one table and one figure."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pi_bench.cli import model_options, protocol_options
from pi_bench.cli.failures import Failures
from pi_bench.cli.output import print_text, writable_folder
from pi_bench.cli.reduce import base_network, objective_options
from pi_bench.errors import OutputError, TrainingError, UsageError
from pi_bench.report.quantities import counted, figure_or_dash
from pi_bench.report.text_table import render_table


def add_parser(subparsers: Any) -> None:
    """Adds the method to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args("frontier deepreduce snl -o both --no-plot".split()).plot
    False
    """
    parser = subparsers.add_parser(
        "frontier",
        help="combine several searches into one frontier",
        description="Reads pareto.csv of each folder and writes pareto.csv and pareto.svg of all of them.",
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="folder of a search")
    base_network.add_output(parser)
    parser.add_argument("--title", default="Pareto frontier", help="title of the figure")
    parser.add_argument(
        "--no-plot", dest="plot", action="store_false", help="draw no figure; matplotlib is then not needed"
    )
    parser.add_argument(
        "--published",
        metavar="DATA",
        help="also draw the accuracies that papers publish on the data set DATA (docs/reduction.md); the "
        "table and the frontier do not hold them",
    )
    objective_options.add_options(parser)
    protocol_options.add_protocol(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Reads the tables of the searches, writes and prints that of all networks. Returns the exit code.

    Raises:
        PiBenchError: a folder holds no search, the output folder holds one or is read, or the files cannot
            be written.

    ```python
    from pi_bench.cli import main

    def combine(*folders: str) -> int:
        return main(["reduce", "frontier", *folders, "-o", "all"])
    ```
    """
    model_options.require_torch("reduce")
    table = importlib.import_module("pi_bench.models.reduction.pareto_table")
    if parsed.plot:
        importlib.import_module("pi_bench.models.reduction.plot").require_matplotlib()
    published = _published(parsed)
    _require_own_folder(parsed.output, parsed.folders)
    writable_folder(parsed.output)
    from pi_bench.cli.progress import Progress

    with Progress() as progress:
        objective = objective_options.objective_of(parsed, parsed.output, progress)
    candidates = [
        one
        for folder in parsed.folders
        for one in table.read_table(folder / table.TABLE_FILE, seen_from=parsed.output)
    ]
    _say_what_is_lost(candidates, objective)
    said = conclude(
        predicted(candidates, parsed.output, objective),
        parsed.output,
        parsed.title,
        plot=parsed.plot,
        published=published,
        objective=parsed.objective,
    )
    print_text(said)
    return 0


def _require_own_folder(output: Path, folders: Sequence[Path]) -> None:
    """Checks that the tables of other folders stay as they are.

    Raises:
        OutputError: the output folder holds a search, or is one of the folders that are read.
    """
    search_file = importlib.import_module("pi_bench.models.reduction.search_folder").SEARCH_FILE
    what = "holds a search" if (output / search_file).exists() else ""
    if output.resolve() in [folder.resolve() for folder in folders]:
        what = "is one of the folders to combine"
    if what:
        raise OutputError(f"--output {output} {what}, whose pareto.csv would be lost: name another folder")


def _say_what_is_lost(candidates: Sequence[Any], objective: Any) -> None:
    """Says on standard error which times do not compare, and what is left out for that reason."""
    module = importlib.import_module("pi_bench.models.reduction.predicted_candidates")
    kinds = module.predicted_settings(candidates)
    if objective is None and len(kinds) > 1:
        print(
            f"the tables have predicted times for {' and for '.join(kinds)}, which do not compare: they are "
            "left out; --objective, --link and --protocol predict all networks for one of them",
            file=sys.stderr,
        )
    measured = importlib.import_module("pi_bench.models.reduction.candidate").measured_settings(candidates)
    if len(measured) > 1:
        print(
            f"the tables have times measured for {' and for '.join(measured)}, which do not compare: they "
            "have no frontier and no figure; a search measures its networks with the --protocol, --mode and "
            "--link that it is given",
            file=sys.stderr,
        )


def _published(parsed: argparse.Namespace) -> list[Any]:
    if parsed.published is None:
        return []
    if not parsed.plot:
        raise UsageError("--published adds points to the figure: leave out --no-plot")
    points: list[Any] = importlib.import_module("pi_bench.models.published").published_points(
        parsed.published
    )
    return points


def predicted(candidates: list[Any], root: Path, objective: Any) -> list[Any]:
    """Returns the candidates with their predicted times. Without an objective, they keep those that compare.

    Raises:
        InputError: the costs lack a unit.

    >>> predicted([], Path("folder"), None)
    []
    """
    module = importlib.import_module("pi_bench.models.reduction.predicted_candidates")
    found: list[Any] = module.predict_all(candidates, root, objective)
    return found


def conclude(
    candidates: list[Any],
    root: Path,
    title: str,
    plot: bool,
    published: Sequence[Any] = (),
    objective: str = "relus",
) -> str:
    """Marks the frontiers, writes the table and, with `plot`, the figure, and returns the text for the
    terminal. Counts the networks with a caution on standard error.

    Args:
        published: points of papers for the figure alone.
        objective: the objective that ranks the networks.

    Raises:
        TrainingError: a file cannot be written.

    >>> import tempfile
    >>> candidate = importlib.import_module("pi_bench.models.reduction.candidate").Candidate
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = conclude([candidate("a", "snl", "60", 60)], Path(folder), "SNL", plot=False)
    >>> text.splitlines()[0].split("  ")[0]
    'network'
    """
    marking = importlib.import_module("pi_bench.models.reduction.candidate")
    table = importlib.import_module("pi_bench.models.reduction.pareto_table")
    found = marking.with_frontiers(candidates, objective)
    table.write_table(root / table.TABLE_FILE, found)
    say_cautions(found, table.TABLE_FILE)
    written = [table.TABLE_FILE]
    if plot:
        drawing = importlib.import_module("pi_bench.models.reduction.plot")
        drawing.write_plot(root / drawing.PLOT_FILE, found, title, published, objective)
        written.append(drawing.PLOT_FILE)
    flag, words = ("relu_frontier", "ReLU frontier") if objective == "relus" else _PREDICTED
    count = sum(getattr(one, flag) for one in found)
    return (
        f"{_rendered(found, objective)}\n"
        f"wrote {' and '.join(written)} to {root}: {count} of {len(found)} networks on the {words}"
    )


def say_cautions(candidates: Sequence[Any], table: str) -> None:
    """Says on standard error how many of the measured networks have a caution, if any has one.

    Args:
        table: the file whose column has the codes.

    >>> from contextlib import redirect_stderr
    >>> candidate = importlib.import_module("pi_bench.models.reduction.candidate").Candidate
    >>> measured = [candidate("a", "snl", "", 60, latency_s=0.25, cautions=one) for one in ((), ("swap",))]
    >>> with redirect_stderr(sys.stdout):
    ...     say_cautions(measured, "pareto.csv")
    caution: the figures of 1 of 2 measured networks are doubtful (swap): the column cautions of ...
    """
    measured = [one.cautions for one in candidates if one.latency_s is not None]
    count = sum(bool(codes) for codes in measured)
    if not count:
        return
    codes = ", ".join(dict.fromkeys(code for own in measured for code in own))
    print(
        f"caution: the figures of {count:,} of {counted(len(measured), 'measured network')} are doubtful "
        f"({codes}): the column cautions of {table} says which; a search measures a network again if you "
        "delete its latency.json",
        file=sys.stderr,
    )


def add_untrained(candidates: Sequence[Any], failures: Failures) -> None:
    """Adds a failure if a search has networks, and none of them but the baseline could be trained.

    >>> candidate = importlib.import_module("pi_bench.models.reduction.candidate").Candidate
    >>> failures = Failures()
    >>> add_untrained([candidate("a", "snl", "60", 60, failure="training diverged")], failures)
    >>> failures.exit_code
    9
    """
    reduced = [one for one in candidates if one.method != "baseline"]
    if reduced and all(one.test_accuracy_pct is None for one in reduced):
        failures.add(
            TrainingError.exit_code,
            "no network of the search could be trained: the lines below its table say why",
        )


_LETTERS = {
    "R": ("relu_frontier", "ReLUs"),
    "P": ("predicted_frontier", "predicted time"),
    "L": ("latency_frontier", "measured time"),
}
_PREDICTED = "predicted_frontier", "frontier of predicted time"


def _rendered(candidates: list[Any], objective: str) -> str:
    """Renders the table, what its letters mean, and the networks that failed or are above their budget."""
    predicts = objective != "relus" or any(one.predicted_s is not None for one in candidates)
    phases = "total" if objective == "total" else "online"
    rows = [
        (
            one.name,
            f"{one.method} {one.step}",
            f"{one.relu_count:,}",
            figure_or_dash(one.test_accuracy_pct, "{:.2f}"),
            figure_or_dash(one.accuracy_per_kilorelu, "{:.3g}"),
            *([figure_or_dash(one.predicted_s, "{:.1f}", 1000)] if predicts else []),
            figure_or_dash(one.measured_s(objective), "{:.1f}", 1000),
            "".join(_letters(one)),
        )
        for one in candidates
    ]
    times = [*(["predicted ms"] if predicts else []), f"{phases} ms"]
    header = ("network", "made by", "ReLUs", "accuracy %", "% per kReLU", *times, "frontier")
    shown = {letter for one in candidates for letter in _letters(one)}
    meanings = [f"{letter}: {words}" for letter, (_, words) in _LETTERS.items() if letter in shown]
    return "\n".join(
        [
            *render_table(header, rows, left=2, whole=(0,), drop=("% per kReLU", "made by")),
            *([f"on the frontier of accuracy over {', '.join(meanings)}"] if meanings else []),
            *(f"{one.name}: {one.failure}" for one in candidates if one.failure),
            *map(_over_budget, (one for one in candidates if one.over_budget)),
        ]
    )


def _letters(candidate: Any) -> list[str]:
    return [letter for letter, (flag, _) in _LETTERS.items() if getattr(candidate, flag)]


def _over_budget(candidate: Any) -> str:
    predicted_ms, budget_ms = 1e3 * candidate.predicted_s, 1e3 * candidate.budget_s
    return (
        f"{candidate.name}: predicted to take {predicted_ms:.1f} ms with the bits of its export, above its "
        f"budget of {budget_ms:g} ms"
    )
