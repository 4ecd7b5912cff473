"""Makes the parser of all commands. The code that a command needs is imported when it runs."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

import pi_bench
from pi_bench.cli.arguments import Parser

_COMMANDS = (
    "export",
    "train",
    "reduce",
    "inspect",
    "latency",
    "compare",
    "accuracy",
    "serve",
    "infer",
    "micro",
    "history",
    "regress",
    "schema",
    "completion",
)

_DESCRIPTION = """\
Measures the cost of private inference. Two processes, a client and a server, run a network with real
cryptography in both phases.

  pi-bench export --recipe resnet18-cifar100-12288 -o model.pt
      write a network to a file
  pi-bench latency model.pt
      run it privately, verify it, and print its latency
  pi-bench serve model.pt --listen 127.0.0.1:7000
  pi-bench infer --connect 127.0.0.1:7000 --input x.npy
      run the server in one terminal and the client in another
"""


def make_parser() -> argparse.ArgumentParser:
    """Makes the parser of all commands. The parsed namespace has ``run``, the function of the command.

    >>> make_parser().parse_args(["schema", "result"]).what
    'result'
    """
    parser = Parser(
        prog="pi-bench",
        description=_DESCRIPTION,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show the version, and the commit of a checkout, and exit"
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in _COMMANDS:
        importlib.import_module(f"pi_bench.cli.{name}").add_parser(subparsers)
    _add_verbose(parser)
    return parser


class _Version(argparse.Action):
    """Prints the version and exits. Only this asks git for the commit: other commands need not wait."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from pi_bench.metrics.environment import commit_of_checkout

        commit = commit_of_checkout()
        print(f"pi-bench {pi_bench.__version__}" + (f" (commit {commit})" if commit else ""))
        parser.exit()


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    """Adds ``--verbose`` to every command that runs."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in inner:
        for command in action.choices.values():
            _add_verbose(command)
    if not any(action.required for action in inner):
        parser.add_argument(
            *("-v", "--verbose"),
            action="count",
            default=0,
            help="log the steps on standard error, with times; -vv logs every message as well, which "
            "changes the times that are measured",
        )
