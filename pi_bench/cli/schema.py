"""`pi-bench schema`: prints the JSON Schema of a result, for other programs that read it."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pi_bench.errors import UsageError
from pi_bench.unknown_name import unknown_name

_NAMES = ("result", "accuracy", "comparison", "inspection", "micro", "answer", "export", "table")


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> parser = argparse.ArgumentParser()
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["schema", "result"]).what
    'result'
    """
    parser = subparsers.add_parser(
        "schema",
        description="Prints the JSON Schema (draft 2020-12) of the JSON that a command writes with --json. "
        "The schema result is for `pi-bench latency`, accuracy for `pi-bench accuracy`, comparison "
        "for `pi-bench compare`, inspection for `pi-bench inspect`, micro for `pi-bench micro`, "
        "answer for `pi-bench infer`, export for `pi-bench export`, and table for `pi-bench sweep` and "
        "`pi-bench table` with --format json.",
    )
    parser.add_argument(
        "what", nargs="?", metavar="|".join(_NAMES), help="the result that the schema describes"
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Prints the JSON Schema of a result, and returns the exit code.

    Raises:
        UsageError: there is no schema of that name.

    >>> run(argparse.Namespace(what="micro"))
    {...}
    0
    """
    from pi_bench.report.documents import schema_of

    if parsed.what not in _NAMES:
        if parsed.what is not None:
            raise UsageError(unknown_name("schema", parsed.what, _NAMES))
        raise UsageError(f"which schema? {' or '.join(f'`pi-bench schema {name}`' for name in _NAMES)}")
    print(json.dumps(schema_of(parsed.what), indent=2))
    return 0
