"""`pi-bench schema`: the JSON Schemas of what other programs read."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pi_bench.errors import UsageError

_NAMES = ("result", "accuracy", "inspection", "micro")


def add_parser(subparsers: Any) -> None:
    """Adds the command to the parser of `pi-bench`."""
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of a result",
        description="Prints the JSON Schema (draft 2020-12) of what a command writes with --json: result "
        "of `pi-bench latency`, accuracy of `pi-bench accuracy`, inspection of `pi-bench inspect`, micro of "
        "`pi-bench micro`.",
    )
    parser.add_argument("what", nargs="?", metavar="|".join(_NAMES), help="the document")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Prints the schema. Raises: UsageError."""
    from pi_bench.report.documents import schema_of

    if parsed.what not in _NAMES:
        names = " or ".join(f"`pi-bench schema {name}`" for name in _NAMES)
        wrong = "which schema?" if parsed.what is None else f"there is no schema {parsed.what!r}:"
        raise UsageError(f"{wrong} {names}")
    print(json.dumps(schema_of(parsed.what), indent=2))
    return 0
