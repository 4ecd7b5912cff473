"""A table that can be written in several formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Value = str | int | float | bool | None
Row = Mapping[str, Value]

_NO_VALUE = "-"
_WANTED_IN_DOCUMENTS = 5


@dataclass(frozen=True)
class TableColumn:
    """Describes a column: its key for programs, its header for people, and its cells.

    Attributes:
        key: names the column in CSV and JSON; a unit stands at its end.
        header: stands above the column elsewhere. A column with an empty header is left out there.
        meaning: describes the values in a few words.
        text: writes the cell of a row for people; None writes the value as it is.
        words: whether the column has words, which stand to the left.
        folds: whether a note names the value where all rows have the same one, in place of the column.
        wanted: the column with the smallest number is the first to be left out of text that is too wide.

    >>> TableColumn("relu_count", "ReLUs", "number of ReLUs").cell({"relu_count": 12288})
    '12288'
    """

    key: str
    header: str
    meaning: str
    text: Callable[[Row], str] | None = None
    words: bool = False
    folds: bool = False
    wanted: int = 9

    def cell(self, row: Row) -> str:
        """Writes the cell of a row for people; "-" for no value. Characters without a form become "?"."""
        value = row.get(self.key)
        if value is None:
            return _NO_VALUE
        words = str(value) if self.text is None else self.text(row)
        return "".join(each if each.isprintable() else "?" for each in words)


@dataclass(frozen=True)
class Table:
    """Columns and rows, with a title and with notes that belong to the figures.

    Attributes:
        hints: sentences for the user of the command, which have no place in a document.

    >>> Table("networks", (), ({},)).notes
    ()
    """

    title: str
    columns: tuple[TableColumn, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    def shown(self) -> tuple[list[TableColumn], list[str]]:
        """Returns the columns for people, and the notes with the values that all rows share.

        >>> link = TableColumn("link", "link", "the link", words=True, folds=True)
        >>> Table("networks", (link,), ({"link": "lan"}, {"link": "lan"})).shown()
        ([], ['Throughout: link lan.'])
        """
        columns = [each for each in self.columns if each.header and self._has_values(each)]
        shared = [each for each in columns if each.folds and self._is_shared(each)]
        words = ", ".join(f"{each.header} {self._shared_cell(each)}" for each in shared)
        notes = [f"Throughout: {words}.", *self.notes] if words else list(self.notes)
        return [each for each in columns if each not in shared], notes

    def shown_in_documents(self) -> tuple[list[TableColumn], list[str], list[str]]:
        """Returns the columns and notes for a page, and the headers of the figures that are left out there.

        A setting in which rows differ stays, because it tells the rows apart.

        >>> columns = TableColumn("online_s", "online", ""), TableColumn("rounds", "rounds", "", wanted=1)
        >>> table = Table("networks", columns, ({"online_s": 2, "rounds": 3},))
        >>> columns, _, left_out = table.shown_in_documents()
        >>> [column.header for column in columns], left_out
        (['online'], ['rounds'])
        """
        columns, notes = self.shown()
        kept = [each for each in columns if each.folds or each.wanted >= _WANTED_IN_DOCUMENTS]
        return kept, notes, [each.header for each in columns if each not in kept]

    def cells(self, columns: Sequence[TableColumn]) -> list[list[str]]:
        """Writes the cells of all rows in some columns."""
        return [[column.cell(row) for column in columns] for row in self.rows]

    def _has_values(self, column: TableColumn) -> bool:
        return not self.rows or any(row.get(column.key) is not None for row in self.rows)

    def _is_shared(self, column: TableColumn) -> bool:
        """Tells whether all rows with a value of the column have the same one."""
        found = [value for row in self.rows if (value := row.get(column.key)) is not None]
        return len(found) >= 1 and all(value == found[0] for value in found)

    def _shared_cell(self, column: TableColumn) -> str:
        return column.cell(next(row for row in self.rows if row.get(column.key) is not None))
