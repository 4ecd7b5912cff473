"""Makes the parser of all commands. The code that a command needs is imported when it runs."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Collection
from typing import Any

import pi_bench
from pi_bench.cli.arguments import Parser

COMMANDS = {
    "export": "write a network to a model file, or list the recipes",
    "train": "train a recipe's network",
    "reduce": "search for networks with fewer ReLUs, to a Pareto frontier",
    "inspect": "print a model's public program and its predicted cost",
    "latency": "run a network privately, measure and verify it",
    "sweep": "measure many networks under many settings",
    "table": "measure the networks of a paper's table beside its figures",
    "compare": "say whether a network, protocol or link is faster than another",
    "accuracy": "compare float, integer and private answers over a data set",
    "serve": "serve a network to `pi-bench infer`",
    "infer": "ask a server for a private answer",
    "micro": "time the primitives and the machine's limits for them",
    "history": "list and compare earlier measurements",
    "report": "show results as a page of plots and tables",
    "regress": "fail if a kept run is slower than a baseline",
    "schema": "print the JSON Schema of a result",
    "completion": "print a completion script for a shell",
}
"""Each command, with its line in the list of commands."""

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


def make_parser(needed: Collection[str] | None = None) -> argparse.ArgumentParser:
    """Makes the parser of all commands. The parsed namespace has ``run``, the function of the command.

    Args:
        needed: names of the commands whose options are needed; None for all. The modules of other commands,
            which take time to load, are not imported, and their parsers have no options.

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
    listed = _Listed(subparsers)
    for name in COMMANDS:
        if needed is None or name in needed:
            importlib.import_module(f"pi_bench.cli.{name}").add_parser(listed)
        else:
            listed.add_parser(name)
    _add_verbose(parser)
    return parser


class _Listed:
    """Adds the parsers of commands with their lines in the list of commands."""

    def __init__(self, subparsers: Any) -> None:
        self._subparsers = subparsers

    def add_parser(self, name: str, **named: Any) -> Any:
        return self._subparsers.add_parser(name, help=COMMANDS[name], **named)


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
