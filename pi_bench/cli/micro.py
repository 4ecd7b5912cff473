"""`pi-bench micro`: times each primitive and compares it with the limit of the machine."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from pi_bench.cli import arguments
from pi_bench.cli.failures import Failures
from pi_bench.cli.help import HelpFormatter
from pi_bench.cli.output import add_json
from pi_bench.errors import UsageError, interruption_code, interruption_word
from pi_bench.unknown_name import unknown_name

if TYPE_CHECKING:
    from pi_bench.primitives.primitive import CaseMaker

_NAMES = "<names>"  # stands for the names until help is printed: they come from code that loads slowly

_DESCRIPTION = f"""\
Times each primitive in this process, except the channel, which is timed to a second process. The same run
measures the rates of the machine: AES, memory, multiply-adds, loopback socket. `times limit` is the median
time divided by the least time that this machine needs for the minimal work of the primitive.

names: {_NAMES} (default: all)

PI_BENCH_ISA=portable, aesni or vaes512 chooses the instruction set.
"""


class _NamesFormatter(HelpFormatter):
    """Formatter that fills in the names of the primitives when the help of this command is printed."""

    def add_text(self, text: str | None) -> None:
        if text is not None and _NAMES in text:
            text = text.replace(_NAMES, ", ".join(_families()))
        super().add_text(text)


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> parser = argparse.ArgumentParser()
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["micro", "--threads", "1,2"]).threads
    (1, 2)
    """
    parser = subparsers.add_parser(
        "micro",
        description=_DESCRIPTION,
        formatter_class=_NamesFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="primitives to time (default: all)")
    parser.add_argument(
        "--count",
        type=arguments.positive_int,
        default=200_000,
        metavar="N",
        help="number of elements for the primitives that stream: garbling, OT and the generator (default "
        "200000)",
    )
    parser.add_argument(
        "--threads",
        type=_thread_counts,
        metavar="N[,N]",
        help="numbers of computing threads; each is timed in turn (default: 1 and, with two cores, 2)",
    )
    parser.add_argument(
        "--repetitions",
        type=arguments.positive_int,
        default=7,
        metavar="N",
        help="timed calls per case (default 7)",
    )
    add_json(parser, "micro")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Times the primitives and prints or writes the result. Returns the exit code.

    Raises:
        UsageError: there is no such primitive.
        OutputError: the file of ``--json`` cannot be written.

    ```python
    from pi_bench.cli import main

    def time_primitives(*names: str) -> int:
        return main(["micro", *names, "--json", "micro.json"])
    ```
    """
    from pi_bench.thread_environment import thread_environment

    os.environ.update(thread_environment(1))  # before numpy loads: its product is timed on one core

    families = _families()
    unknown = [name for name in parsed.names if name not in families]
    if unknown:
        raise UsageError(unknown_name("primitive", unknown[0], families))
    chosen = {name: families[name] for name in parsed.names or families}

    from msgspec.structs import replace

    from pi_bench.cli.output import deliver, writable
    from pi_bench.cli.progress import Progress
    from pi_bench.cli.warnings import warn_of_instruction_set
    from pi_bench.crypto.symmetric import require_isa
    from pi_bench.launch.cached_limits import beside_earlier
    from pi_bench.metrics.environment import describe_environment
    from pi_bench.metrics.machine_use import MachineWatch
    from pi_bench.metrics.micro import run_micro
    from pi_bench.primitives import CaseSettings
    from pi_bench.report.cautions import machine_cautions
    from pi_bench.report.micro import build_micro, micro_cautions, render_micro

    writable(parsed.json, parsed)
    warn_of_instruction_set(require_isa())
    threads = parsed.threads or ((1, 2) if len(os.sched_getaffinity(0)) > 1 else (1,))
    settings = CaseSettings(parsed.count, threads, parsed.repetitions)
    failures = Failures()

    def interrupted(error: KeyboardInterrupt) -> None:
        code = interruption_code(error)
        failures.add(code, f"{interruption_word(code)}: the result holds the cases that were finished")

    with Progress() as progress, MachineWatch() as watch:
        measured = run_micro(chosen, settings, progress, interrupted)
    result = build_micro(measured, describe_environment())
    rates = {str(row.name): row.value for row in result.limits if row.threads == 1}
    cautions = machine_cautions(watch.use, beside_earlier(rates, threads=1))
    result = replace(result, cautions=(*cautions, *micro_cautions(result)))
    with failures.collected():
        deliver(render_micro(result), parsed.json, result)
    return failures.report()


def _families() -> dict[str, CaseMaker]:
    """Collects the makers of cases of every primitive, those of protocols included."""
    from pi_bench.metrics.micro import known_primitives
    from pi_bench.primitives.primitive import families_of

    return families_of(known_primitives())


def _thread_counts(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(arguments.thread_count(part) for part in text.split(",")))
