"""`pi-bench micro`: the cost of each primitive beside what the machine can do."""

from __future__ import annotations

import argparse
import os
from typing import Any

from pi_bench.cli import arguments
from pi_bench.cli.failures import Failures
from pi_bench.cli.output import add_json
from pi_bench.errors import UsageError, interruption_code, interruption_word

_NAMES = ("aes", "prg", "cot", "cross", "garble", "evaluate", "relu", "truncate", "he", "linear", "channel")

_DESCRIPTION = f"""\
Times primitives in this process (the channel to a second one) and, in the same run, the machine's own
rates: AES, memory, multiply-adds, loopback socket. `times limit` is the median over the time that the
machine needs at best for the work that the primitive cannot do without.

names: {", ".join(_NAMES)} (default: all)
PI_BENCH_ISA=portable, aesni or vaes512 chooses the instruction set.
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "micro",
        help="time the primitives and the machine's limits for them",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to time (default: all)")
    parser.add_argument(
        "--count",
        type=arguments.positive_int,
        default=200_000,
        metavar="N",
        help="elements that garbling, OT and the generator stream through (default 200000)",
    )
    parser.add_argument(
        "--threads",
        type=_thread_counts,
        metavar="N[,N]",
        help="computing threads, each count in turn (default: 1 and, with two cores, 2)",
    )
    parser.add_argument(
        "--repetitions", type=arguments.positive_int, default=7, metavar="N", help="timed calls (default 7)"
    )
    add_json(parser, "micro")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Raises: PiBenchError."""
    unknown = [name for name in parsed.names if name not in _NAMES]
    if unknown:
        raise UsageError(f"there is no primitive {unknown[0]!r}; there are {', '.join(_NAMES)}")
    from pi_bench.launch.placement import thread_environment

    os.environ.update(thread_environment(1))  # before numpy loads: its product is timed on one core

    from pi_bench.cli.output import deliver, writable
    from pi_bench.cli.progress import Progress
    from pi_bench.cli.warnings import warn_of_instruction_set
    from pi_bench.crypto.symmetric import require_isa
    from pi_bench.measure.environment import describe_environment
    from pi_bench.measure.micro import Settings, run_micro
    from pi_bench.report.micro import render_micro

    writable(parsed.json)
    warn_of_instruction_set(require_isa())
    threads = parsed.threads or ((1, 2) if len(os.sched_getaffinity(0)) > 1 else (1,))
    settings = Settings(parsed.count, threads, parsed.repetitions)
    names = tuple(dict.fromkeys(parsed.names)) or _NAMES
    failures = Failures()

    def interrupted(error: KeyboardInterrupt) -> None:
        code = interruption_code(error)
        failures.add(code, f"{interruption_word(code)}: the result holds the cases that were finished")

    with Progress() as progress:
        result = run_micro(names, settings, progress, interrupted)
    result["environment"] = describe_environment()
    with failures.collected():
        deliver(render_micro(result), parsed.json, result)
    return failures.report()


def _thread_counts(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(arguments.thread_count(part) for part in text.split(",")))
