"""The options of `pi-bench sweep` and `table`: several values per setting, and the options of `latency`."""

from __future__ import annotations

import argparse
from typing import Any

from pi_bench.cli import arguments, latency, protocol_options
from pi_bench.cli.arguments import Parser
from pi_bench.cli.format_option import add_format

_OWN = ("help", "model", "protocol", "mode", "link", "threads", "format", "output")
_FOR_ONE_RESULT = (
    *("connect", "expect_logits", "logits_tolerance", "insecure_verify", "expect_digest", "max_ahead"),
    *("json", "layers", "columns", "like", "trace"),
)
"""Options of `pi-bench latency` that make no sense for many results, by their names in the namespace."""


def add_settings(parser: Parser) -> None:
    """Adds ``--protocol``, ``--link`` and ``--threads``, each with several values, and the options that
    `pi-bench latency` has besides.

    >>> parser = Parser(prog="pi-bench")
    >>> add_settings(parser)
    >>> parsed = parser.parse_args(["--link", "lan", "--link", "loopback,wan", "--runs", "3"])
    >>> [getattr(link, "name", "loopback") for link in parsed.link], parsed.runs
    (['lan', 'loopback', 'wan'], 3)
    """
    protocol_options.add_protocols(parser)
    settings = parser.add_argument_group("settings")
    settings.add_argument(
        "--link",
        type=arguments.list_of(arguments.link),
        action="extend",
        metavar="LINK[,LINK]",
        help="links between the parties, as for `pi-bench latency`; can be given several times (default: "
        "loopback as it is)",
    )
    settings.add_argument(
        "--threads",
        type=arguments.list_of(arguments.thread_count),
        action="extend",
        metavar="N[,N]",
        help="computing threads per party; can be given several times (default: half of the cores)",
    )
    _add_options_of_latency(parser)
    add_format(parser.add_argument_group("text"), "the table (`pi-bench schema table` describes it)")


def _add_options_of_latency(parser: Parser) -> None:
    """Adds the same objects that the parser of `pi-bench latency` has, so that both mean the same."""
    scratch = argparse.ArgumentParser()
    latency.add_parser(_Only(scratch))
    left_out = {*_OWN, *_FOR_ONE_RESULT}
    for group in scratch._action_groups:
        kept = [action for action in group._group_actions if action.dest not in left_out]
        if kept:
            ours = parser.add_argument_group(group.title)
            for action in kept:
                ours._add_action(action)
    for exclusive in scratch._mutually_exclusive_groups:
        parser.add_mutually_exclusive_group()._group_actions += exclusive._group_actions


class _Only:
    """Stands for the subparsers of a command line, and lets one command add itself to a parser."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser

    def add_parser(self, name: str, **named: Any) -> argparse.ArgumentParser:
        return self._parser
