"""`pi-bench table`: measures the networks of a paper's table, and prints its figures beside ours."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.cli import sweep_options
from pi_bench.cli.network_choice import network_of_file, network_of_recipe
from pi_bench.cli.output import print_text
from pi_bench.errors import InputError, UsageError
from pi_bench.report.text_table import render_table
from pi_bench.unknown_name import similar_names

if TYPE_CHECKING:
    from pi_bench.report.table_formats import Table
    from pi_bench.sweep import Network, SweepFolder

_DESCRIPTION = """\
Builds the networks of a paper's table, measures each one as `pi-bench latency` does, and prints ReLUs,
accuracy and latency as published beside ours. Both test beds are named, and no ratio is printed, because the
machines differ. It is a sweep of these networks: every result is kept in the folder at once, and the same
command continues.
"""
_EPILOG = """\
examples:
  pi-bench table --list
  pi-bench table deepreduce-4 --published
  pi-bench table deepreduce-4 --link lan,wan --format latex
"""

_FOR_PUBLISHED = ("format", "model", "run", "history", "no_history")


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["table", "deepreduce-4", "--link", "wan"]).table
    'deepreduce-4'
    """
    parser = subparsers.add_parser("table", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("table", nargs="?", metavar="TABLE", help="a table's name from --list")
    parser.add_argument("--list", action="store_true", help="list the tables")
    parser.add_argument(
        "--published", action="store_true", help="print the published figures alone, and measure nothing"
    )
    parser.add_argument(
        "--network",
        metavar="NAME",
        help="measure and print only the networks with this name or pattern, such as 'resnet18-*-12288'",
    )
    parser.add_argument(
        "--trained",
        metavar="FOLDER",
        help="use the trained networks in this folder: FOLDER/NAME is what `pi-bench train` wrote for the "
        "network NAME. Others have random weights, and no accuracy",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        help="folder for the results; one with results of the same command is continued (default: the name "
        "of the table, in the current folder)",
    )
    sweep_options.add_settings(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Measures what is not measured yet, and prints the table. Returns the exit code.

    Raises:
        PiBenchError: a name or an option cannot be used, or the folder holds another sweep.

    >>> run(argparse.Namespace(list=True, table=None, published=False))
    table         title
    ...
    0
    """
    tables = importlib.import_module("pi_bench.models.published.tables")
    if parsed.list:
        if parsed.table is not None or parsed.published:
            raise UsageError("--list lists all tables; leave out the other words")
        lines = render_table(("table", "title"), list(tables.table_names().items()), left=2, whole=(0, 1))
        print_text("\n".join(lines))
        return 0
    if parsed.table is None:
        raise UsageError("which table? `pi-bench table --list` lists them")
    found = tables.load_table(parsed.table)
    chosen = _Chosen(found, parsed.network, parsed.trained)
    if parsed.published:
        if unused := _measuring_options(parsed):
            raise UsageError(f"--published measures nothing; leave out {', '.join(unused)}")
        from pi_bench.report.table_formats import write_table

        text = write_table(chosen.table(None), parsed.format)
        print_text(text) if parsed.format == "text" else print(text.removesuffix("\n"))
        return 0
    from pi_bench.cli.sweep_cells import measure_cells

    path = Path(parsed.output or parsed.table)
    return measure_cells(parsed, chosen.networks, path, chosen.table)


def _measuring_options(parsed: argparse.Namespace) -> list[str]:
    """Lists the options of the command line that say how to measure."""
    from pi_bench.cli.latency import latency_defaults

    defaults = {**latency_defaults(), **dict.fromkeys(("protocol", "link", "threads", "output", "trained"))}
    given = [
        name
        for name, value in vars(parsed).items()
        if name not in _FOR_PUBLISHED and value != defaults.get(name)
    ]
    return [f"--{name.replace('_', '-')}" for name in given if name in defaults]


class _Chosen:
    """The networks of a table that are measured, and the table of their results."""

    def __init__(self, table: Any, pattern: str | None, trained: str | None) -> None:
        recipes = [row.built() for row in table.networks]
        self._recipes = {recipe.name: recipe for recipe in recipes if recipe is not None}
        names = [name for name in self._recipes if pattern is None or fnmatchcase(name, pattern)]
        if not names:
            question = similar_names(str(pattern).strip("*?"), self._recipes)
            there = f"there are {', '.join(self._recipes)}"
            raise UsageError(f"no network of {table.name} matches {pattern!r:.80}; {question or there}")
        rows = [
            (row, None if recipe is None else str(recipe.name))
            for row, recipe in zip(table.networks, recipes, strict=True)
            if pattern is None or (recipe is not None and recipe.name in names)
        ]
        self._table = dataclasses.replace(table, networks=tuple(row for row, _ in rows))
        self._names = [name for _, name in rows]
        if trained is not None and not Path(trained).is_dir():
            raise InputError(f"there is no folder {trained}: --trained names one with a folder per network")
        folders = {name: Path(trained) / name for name in names} if trained is not None else {}
        given = {name: folder for name, folder in folders.items() if (folder / "model.pt").exists()}
        if trained is not None and not given:
            raise InputError(
                f"{trained} has no {names[0]}/model.pt, nor that of another network of the table"
            )
        self._accuracies_pct = {name: _accuracy_pct(folder) for name, folder in given.items()}
        self.networks: list[Network] = [
            network_of_file(given[name] / "model.pt", name)
            if name in given
            else network_of_recipe(self._recipes[name])
            for name in names
        ]

    def table(self, folder: SweepFolder | None) -> Table:
        """Returns the published figures, beside those of the folder."""
        from pi_bench.report.published_table import published_table

        return published_table(
            self._table,
            self._names,
            [] if folder is None else folder.named_rows(),
            {name: recipe.relu_count for name, recipe in self._recipes.items()},
            {} if folder is None else self._accuracies_pct,
        )


def _accuracy_pct(folder: Path) -> float:
    path = folder / "result.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        accuracy = found["test_accuracy_pct"] if isinstance(found, Mapping) else None
    except (OSError, ValueError, KeyError):
        accuracy = None
    if not isinstance(accuracy, int | float) or not 0 <= accuracy <= 100:
        raise InputError(f"{path} has no test_accuracy_pct of `pi-bench train`; train the network again")
    return float(accuracy)
