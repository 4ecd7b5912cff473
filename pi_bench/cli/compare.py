"""`pi-bench compare`: measures networks in turns, or compares kept results, with a verdict."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench import defaults
from pi_bench.cli import (
    arguments,
    history_option,
    limits_option,
    measuring_options,
    protocol_options,
)
from pi_bench.cli.failures import Failures
from pi_bench.cli.judgment import refusal
from pi_bench.cli.output import add_json
from pi_bench.errors import EXIT_SLOWER, UsageError

if TYPE_CHECKING:
    from pi_bench.report.documents.cautions import Caution
    from pi_bench.report.documents.comparison import ComparisonResult, Side
    from pi_bench.report.documents.latency import Result

_DESCRIPTION = """\
Says whether one network, protocol, link or number of threads is faster than another one. Each A, B, ... is a
model file, a kept run (its number, its tag, or last) or a file of --json. Models are measured in turns: every
round starts new processes for all of them and runs A B A B, so that all meet the same state of the machine.
Kept runs are compared as they are, and the differences of their machines are printed first. The ratio has
an interval (confidence 99 %), and the verdict is faster, slower or no difference shown.
"""
_EPILOG = """\
examples:
  pi-bench compare a.pt b.pt
  pi-bench compare model.pt --protocol delphi,fss --link lan
  pi-bench compare model.pt --link loopback,lan,wan
  pi-bench compare baseline last --fail-if-slower 5%
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["compare", "a.pt", "b.pt", "--threads", "1,2"]).threads
    (1, 2)
    """
    parser = subparsers.add_parser(
        "compare",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "sides",
        nargs="+",
        metavar="A",
        help="model files, or kept runs and files of --json; the first is the base",
    )
    protocol_options.add_protocols(parser)
    add_options = partial(measuring_options.add_options, command="compare")
    add_options(parser.add_argument_group("fixed point"), group="fixed point")
    measuring = parser.add_argument_group("measuring (of model files)")
    measuring.add_argument(
        "--rounds",
        type=arguments.positive_int,
        metavar="N",
        help=f"rounds with new processes (default: {defaults.ROUNDS}, and up to "
        f"{defaults.MOST_ROUNDS} until the interval is narrow; at least 4 give an interval)",
    )
    measuring.add_argument(
        "--runs",
        type=arguments.positive_int,
        metavar="N",
        help=f"runs per side and round (default {defaults.RUNS})",
    )
    measuring.add_argument(
        "--link",
        type=arguments.list_of(arguments.link),
        metavar="LINK[,LINK]",
        help="links between the parties, as for `pi-bench latency`, each a side of its own",
    )
    measuring.add_argument(
        "--threads",
        type=arguments.list_of(arguments.thread_count),
        metavar="N[,N]",
        help="computing threads per party, each a side of its own (default: half of the cores)",
    )
    add_options(measuring, group="measuring")
    measuring.add_argument("--input", metavar="FILE.npy", help="input of the client (default: seeded noise)")
    add_options(measuring, group="input")
    limits_option.add_limits(measuring)
    result = parser.add_argument_group("result")
    limits_option.add_relative(result)
    result.add_argument(
        "--fail-if-slower",
        type=arguments.percentage,
        metavar="P%",
        help=f"exit with code {EXIT_SLOWER} if a side is surely more than P%% slower online than the "
        "base: the whole interval lies above; also if a side could not be compared, or if its interval is "
        "too wide to decide",
    )
    add_json(result, "comparison")
    history_option.add_history(result)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Compares the sides, and prints or writes the result. Returns the exit code.

    Raises:
        PiBenchError: a side cannot be used, or a party failed.

    ```python
    from pi_bench.cli import main

    def is_slower(model_file: str, baseline_file: str) -> bool:
        return main(["compare", baseline_file, model_file, "--fail-if-slower", "5%"]) == 10
    ```
    """
    from pi_bench.cli.output import deliver, writable
    from pi_bench.comparison import build_comparison
    from pi_bench.report.comparison import render_comparison

    history_option.require_history(parsed)
    writable(parsed.json, parsed)
    limits_option.require_floor(parsed)
    sides, results, interruption, cautions = _measured(parsed) if _are_models(parsed) else _stored(parsed)
    result = build_comparison(
        sides,
        results,
        arguments.as_fields(parsed),
        interrupted=interruption is not None,
        relative_to_floor=parsed.relative_to_floor,
        cautions=cautions,
    )
    failures = Failures()
    with failures.collected():
        deliver(render_comparison(result), parsed.json, result, keep=partial(history_option.keep, parsed))
    if parsed.fail_if_slower is not None:
        _judge(failures, result, parsed.fail_if_slower)
    if interruption is not None:
        done = len(sides[0].sessions)
        failures.add_interruption(interruption, done, parsed.rounds, "rounds")
    return failures.report()


def _judge(failures: Failures, result: ComparisonResult, allowed: float) -> None:
    """Adds a failure for every side that has not passed."""
    remedy = "more --rounds" if result.sides[0].source == "measured" else "more runs"
    for ratio in result.ratios:
        if ratio.phase == "online":
            words = refusal(ratio, allowed, "--fail-if-slower", remedy=remedy)
            if words:
                failures.add(EXIT_SLOWER, words)


def _are_models(parsed: argparse.Namespace) -> bool:
    """Tells whether the sides are model files. Kept runs and files of --json are not.

    Raises:
        UsageError: the sides are of both kinds, or too few.
    """
    stored = [_is_result(name) for name in parsed.sides]
    if any(stored) and not all(stored):
        raise UsageError(
            "model files and kept runs cannot be compared with each other: measure the model with "
            "`pi-bench latency`, which keeps its run"
        )
    if all(stored):
        given = [
            flag
            for flag in ("rounds", "runs", "link", "threads", "protocol")
            if getattr(parsed, flag) is not None
        ]
        if given:
            raise UsageError(f"--{given[0]} is for model files; kept runs are compared as they are")
        if len(parsed.sides) < 2:
            raise UsageError("one kept run is nothing to compare: give two or more")
    return not any(stored)


def _is_result(name: str) -> bool:
    """Tells whether a name is a kept run or a file of --json, rather than a model file."""
    path = Path(name)
    if not path.exists():
        return path.suffix == "" and "/" not in name
    if path.is_dir():
        return False
    try:
        with path.open("rb") as file:
            return file.read(1) == b"{"
    except OSError:
        return False


def _stored(parsed: argparse.Namespace) -> tuple[list[Side], list[Result], None, list[Caution]]:
    """Reads kept runs."""
    from pi_bench.comparison import read_results, side_of_result

    results = read_results(parsed.sides, history_option.history_path(parsed))
    names = _unique(parsed.sides)
    sides = [side_of_result(result, name) for name, result in zip(names, results, strict=True)]
    return sides, results, None, []


def _measured(parsed: argparse.Namespace) -> tuple[list[Side], list[Result], int | None, list[Caution]]:
    """Measures the sides in turns, and finds cautions about the machine meanwhile."""
    from dataclasses import replace

    from pi_bench.cli.latency import task_of
    from pi_bench.cli.progress import Progress
    from pi_bench.comparison import measure_sides
    from pi_bench.metrics.machine_use import MachineWatch
    from pi_bench.report.cautions import machine_cautions
    from pi_bench.tasks import prepared

    variants = _variants(parsed)
    with Progress() as progress:
        tasks = {}
        for name, one in variants.items():
            tasks[name] = prepared(replace(task_of(one), find_costs=None), progress)
        rounds, runs = parsed.rounds or defaults.ROUNDS, parsed.runs or defaults.RUNS
        with MachineWatch() as watch:
            most = defaults.MOST_ROUNDS if parsed.rounds is None else None
            sides, interruption = measure_sides(
                tasks, rounds=rounds, runs=runs, most_rounds=most, progress=progress
            )
    limits = next(iter(tasks.values())).limits
    return sides, [], interruption, machine_cautions(watch.use, limits)


def _variants(parsed: argparse.Namespace) -> dict[str, argparse.Namespace]:
    """Returns the arguments of `pi-bench latency` for each side, by the side's name.

    Raises:
        UsageError: there is one side alone, or several models have several protocols, links or threads.
    """
    from pi_bench.cli.latency import latency_defaults

    lists = {name: getattr(parsed, name) or (None,) for name in ("protocol", "link", "threads")}
    several = [name for name, values in lists.items() if len(values) > 1]
    if len(parsed.sides) > 1 and several:
        raise UsageError(f"give one model with several values of --{several[0]}, or several models with one")
    if len(parsed.sides) == 1 and not several:
        raise UsageError(
            "there is nothing to compare with: give a second model, or several values of --protocol, "
            "--link or --threads, such as --protocol delphi,fss"
        )
    found: dict[str, argparse.Namespace] = {}
    names = iter(_unique(parsed.sides))
    for model, protocol, link, threads in itertools.product(parsed.sides, *lists.values()):
        given = {**vars(parsed), "runs": parsed.runs or defaults.RUNS}
        varied = {"model": model, "protocol": protocol, "link": link, "threads": threads}
        one = argparse.Namespace(**{**latency_defaults(), **given, **varied})
        words = {
            "protocol": protocol,
            "link": getattr(link, "name", "loopback"),
            "threads": f"{threads} threads",
        }
        name = ", ".join(str(words[each]) for each in several) if several else next(names)
        if name in found:
            raise UsageError(f"{name} is given twice; name each value once")
        found[name] = one
    return found


def _unique(names: Sequence[str]) -> list[str]:
    """Returns short names of the sides: the last parts of their paths that differ, and numbers if none do."""
    parts = [Path(name).parts for name in names]
    longest = max(map(len, parts))
    short = next(
        (found for kept in range(1, longest) if len(set(found := _ends(parts, kept))) == len(names)),
        list(names),
    )
    return [
        name if short.count(name) == 1 else f"{name} ({short[: i + 1].count(name)})"
        for i, name in enumerate(short)
    ]


def _ends(paths: Sequence[tuple[str, ...]], kept: int) -> list[str]:
    return [str(Path(*parts[-kept:])) for parts in paths]
