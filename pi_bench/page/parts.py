"""The parts of a page as data: sections with facts, plots and tables. `document` writes them as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class PageTable:
    """Holds a table of texts. The first column names the rows.

    Attributes:
        title: the caption.
        columns: the headings.
        rows: one text per column.
        one_line: whether no text of it is long, so that each row takes one line of a screen. The table then
            scrolls from side to side.
        links: an address within the page, by the row whose name leads there.
        addresses: an address of its own for a row, by the row.
        sort_values: numbers by which a reader can sort the rows, one per column, None for columns of names;
            empty for a table that stays in its order. Each row of such a table takes one line as well.
        folded: whether a reader opens it first, because it is long and seldom needed.
        begins: the rows with which a group of rows begins. A line stands above each, until a reader sorts.

    >>> PageTable("bytes", ("run", "online"), (("first", "2.12 MB"),)).columns
    ('run', 'online')
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    one_line: bool = False
    links: Mapping[int, str] = field(default_factory=dict)
    addresses: Mapping[int, str] = field(default_factory=dict)
    sort_values: tuple[tuple[float | None, ...], ...] = ()
    folded: bool = False
    begins: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Plot:
    """Holds a plot and the table of its data, so that nobody depends on seeing the plot.

    Attributes:
        name: the name of its files, and its address within the page.
        title: the heading.
        words: the text alternative, in whole sentences.
        spec: the plot in Vega-Lite, without a style.
        table: the data that the plot shows.
        choice: its name in the list from which a reader chooses one of several plots; empty for a plot that
            is always shown.
        choice_group: the heading under which the list has it; may be empty.
        settings: names and values of the settings by which a reader chooses it; empty if names alone tell the
            plots of the choice apart. All plots of a choice have the same names in the same order.
        caption: lines under the plot in a file, beside which no heading and no words stand.

    >>> Plot("bytes", "Bytes", "One run sends 2.12 MB.", {}, PageTable("bytes", ("run",), ())).choice
    ''
    """

    name: str
    title: str
    words: str
    spec: dict[str, Any]
    table: PageTable
    choice: str = ""
    choice_group: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    caption: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fact:
    """States one figure of the headline.

    Attributes:
        term: the name of the figure.
        value: the figure, with its unit.
        note: a sentence that belongs to it; may be empty.
        alarming: whether it says that the figures must not be used.
        address: the place within the page that says more; may be empty.

    >>> Fact("online latency", "5.42 ms").alarming
    False
    """

    term: str
    value: str
    note: str = ""
    alarming: bool = False
    address: str = ""


@dataclass(frozen=True)
class Section:
    """Holds a section of the page.

    Attributes:
        name: its address within the page.
        title: the heading.
        words: sentences that say how to read the section.
        facts: figures in large type.
        plots: the plots, in order.
        tables: tables that belong to no plot.
        missing: sentences that say which plots are left out, and why.

    >>> Section("phases", "Offline and online", missing=("No run is given.",)).plots
    ()
    """

    name: str
    title: str
    words: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[PageTable, ...] = ()
    missing: tuple[str, ...] = field(default=())

    @property
    def choices(self) -> dict[str, list[Plot]]:
        """The plots of which a reader chooses one, by the heading of their group."""
        found: dict[str, list[Plot]] = {}
        for plot in self.plots:
            if plot.choice:
                found.setdefault(plot.choice_group, []).append(plot)
        return found

    @cached_property
    def selectors(self) -> list[tuple[str, list[str]]]:
        """The settings by which a reader chooses a plot, each with its values; empty for fewer than two."""
        columns = list(zip(*(plot.settings for plot in self.plots if plot.choice), strict=True))
        if len(columns) < 2:
            return []
        return [(column[0][0], list(dict.fromkeys(value for _, value in column))) for column in columns]

    def places(self, plot: Plot) -> list[int]:
        """Returns the place of a plot's value in each of the selectors, from 0.

        >>> table = PageTable("bytes", ("run",), ())
        >>> lan, wan = (
        ...     Plot("", "", "", {}, table, name, settings=(("link", name), ("mode", mode)))
        ...     for name, mode in (("lan", "exact"), ("wan", "windowed"))
        ... )
        >>> Section("layers", "Layers", plots=(lan, wan)).places(wan)
        [1, 1]
        """
        return [
            values.index(value) for (_, values), (_, value) in zip(self.selectors, plot.settings, strict=True)
        ]
