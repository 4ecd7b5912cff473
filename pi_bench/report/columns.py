"""Tables whose columns and number of rows the user chooses: `--columns` and `--layers`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pi_bench.errors import UsageError
from pi_bench.report.bars import bar
from pi_bench.report.text_table import render_table
from pi_bench.unknown_name import unknown_name

T = TypeVar("T")

ALL = "all"
"""Asks for every layer in place of a number of layers, and for every column."""

DEFAULT_LAYERS = 8

_BAR = "bar"
_BAR_WIDTH = 12


@dataclass(frozen=True)
class Column(Generic[T]):
    """Describes a column: its name for the user, its header, and its cells.

    Attributes:
        name: the word that `--columns` takes.
        header: the text above the column.
        meaning: a few words for the help.
        cell: writes the cell of several rows together, such as the sum of their bytes. A row that is shown is
            a sequence of one.
        words: whether the column has words, which stand to the left.

    >>> Column("relus", "ReLUs", "number of ReLUs", lambda rows: str(sum(rows))).cell([3, 4])
    '7'
    """

    name: str
    header: str
    meaning: str
    cell: Callable[[Sequence[T]], str]
    words: bool = False


def bar_column(meaning: str) -> Column[Any]:
    """Returns the column of bars: each shows the cost of its row, and the longest that of the costliest row.

    >>> bar_column("this time as a bar").name
    'bar'
    """
    return Column(_BAR, "", meaning, lambda rows: "", words=True)  # `render_rows`, which knows costs, draws


@dataclass(frozen=True)
class Shown:
    """Says which part of a table is shown.

    Attributes:
        layers: the number of rows that cost most, or `ALL` for every row in the order of the network.
        columns: names of columns as `--columns` takes them; empty for those of the command.

    >>> Shown().layers
    8
    """

    layers: int | str = DEFAULT_LAYERS
    columns: tuple[str, ...] = ()


def costliest(shown: Shown, total: int, noun: str, costs: str, cost: str) -> str:
    """Says how many rows of how many a table shows, with the verb in singular and in plural.

    >>> costliest(Shown(8), 37, "layer", "takes most time", "take most time")
    'the 8 of 37 layers that take most time (--layers all shows all)'
    >>> costliest(Shown(1), 37, "layer", "takes most time", "take most time")
    'of 37 layers the one that takes most time (--layers all shows all)'
    """
    of = f"the {shown.layers} of {total} {noun}s that {cost}"
    if shown.layers == 1:
        of = f"of {total} {noun}s the one that {costs}"
    return f"{of} (--layers all shows all)"


def chosen(columns: Sequence[Column[Any]], usual: Sequence[str], asked: Sequence[str]) -> list[Column[Any]]:
    """Returns the columns to show, in the order in which the user names them.

    Args:
        usual: names of the columns that are shown where the user asks for none. A name with a plus sign adds
            its column to these. `ALL` stands for every column.

    Raises:
        UsageError: there is no such column. The message offers similar names.

    >>> columns = [Column(name, name, "", len) for name in ("time", "relus", "rounds")]
    >>> [column.name for column in chosen(columns, ["time"], ["+rounds"])]
    ['time', 'rounds']
    >>> chosen(columns, ["time"], ["round"])
    Traceback (most recent call last):
    pi_bench.errors.UsageError: there is no column 'round'; did you mean rounds? There are time, relus, rounds
    """
    known = {column.name: column for column in columns}
    adds = not asked or asked[0].startswith("+")
    names = list(usual) if adds else []
    for name in (each.removeprefix("+").lower() for each in asked):
        if name == ALL:
            names += known
        elif name in known:
            names.append(name)
        else:
            raise UsageError(unknown_name("column", name, known))
    return [known[name] for name in dict.fromkeys(names)]


def render_rows(
    first: Column[T],
    columns: Sequence[Column[T]],
    rows: Sequence[T],
    shown: Shown,
    cost: Callable[[T], float],
    *,
    others: str,
    drop: Sequence[str] = (),
    width: int | None = None,
) -> list[str]:
    """Returns the lines of a table with the rows that cost most, and one row for all others together.

    Args:
        first: the column that names the rows and always stays.
        others: names the other rows in the last line.
        drop: names of columns that are left out where the table is too wide, the least needed first. Columns
            that the user asks for by name are left out after all others.

    >>> name = Column("name", "name", "", lambda rows: rows[0][0], words=True)
    >>> cost = Column("cost", "cost", "", lambda rows: str(sum(row[1] for row in rows)))
    >>> rows = [("a", 1), ("b", 5), ("c", 2)]
    >>> print(*render_rows(name, [cost], rows, Shown(layers=1), lambda row: row[1], others="rows"), sep="\\n")
    name          cost
    ------------- ----
    b                5
    2 other rows     3
    """
    kept, rest = _split(rows, shown, cost)
    most = max(map(cost, rows), default=0.0) or 1.0
    cells = [
        [
            bar(cost(row) / most, _BAR_WIDTH) if column.name == _BAR else column.cell([row])
            for column in (first, *columns)
        ]
        for row in kept
    ]
    if rest:
        words = f"{len(rest)} other {others if len(rest) > 1 else others.removesuffix('s')}"
        cells.append([words, *(column.cell(rest) for column in columns)])
    all_columns = [first, *columns]
    headers = {column.name: column.header for column in columns}
    return render_table(
        [column.header for column in all_columns],
        cells,
        left={number for number, column in enumerate(all_columns) if column.words},
        whole={number for number, column in enumerate(all_columns) if column.words and number},
        drop=[headers[name] for name in _drop_order([column.name for column in columns], drop, shown)],
        meanings={column.header: column.meaning for column in columns if column.header},
        width=width,
    )


def _drop_order(names: Sequence[str], drop: Sequence[str], shown: Shown) -> list[str]:
    """Orders the columns that may be left out: those that the user asks for by name come last."""
    usual = [name for name in drop if name in names]
    asked = {name.removeprefix("+").lower() for name in shown.columns}
    if asked.isdisjoint(names):
        return usual
    every = [*usual, *(name for name in reversed(names) if name not in usual)]
    return sorted(every, key=lambda name: name in asked)  # sorting keeps the order of equal keys


def _split(rows: Sequence[T], shown: Shown, cost: Callable[[T], float]) -> tuple[list[T], list[T]]:
    """Returns the rows to show, and those to sum; one row alone is not summed."""
    if shown.layers == ALL or len(rows) <= int(shown.layers) + 1:
        in_order = list(rows) if shown.layers == ALL else sorted(rows, key=cost, reverse=True)
        return in_order, []
    ordered = sorted(rows, key=cost, reverse=True)
    return ordered[: int(shown.layers)], ordered[int(shown.layers) :]
