"""`pi-bench sweep`: measures many networks under many settings, into a folder that can be continued."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.cli import sweep_options
from pi_bench.cli.network_choice import networks_of

if TYPE_CHECKING:
    from pi_bench.report.table_formats import Table
    from pi_bench.sweep import SweepFolder

_DESCRIPTION = """\
Measures every network under every protocol, link and number of threads, as `pi-bench latency` does. Each
result is kept in the folder at once, and in the history. The same command continues: it measures only the
combinations that have no result yet. One that fails does not end the others, and is tried again.
docs/sweeps.md describes the files of the folder.
"""
_NAMED = 4  # cells that are named in a note
_EPILOG = """\
examples:
  pi-bench sweep --network 'resnet18-cifar100-*' --link loopback,lan,wan -o figures
  pi-bench sweep --network model.pt --protocol delphi,fss --threads 1,2 --runs 20 -o figures
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["sweep", "--network", "a.pt", "b.pt", "-o", "figures"]).network
    ['a.pt', 'b.pt']
    """
    parser = subparsers.add_parser("sweep", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument(
        "--network",
        nargs="+",
        action="extend",
        required=True,
        metavar="NAME",
        help="recipes by their names or by patterns such as 'resnet18-cifar100-*' (`pi-bench export --list` "
        "shows all; their weights are random), .toml files with recipes, and model files",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FOLDER",
        help="folder for the results; one with results of the same sweep is continued",
    )
    sweep_options.add_settings(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Measures the cells that are not finished, and prints all results. Returns the exit code.

    Raises:
        PiBenchError: an option cannot be used, a name matches nothing, or the folder holds another sweep.

    ```python
    from pi_bench.cli import main

    def measure(folder: str) -> int:
        return main(["sweep", "--network", "resnet18-cifar100-*", "--link", "lan,wan", "-o", folder])
    ```
    """
    from pi_bench.cli.sweep_cells import measure_cells

    return measure_cells(parsed, networks_of(parsed.network), Path(parsed.output), _table)


def _table(folder: SweepFolder) -> Table:
    from pi_bench.report.quantities import counted
    from pi_bench.report.result_table import result_table

    rows, count = folder.finished_rows(), len(folder.sweep.cells)
    notes = []
    if len(rows) < count:
        missing = [cell.words for cell in folder.sweep.cells if not folder.is_finished(cell)]
        more = f"; and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        verb = "is" if len(rows) == 1 else "are"
        notes.append(f"{len(rows)} of {counted(count, 'cell')} {verb} measured.")
        notes.append(f"Without a result: {'; '.join(missing[:_NAMED])}{more}.")
    return result_table(rows, f"Sweep {folder.path.name}", notes)
