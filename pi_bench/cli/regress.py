"""`pi-bench regress`: judges a kept run by a baseline, for scripts and continuous integration."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pi_bench.cli import arguments, history_option, limits_option
from pi_bench.cli.judgment import passed_text, refusal
from pi_bench.cli.output import add_json
from pi_bench.errors import EXIT_SLOWER

if TYPE_CHECKING:
    from pi_bench.report.documents.latency import Result

_DESCRIPTION = f"""\
Compares a kept run of `pi-bench latency` with a tagged one. Exits with code {EXIT_SLOWER} if the run is
surely slower than allowed: the whole interval of the ratio (confidence 99 %) lies above. It also does so if
the interval is too wide to decide, more than twice as wide as the allowed slowdown, and if the two runs
cannot be compared, because their networks, protocols, links, threads or processors differ or their runs are
too few. Only a run that was judged can pass. With --relative-to-floor, runs of different processors can be
judged.

  pi-bench history tag last release-1
  pi-bench latency model.pt --runs 20
  pi-bench regress --baseline release-1 --max-slowdown 10%
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["regress", "--baseline", "release-1"]).which
    'last'
    """
    parser = subparsers.add_parser("regress", description=_DESCRIPTION)
    parser.add_argument(
        "which",
        nargs="?",
        default="last",
        metavar="RUN",
        help="number or tag of the run (default: last)",
    )
    parser.add_argument("--baseline", required=True, metavar="NAME", help="number or tag of the baseline")
    parser.add_argument(
        "--max-slowdown",
        type=arguments.percentage,
        default=0.1,
        metavar="P%",
        help="how much slower the run may be online (default 10%%)",
    )
    limits_option.add_relative(parser)
    parser.add_argument("--history", metavar="FILE", help="the database (default: that of the user)")
    add_json(parser, "comparison")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Judges the run. Returns the exit code.

    Raises:
        UsageError: there is no such run or baseline.
        InputError: the database cannot be used, or another version wrote one of the runs.

    ```python
    from pi_bench.cli import main

    def is_slower(baseline: str) -> bool:
        return main(["regress", "--baseline", baseline]) == 10
    ```
    """
    from pi_bench.cli.failures import Failures
    from pi_bench.cli.output import deliver
    from pi_bench.comparison import build_comparison, read_results, side_of_result
    from pi_bench.report.comparison import render_comparison

    names = (parsed.baseline, parsed.which)
    results = read_results(names, history_option.history_path(parsed), files=False)
    sides = [
        side_of_result(result, f"{what} {name}")
        for what, name, result in zip(("baseline", "run"), names, results, strict=True)
    ]
    result = build_comparison(
        sides,
        results,
        arguments.as_fields(parsed),
        interrupted=False,
        relative_to_floor=parsed.relative_to_floor,
    )
    online = result.ratios[0]
    different = _different(*results, any_machine=parsed.relative_to_floor)
    if different:
        words = f"the runs cannot be judged: they differ in {', '.join(different)}"
    elif online.interval is None:
        lacking = limits_option.lacking_floor(online) or "each needs at least 6 timed runs"
        words = f"the runs cannot be judged: {lacking}"
    else:
        words = refusal(online, parsed.max_slowdown, "--max-slowdown")
    text = render_comparison(result)
    if not words:
        text += f"\n\n{passed_text(online, parsed.max_slowdown, '--max-slowdown')}"
    failures = Failures()
    with failures.collected():
        deliver(text, parsed.json, result)
    if words:
        failures.add(EXIT_SLOWER, words)
    return failures.report()


def _different(baseline: Result, run: Result, *, any_machine: bool) -> list[str]:
    """Names the settings that must be equal for a judgment and are not. Commits and versions may differ.

    Args:
        any_machine: whether the runs may be those of different machines.
    """
    found = [
        what
        for what, values in (
            ("network", {baseline.network.name, run.network.name}),
            ("protocol", {baseline.protocol, run.protocol}),
            ("mode", {baseline.mode, run.mode}),
            ("link", {getattr(baseline.link, "name", ""), getattr(run.link, "name", "")}),
            (
                "inputs answered together",
                {baseline.network.input_count, run.network.input_count},
            ),
            ("threads", {baseline.environment.threads, run.environment.threads}),
            ("processor", {baseline.environment.cpu_model, run.environment.cpu_model}),
            ("instruction set", {baseline.environment.instruction_set, run.environment.instruction_set}),
        )
        if len(values) > 1
    ]
    return [what for what in found if not (any_machine and what in ("processor", "instruction set"))]
