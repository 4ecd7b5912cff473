"""Options that choose the layers and columns of a table: `--layers` and `--columns`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from pi_bench.measurement_options.values import positive_int
from pi_bench.report.columns import ALL, DEFAULT_LAYERS, Column, Shown


def add_layers(
    parser: argparse._ActionsContainer, columns: Sequence[Column[Any]], *, whole: str = ""
) -> None:
    """Adds both options. `shown_of` reads them.

    Args:
        whole: says what else ``--layers all`` prints.

    >>> parser = argparse.ArgumentParser()
    >>> add_layers(parser, [Column("relus", "ReLUs", "number of ReLUs", str)])
    >>> shown_of(parser.parse_args(["--layers", "all", "--columns", "relus"]))
    Shown(layers='all', columns=('relus',))
    """
    parser.add_argument(
        "--layers",
        type=_layers,
        default=DEFAULT_LAYERS,
        metavar="N",
        help=f"show the N layers that cost most, and the others in one row; `all` shows every layer in the "
        f"order of the network{whole} (default {DEFAULT_LAYERS})",
    )
    listed = ", ".join(f"{column.name} ({column.meaning})" for column in columns)
    parser.add_argument(
        "--columns",
        type=_columns,
        default=(),
        metavar="NAME[,NAME]",
        help="show these columns of the table by layer; +NAME adds to the usual ones, and `all` stands for "
        f"every column. There are {listed}".replace("%", "%%"),
    )


def shown_of(parsed: argparse.Namespace) -> Shown:
    """Returns the part of the table that the user asks for.

    >>> shown_of(argparse.Namespace(layers=20, columns=("+rounds",)))
    Shown(layers=20, columns=('+rounds',))
    """
    return Shown(parsed.layers, parsed.columns)


def _layers(text: str) -> int | str:
    return ALL if text == ALL else positive_int(text)


def _columns(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
