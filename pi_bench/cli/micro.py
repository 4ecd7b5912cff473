"""`pi-bench micro`: times each primitive and compares it with the limit of the machine."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from pi_bench.cli import arguments
from pi_bench.cli.failures import Failures
from pi_bench.cli.output import add_json
from pi_bench.errors import UsageError, interruption_code, interruption_word

if TYPE_CHECKING:
    from pi_bench.primitives.primitive import CaseMaker

_NAMES = "<names>"  # stands for the names until help is printed: they come from code that loads slowly

_DESCRIPTION = f"""\
Times primitives in this process (the channel to a second one) and, in the same run, the machine's own
rates: AES, memory, multiply-adds, loopback socket. `times limit` is the median over the time that the
machine needs at best for the work that the primitive cannot do without.

names: {_NAMES} (default: all)
PI_BENCH_ISA=portable, aesni or vaes512 chooses the instruction set.
"""


class _NamesFormatter(argparse.RawDescriptionHelpFormatter):
    """Fills the names of the primitives in when the help of this command is printed, and not before."""

    def add_text(self, text: str | None) -> None:
        if text is not None and _NAMES in text:
            text = text.replace(_NAMES, ", ".join(_families()))
        super().add_text(text)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "micro",
        help="time the primitives and the machine's limits for them",
        description=_DESCRIPTION,
        formatter_class=_NamesFormatter,
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
    from pi_bench.launch.placement import thread_environment

    os.environ.update(thread_environment(1))  # before numpy loads: its product is timed on one core

    families = _families()
    unknown = [name for name in parsed.names if name not in families]
    if unknown:
        raise UsageError(f"there is no primitive {unknown[0]!r}; there are {', '.join(families)}")
    chosen = {name: families[name] for name in parsed.names or families}

    from pi_bench.cli.output import deliver, writable
    from pi_bench.cli.progress import Progress
    from pi_bench.cli.warnings import warn_of_instruction_set
    from pi_bench.crypto.symmetric import require_isa
    from pi_bench.measure.environment import describe_environment
    from pi_bench.measure.micro import run_micro
    from pi_bench.primitives import CaseSettings
    from pi_bench.report.micro import build_micro, render_micro

    writable(parsed.json)
    warn_of_instruction_set(require_isa())
    threads = parsed.threads or ((1, 2) if len(os.sched_getaffinity(0)) > 1 else (1,))
    settings = CaseSettings(parsed.count, threads, parsed.repetitions)
    failures = Failures()

    def interrupted(error: KeyboardInterrupt) -> None:
        code = interruption_code(error)
        failures.add(code, f"{interruption_word(code)}: the result holds the cases that were finished")

    with Progress() as progress:
        measured = run_micro(chosen, settings, progress, interrupted)
    result = build_micro(measured, describe_environment())
    with failures.collected():
        deliver(render_micro(result), parsed.json, result)
    return failures.report()


def _families() -> dict[str, CaseMaker]:
    """Collects the makers of cases of every primitive, those of protocols included."""
    from pi_bench.measure.micro import known_primitives
    from pi_bench.primitives.primitive import families_of

    return families_of(known_primitives())


def _thread_counts(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(arguments.thread_count(part) for part in text.split(",")))
