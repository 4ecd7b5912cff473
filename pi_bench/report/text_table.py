"""Columns of text: the first ones left-aligned, figures right-aligned."""

from __future__ import annotations

from collections.abc import Sequence

_MAX_WIDTH = 34


def render_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Lines of a table whose first `left` columns are words; long words are cut in the middle."""
    lines = [list(header), *([_cut(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    aligned = [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return [aligned[0], "  ".join("-" * width for width in widths).rstrip(), *aligned[1:]]


def _cut(cell: str) -> str:
    if len(cell) <= _MAX_WIDTH:
        return cell
    half = (_MAX_WIDTH - 1) // 2
    return f"{cell[:half]}…{cell[-half:]}"
