"""`pi-bench latency`: runs both parties on this machine, measures and verifies them."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.cli import (
    arguments,
    format_option,
    history_option,
    latency_connected,
    latency_output,
    layer_options,
    like_option,
    limits_option,
    measuring_options,
    model_options,
    prediction,
    protocol_options,
)
from pi_bench.cli.failures import Failures
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
    add_options = partial(measuring_options.add_options, command="latency")
    for group in ("fixed point", "fidelity"):
        add_options(parser.add_argument_group(group), group=group)
    measuring = parser.add_argument_group("measuring")
    add_options(measuring, group="measuring")
    limits_option.add_limits(measuring)
    like_option.add_like(measuring)
    latency_connected.add_connecting(parser)
    add_options(prediction.add_costs(parser), group="prediction")
    files = parser.add_argument_group("input and output")
    files.add_argument(
        "--input", metavar="FILE.npy", help="input of the client, real numbers (default: seeded noise)"
    )
    add_options(files, group="input")
    files.add_argument("--output", metavar="FILE.npy", help="write the logits to this file, as float64")
    add_json(files, "result")
    add_options(files, group="requirements")
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
    for name in ("output", "json", "trace"):
        writable(getattr(parsed, name), parsed)
    latency_output.require_files_apart(parsed)
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
    latency_output.add_failure(failures, measurement)
    return latency_output.finish(parsed, measurement, result, whole.model.program, failures)


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
    measuring_options.require_consistent(parsed)

    from pi_bench.crypto.symmetric import require_isa
    from pi_bench.launch.inputs import load_input
    from pi_bench.tasks import Task

    warn_of_instruction_set(require_isa())
    warn_of_protocol(info, notes_follow=parsed.json != STDOUT)
    given = None if parsed.input is None else load_input(Path(parsed.input))
    return Task(
        model=Path(parsed.model),
        info=info,
        options=options,
        place=place,
        measuring=measuring_options.options_of(parsed),
        inputs=given,
        input_text="" if given is None else Path(parsed.input).name,
        find_costs=partial(prediction.costs_of, parsed, info, place.threads),
        measure_costs=prediction.remeasuring(parsed, info, place.threads),
        find_limits=partial(limits_option.limits_of, parsed, place),
        arguments=arguments.as_fields(parsed),
    )


def _add_verification(failures: Failures, result: Result) -> None:
    assert result.verification is not None, "on one machine every run is verified"
    if result.verification.passed:
        return
    found = result.verification.failures
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    failures.add(VerificationError.exit_code, f"verification failed: {found[0]}{more}")
