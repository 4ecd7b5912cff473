"""The parser of all commands; what a command needs is imported when it runs."""

from __future__ import annotations

import argparse
import importlib

import pi_bench
from pi_bench.cli.arguments import Parser

_COMMANDS = (
    "export",
    "train",
    "reduce",
    "inspect",
    "latency",
    "accuracy",
    "serve",
    "infer",
    "micro",
    "schema",
)

_DESCRIPTION = """\
Measures private inference: two real processes, real cryptography in both phases.

  pi-bench export --recipe resnet18-cifar100-12288 -o model.pt    a network to measure
  pi-bench latency model.pt                                       run and verify it, read the latency
  pi-bench serve model.pt --listen 127.0.0.1:7000                 the same two parties
  pi-bench infer --connect 127.0.0.1:7000 --input x.npy           in two terminals
"""

EXIT_CODES = """\
exit codes:
  0    success
  1    verification failed, or an internal error
  2    wrong usage, or an output that cannot be written
  3    the model file cannot be read, lowered or compiled
  4    the input array has the wrong shape, dtype or range; a data archive is missing or damaged
  5    no connection, a lost one, a time-out, a port in use, a party killed
  6    the other party is of another version or program, or breaks the protocol
  7    this machine lacks something, such as AES instructions
  8    one-time preprocessing was used before
  9    training diverged, or its folder cannot be used
  130  interrupted (Ctrl-C)
  143  terminated (SIGTERM)
"""


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="pi-bench",
        description=_DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pi-bench {pi_bench.__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in _COMMANDS:
        importlib.import_module(f"pi_bench.cli.{name}").add_parser(subparsers)
    return parser
