"""`pi-bench latency`: runs both parties on this machine, measures and verifies them."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.cli import (
    arguments,
    fidelity_options,
    format_option,
    history_option,
    latency_connected,
    latency_output,
    layer_options,
    like_option,
    limits_option,
    model_options,
    prediction,
    protocol_options,
    running_options,
    stopping_options,
)
from pi_bench.cli.failures import Failures
from pi_bench.cli.fusion_option import fusion_costs
from pi_bench.cli.output import add_json
from pi_bench.errors import VerificationError
from pi_bench.report.layer_table import COLUMNS, require_columns

if TYPE_CHECKING:
    from pi_bench.report.documents.latency import Result
    from pi_bench.tasks import Task

_DESCRIPTION = """\
Starts a client and a server process, runs the network between them over TCP with real cryptography,
and measures both phases. Online latency is the time from the float input in memory to the float logits
in memory, on the client's clock. Every timed run is verified after its clock has stopped.

With --connect the server is on another machine: `pi-bench serve --measure` there.
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["latency", "model.pt", "--runs", "3"]).runs
    3
    """
    parser = subparsers.add_parser(
        "latency",
        description=_DESCRIPTION,
    )
    model_options.add_model(parser, optional=True)
    protocol_options.add_protocol(parser)
    model_options.add_compile(parser)
    fidelity_options.add_goal(
        parser.add_argument_group("fidelity"),
        "compare the fidelity in the model file with this one, 90%% to 99.99%%, and warn if it is lower; the "
        "bits stay those of the export (default: the fidelity that the export was asked for, or 99%%)",
    )
    measuring = parser.add_argument_group("measuring")
    stopping_options.add_stopping(measuring)
    running_options.add_link(measuring, "default: loopback as it is")
    running_options.add_batch(measuring, "default: as many as the input file holds, or 1")
    running_options.add_threads(measuring, "default: half of the cores")
    running_options.add_weight_cache(measuring)
    running_options.add_timeout(measuring)
    limits_option.add_limits(measuring)
    like_option.add_like(measuring)
    latency_connected.add_connecting(parser)
    prediction.add_prediction(parser)
    files = parser.add_argument_group("input and output")
    files.add_argument(
        "--input", metavar="FILE.npy", help="input of the client, real numbers (default: seeded noise)"
    )
    files.add_argument(
        "--seed", type=arguments.count, default=0, metavar="N", help="seed of the noise (default 0)"
    )
    files.add_argument("--output", metavar="FILE.npy", help="write the logits to this file, as float64")
    add_json(files, "result")
    running_options.add_expect_digest(files)
    layer_options.add_layers(
        parser.add_argument_group("text"),
        COLUMNS,
        whole=", then the parts of both phases, and each party's processor time and memory",
    )
    format_option.add_format(files, "the result, as --json - prints it")
    history_option.add_history(files)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Measures and verifies private inferences, and prints or writes the result. Returns the exit code.

    Raises:
        PiBenchError: the model, the input or an option cannot be used, or a party failed.

    ```python
    from pi_bench.cli import main

    def measure(model_file: str) -> int:
        return main(["latency", model_file, "--runs", "3", "--json", "result.json"])
    ```
    """
    from pi_bench.cli.output import writable
    from pi_bench.cli.progress import Progress

    history_option.require_history(parsed)
    require_columns(parsed.columns)
    format_option.require_format(parsed)
    for name in ("output", "json"):
        writable(getattr(parsed, name), parsed)
    if parsed.connect is not None:
        return latency_connected.run_connected(parsed)
    latency_connected.require_one_machine(parsed)
    with Progress() as progress:
        task = task_of(parsed)

        from pi_bench.tasks import prepared

        whole = prepared(task, progress)
        measurement = whole.measure(progress)
        result = whole.result(measurement, progress)
    failures = Failures()
    _add_verification(failures, result)
    return latency_output.finish(parsed, measurement, result, whole.model.program.labels, failures)


def latency_defaults() -> dict[str, Any]:
    """Returns the default of every option of the command, by the name in its namespace.

    >>> latency_defaults()["runs"]
    5
    """
    from pi_bench.cli.arguments import Parser

    parser = Parser(prog="pi-bench")
    add_parser(parser.add_subparsers())
    return {**vars(parser.parse_args(["latency", ""])), "run": run}


def task_of(parsed: argparse.Namespace) -> Task:
    """Makes the measurement that the arguments ask for, after the checks that need no model.

    Raises:
        PiBenchError: the protocol, its options, the input file or the machine cannot be used.

    ```python
    from pi_bench.cli.parser import make_parser

    def task(model_file: str) -> "Task":
        return task_of(make_parser().parse_args(["latency", model_file]))
    ```
    """
    from pi_bench.cli.output import STDOUT
    from pi_bench.cli.warnings import warn_of_instruction_set, warn_of_protocol
    from pi_bench.launch import placement

    place = placement.place(parsed.threads)
    info, options = protocol_options.protocol_of(parsed, place.threads)
    goal = fidelity_options.goal_of(parsed)

    from pi_bench.crypto.symmetric import require_isa
    from pi_bench.launch.inputs import batch_of, load_input
    from pi_bench.tasks import Task

    warn_of_instruction_set(require_isa())
    warn_of_protocol(info, notes_follow=parsed.json != STDOUT)
    given = None if parsed.input is None else load_input(Path(parsed.input))
    return Task(
        model=Path(parsed.model),
        info=info,
        options=options,
        place=place,
        compiling=lambda graph: model_options.compile_options(parsed, graph, batch_of(given, graph)),
        stopping=stopping_options.stopping_of(parsed),
        fuse=fusion_costs(parsed),
        inputs=given,
        input_text="" if given is None else Path(parsed.input).name,
        seed=parsed.seed,
        link=parsed.link,
        timeout_s=parsed.timeout,
        expect_digest=parsed.expect_digest,
        goal=goal,
        find_costs=partial(prediction.costs_of, parsed, info, place.threads),
        measure_costs=prediction.remeasuring(parsed, info, place.threads),
        find_limits=partial(limits_option.limits_of, parsed, place),
        explain=parsed.explain,
        arguments=arguments.as_fields(parsed),
    )


def _add_verification(failures: Failures, result: Result) -> None:
    assert result.verification is not None, "on one machine every run is verified"
    if result.verification.passed:
        return
    found = result.verification.failures
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    failures.add(VerificationError.exit_code, f"verification failed: {found[0]}{more}")
