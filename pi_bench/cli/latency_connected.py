"""`pi-bench latency --connect HOST:PORT`: measures with a server on another machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pi_bench.cli import (
    arguments,
    latency_output,
    measuring_options,
    protocol_options,
)
from pi_bench.cli.failures import Failures
from pi_bench.errors import UsageError, VerificationError
from pi_bench.measurement_options.option import declarations
from pi_bench.measurement_options.table import MeasurementOptions

if TYPE_CHECKING:
    from pi_bench.launch.measurement import Measurement
    from pi_bench.report.documents.latency import Result
    from pi_bench.tasks.connected_task import ConnectedTask


def add_connecting(parser: argparse.ArgumentParser) -> None:
    """Adds ``--connect`` and the options that go with it.

    >>> parser = argparse.ArgumentParser()
    >>> add_connecting(parser)
    >>> parser.parse_args(["--connect", "10.0.0.2:7000"]).connect
    '10.0.0.2:7000'
    """
    group = parser.add_argument_group("two machines")
    group.add_argument(
        "--connect",
        metavar="HOST:PORT",
        help="measure with the server `pi-bench serve --measure` at this address, over the real link; the "
        "model file may be left out, and is compared with the server's program where it is given",
    )
    group.add_argument(
        "--expect-logits",
        metavar="FILE.npy",
        help="fail unless the logits of every run are those in this file, such as one of --output",
    )
    measuring_options.add_options(group, "latency", "two machines")


def require_one_machine(parsed: argparse.Namespace) -> None:
    """Refuses a measurement on one machine without a model file, or with the options of two machines.

    Raises:
        UsageError: it is one of these.

    >>> require_one_machine(argparse.Namespace(model=None))
    Traceback (most recent call last):
    pi_bench.errors.UsageError: give a model file, or the address of a server with --connect HOST:PORT
    """
    if parsed.model is None:
        raise UsageError("give a model file, or the address of a server with --connect HOST:PORT")
    connected_only = [each for each in measuring_options.given_options(parsed) if each.connected_only]
    if parsed.expect_logits is not None or connected_only:
        raise UsageError(
            "--expect-logits, --logits-tolerance, --insecure-verify and --max-ahead go with --connect; "
            "without it every run is verified, and --ahead is the number of this command"
        )


def run_connected(parsed: argparse.Namespace) -> int:
    """Measures with a server on another machine, and prints or writes the result. Returns the exit code.

    Raises:
        PiBenchError: the server cannot be reached, does not measure or failed, or an option does not fit.

    ```python
    from pi_bench.cli import main

    def measure(address: str) -> int:
        return main(["latency", "--connect", address, "--runs", "3"])
    ```
    """
    from pi_bench.cli.progress import Progress

    with Progress() as progress:
        task = task_of(parsed)

        from pi_bench.cli.warnings import warn_of_protocol
        from pi_bench.tasks.connected_task import ConnectedMeasurement

        def waiting() -> None:
            progress.clear()
            print(
                f"waiting up to {parsed.timeout:g} s for the server: it may be busy with another client …",
                file=sys.stderr,
            )

        whole = ConnectedMeasurement(task, progress)
        measurement = whole.measure(progress, waiting)
    warn_of_protocol(whole.contact.info)
    result = whole.result(measurement)
    failures = Failures()
    _add_failures(failures, result, measurement)
    return latency_output.finish(parsed, measurement, result, whole.contact.program, failures)


def task_of(parsed: argparse.Namespace) -> ConnectedTask:
    """Makes the measurement that the arguments ask for, after the checks that need no server.

    Raises:
        PiBenchError: an option contradicts ``--connect``, or the input or the expected logits cannot be used.

    ```python
    from pi_bench.cli.parser import make_parser

    def task(address: str) -> "ConnectedTask":
        return task_of(make_parser().parse_args(["latency", "--connect", address]))
    ```
    """
    _require_two_machines(parsed)

    from pi_bench.channel import Address
    from pi_bench.cli.warnings import warn_of_instruction_set
    from pi_bench.crypto.symmetric import require_isa
    from pi_bench.launch.expected_logits import ExpectedLogits
    from pi_bench.launch.inputs import load_input
    from pi_bench.registry import require_known
    from pi_bench.tasks.connected_task import ConnectedTask

    require_known(parsed.protocol, parsed.mode)
    address = Address.parse(parsed.connect)
    warn_of_instruction_set(require_isa())
    given = None if parsed.input is None else load_input(Path(parsed.input))
    expected = None
    if parsed.expect_logits is not None:
        expected = ExpectedLogits.read(Path(parsed.expect_logits), parsed.logits_tolerance)
    return ConnectedTask(
        address=address,
        model=None if parsed.model is None else Path(parsed.model),
        measuring=measuring_options.options_of(parsed),
        protocol=parsed.protocol,
        mode=parsed.mode,
        options=protocol_options.given_options(parsed),
        inputs=given,
        input_text="" if given is None else Path(parsed.input).name,
        expected=expected,
        arguments=arguments.as_fields(parsed),
    )


def _require_two_machines(parsed: argparse.Namespace) -> None:
    """Refuses options that contradict ``--connect``."""
    given = measuring_options.given_options(parsed)
    refusals = [option.refusal for option in given if option.refusal]
    if parsed.costs is not None or parsed.measure_costs:
        refusals.append(declarations(MeasurementOptions)["explain"].refusal)
    if refusals:
        raise UsageError(refusals[0])
    if parsed.logits_tolerance and parsed.expect_logits is None:
        raise UsageError("--logits-tolerance needs the logits to compare with: --expect-logits FILE.npy")
    if parsed.insecure_verify and parsed.model is None:
        raise UsageError("--insecure-verify compares with the weights in the model file; give that too")
    if parsed.model is None:
        of_the_model = [option.flags[0] for option in given if option.needs_model]
        if of_the_model:
            raise UsageError(
                f"{of_the_model[0]} chooses a program for a model file, and none is given; "
                "give it to `pi-bench serve`, or give the model file too"
            )
    measuring_options.require_consistent(parsed)


def _add_failures(failures: Failures, result: Result, measurement: Measurement) -> None:
    found = list(dict.fromkeys(failure for run in measurement.runs for failure in run.failures))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        verified = result.verification is None or result.verification.passed
        what = "the answer is not the expected one" if verified else "verification failed"
        failures.add(VerificationError.exit_code, f"{what}: {found[0]}{more}")
    latency_output.add_failure(failures, measurement)
