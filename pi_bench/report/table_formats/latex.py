"""Writes a table in LaTeX, with the rules of the package booktabs."""

from __future__ import annotations

from collections.abc import Sequence

from pi_bench.report.table_formats.table import Table

_ESCAPES = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    # After the end of a row, LaTeX would read these as an argument of it.
    **{character: f"{{{character}}}" for character in "[]*"},
    "±": r"$\pm$",
    "×": r"$\times$",  # noqa: RUF001 (the sign itself is meant)
    "µ": r"$\mu$",
    "†": r"\dag{}",
}


def latex_table(table: Table) -> str:
    r"""Writes a table with its title as the caption, and with its notes below. It needs booktabs.

    >>> from pi_bench.report.table_formats.table import TableColumn
    >>> columns = TableColumn("network", "network", "", words=True), TableColumn("relus", "ReLUs", "")
    >>> print(latex_table(Table("one network", columns, ({"network": "a_b", "relus": 5},))))
    % \usepackage{booktabs}
    \begin{table}
      \centering
      \caption{one network}
      \begin{tabular}{lr}
        \toprule
        network & ReLUs \\
        \midrule
        a\_b & 5 \\
        \bottomrule
      \end{tabular}
    \end{table}
    """
    columns, notes, left_out = table.shown_in_documents()
    lines = [
        r"% \usepackage{booktabs}",
        *([f"% left out, and in csv and json: {', '.join(left_out)}"] if left_out else []),
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escaped(table.title)}}}",
        rf"  \begin{{tabular}}{{{''.join('l' if column.words else 'r' for column in columns)}}}",
        r"    \toprule",
        _row([column.header for column in columns]),
        r"    \midrule",
        *map(_row, table.cells(columns)),
        r"    \bottomrule",
        r"  \end{tabular}",
        *_notes(notes),
        r"\end{table}",
    ]
    return "\n".join(lines)


def escaped(text: str) -> str:
    r"""Returns text that LaTeX sets as it is.

    >>> escaped("net_1 & 50 %")
    'net\\_1 \\& 50 \\%'
    """
    found = "".join(_ESCAPES.get(character, character) for character in text)
    return found.replace("--", "-{}-").replace("--", "-{}-")  # no dashes; an odd one is left by the first


def _row(cells: Sequence[str]) -> str:
    return f"    {' & '.join(map(escaped, cells))} \\\\"


def _notes(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    return [
        "",
        r"  \smallskip",
        r"  \begin{minipage}{\linewidth}\footnotesize",
        *(f"    {escaped(note)}\\par" for note in notes),
        r"  \end{minipage}",
    ]
