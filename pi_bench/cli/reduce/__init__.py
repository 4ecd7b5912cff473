"""`pi-bench reduce METHOD`: searches for networks with fewer ReLUs. Each method has its own module."""

from __future__ import annotations

import importlib
from typing import Any

_METHODS = (
    *("deepreduce", "snl", "bcd", "senet", "autorep", "plan", "safenet", "nas", "prune"),
    *("merge", "frontier"),
)


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. The namespace of each method has ``run``.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["reduce", "frontier", "deepreduce", "snl", "-o", "both"]).title
    'Pareto frontier'
    """
    parser = subparsers.add_parser(
        "reduce",
        description="Searches for networks with fewer ReLUs, trains them, and measures their accuracy and "
        "private latency. Each method has a help of its own: `pi-bench reduce snl --help`.",
    )
    methods = parser.add_subparsers(title="methods", metavar="METHOD", required=True)
    for name in _METHODS:
        importlib.import_module(f"{__package__}.{name}").add_parser(methods)
