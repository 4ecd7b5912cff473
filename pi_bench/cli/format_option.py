"""The option ``--format``: a table for the terminal, for a document or for a program."""

from __future__ import annotations

import argparse

from pi_bench.cli.output import STDOUT
from pi_bench.errors import UsageError
from pi_bench.report.columns import DEFAULT_LAYERS

FORMATS = ("text", "markdown", "latex", "csv", "json")
"""The formats that `pi_bench.report.table_formats` writes. That module takes time to load."""


def add_format(parser: argparse._ActionsContainer, json_text: str) -> None:
    """Adds ``--format``.

    Args:
        json_text: says which JSON the option prints.

    >>> parser = argparse.ArgumentParser()
    >>> add_format(parser, "the table")
    >>> parser.parse_args(["--format", "latex"]).format
    'latex'
    """
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="print text, a table of Markdown, a table of LaTeX (with booktabs), CSV with every column in SI "
        f"units, or JSON: {json_text} (default text)",
    )


def require_format(parsed: argparse.Namespace) -> None:
    """Refuses flags of `pi-bench latency` that contradict each other, before anything starts.

    Raises:
        UsageError: there are two of them.

    >>> require_format(argparse.Namespace(format="csv", json="-"))
    Traceback (most recent call last):
    pi_bench.errors.UsageError: --format csv and --json - both write to standard output; give one of them
    """
    if parsed.format == "text":
        return
    if parsed.json == STDOUT:
        raise UsageError(
            f"--format {parsed.format} and --json - both write to standard output; give one of them"
        )
    given = [name for name in ("layers", "columns") if getattr(parsed, name) not in (DEFAULT_LAYERS, ())]
    if given:
        raise UsageError(f"--{given[0]} is for --format text; other formats have one row per result")
