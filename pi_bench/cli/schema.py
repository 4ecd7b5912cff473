"""`pi-bench schema`: the JSON Schemas of what other programs read."""

from __future__ import annotations

import argparse
from importlib import resources
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of a result",
        description="Prints the JSON Schema (draft 2020-12) of what `pi-bench latency --json` writes.",
    )
    parser.add_argument("what", choices=("result",))
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    print(resources.files("pi_bench.report").joinpath(f"{parsed.what}.schema.json").read_text(), end="")
    return 0
