"""`pi-bench latency`: runs both parties on this machine, measures and verifies them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.cli import (
    arguments,
    fidelity_options,
    model_options,
    prediction,
    protocol_options,
    running_options,
)
from pi_bench.cli.failures import Failures
from pi_bench.cli.fusion_option import fusion_costs
from pi_bench.cli.output import add_json
from pi_bench.errors import VerificationError

if TYPE_CHECKING:
    import numpy as np

    from pi_bench.costs import Costs
    from pi_bench.fidelity import FidelityGoal
    from pi_bench.launch.measurement import LatencyOptions, Measurement
    from pi_bench.launch.model import LoadedModel
    from pi_bench.launch.verification import RunVerifier
    from pi_bench.progress import Progress
    from pi_bench.protocol import ProtocolInfo, ProtocolOptions
    from pi_bench.report.documents.fidelity import Fidelity
    from pi_bench.report.documents.latency import Result

_DESCRIPTION = """\
Starts a client and a server process, runs the network between them over TCP with real cryptography,
and measures both phases. Online latency is the time from the float input in memory to the float logits
in memory, on the client's clock. Every timed run is verified after its clock has stopped.
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
        help="run a network privately, measure and verify it",
        description=_DESCRIPTION,
    )
    model_options.add_model(parser)
    protocol_options.add_protocol(parser)
    model_options.add_compile(parser)
    fidelity_options.add_goal(
        parser.add_argument_group("fidelity"),
        "compare the fidelity in the model file with this one, 90%% to 99.99%%, and warn if it is lower; the "
        "bits stay those of the export (default: the fidelity that the export was asked for, or 99%%)",
    )
    measuring = parser.add_argument_group("measuring")
    measuring.add_argument(
        "--runs", type=arguments.positive_int, default=5, metavar="N", help="timed runs (default 5)"
    )
    measuring.add_argument(
        "--warmup",
        type=arguments.count,
        default=1,
        metavar="N",
        help="untimed runs before the timed ones (default 1)",
    )
    running_options.add_link(measuring, "default: loopback as it is")
    running_options.add_batch(measuring, "default: as many as the input file holds, or 1")
    running_options.add_threads(measuring, "default: half of the cores")
    running_options.add_weight_cache(measuring)
    running_options.add_timeout(measuring)
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
    from pi_bench.cli.warnings import warn_of_instruction_set, warn_of_protocol
    from pi_bench.launch import placement

    place = placement.place(parsed.threads)
    for name in ("output", "json"):
        writable(getattr(parsed, name))
    info, options = protocol_options.protocol_of(parsed, place.threads)
    goal = fidelity_options.goal_of(parsed)

    from pi_bench.crypto.symmetric import require_isa
    from pi_bench.launch.latency import measure_latency
    from pi_bench.launch.measurement import LatencyOptions

    warn_of_instruction_set(require_isa())
    warn_of_protocol(info)
    measuring = LatencyOptions(
        options, parsed.runs, parsed.warmup, parsed.timeout, parsed.expect_digest, parsed.link
    )
    with Progress() as progress:
        task = _task(parsed, info, options, goal, progress)
        costs = prediction.costs_of(parsed, info, place.threads, progress)
        measurement = measure_latency(
            task.model, info, measuring, place, task.inputs, task.verifier, progress
        )
    result = _result(parsed, task, measuring, measurement, costs)
    return _finish(parsed, task.model.program.labels, measurement, result)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """Holds the network, its inputs and the check of its answers."""

    model: LoadedModel
    info: ProtocolInfo
    inputs: np.ndarray
    inputs_words: str
    verifier: RunVerifier
    fidelity: Fidelity | None
    goal_is_asked: bool


def _task(
    parsed: argparse.Namespace,
    info: ProtocolInfo,
    options: ProtocolOptions,
    goal: FidelityGoal | None,
    progress: Progress,
) -> _Task:
    """Reads the network and its inputs. Refuses what cannot run before anything starts."""
    from pi_bench.launch.inputs import batch_of, load_input, noise_input
    from pi_bench.launch.model import load
    from pi_bench.launch.verification import RunVerifier
    from pi_bench.network.program.fixed_point import encode_input
    from pi_bench.report.known_fidelity import known_fidelity

    progress("loading the model", 0, parsed.warmup + parsed.runs)
    given = None if parsed.input is None else load_input(Path(parsed.input))
    choose = partial(model_options.compile_options, parsed, batch=batch_of(given))
    model = load(Path(parsed.model), choose, fuse=fusion_costs(parsed))
    program = model.program
    info.require(program, options)
    fidelity = known_fidelity(model, info.law(options), goal)
    if given is None:
        inputs, words = noise_input(program.input, parsed.seed), f"noise, seed {parsed.seed}"
    else:
        inputs, words = given, Path(parsed.input).name
    verifier = RunVerifier(program, model.weights, info.law(options), encode_input(program, inputs))
    inputs = inputs.reshape(program.input.shape)
    return _Task(model, info, inputs, words, verifier, fidelity, goal_is_asked=goal is not None)


def _result(
    parsed: argparse.Namespace,
    task: _Task,
    measuring: LatencyOptions,
    measurement: Measurement,
    costs: Costs | None,
) -> Result:
    """Returns the result with its prediction, its fidelity and its warnings."""
    from msgspec.structs import replace

    from pi_bench.measure.environment import describe_environment
    from pi_bench.network.graph.float_run import outputs
    from pi_bench.prediction.simulated_run import Setting
    from pi_bench.report.prediction import compared
    from pi_bench.report.result import build_result
    from pi_bench.report.warnings import find_warnings

    model, info = task.model, task.info
    result = build_result(
        model,
        info,
        measuring,
        measurement,
        outputs(model.graph, task.inputs),
        describe_environment(),
        task.inputs_words,
        arguments.as_fields(parsed),
    )
    if costs is not None:
        setting = Setting(costs, parsed.link, polls=measurement.placement.pinned)
        predicted, explanation = prediction.predict(
            model, model.compiling, info, measuring.protocol, setting, explain=parsed.explain
        )
        result = replace(result, prediction=compared(predicted, result), explanation=explanation)
    result = replace(result, fidelity=task.fidelity)
    return replace(result, warnings=tuple(find_warnings(result, goal_is_asked=task.goal_is_asked)))


def _finish(
    parsed: argparse.Namespace, labels: Sequence[str], measurement: Measurement, result: Result
) -> int:
    """Writes the logits, prints or writes the result, and returns the exit code."""
    from pi_bench.cli.output import deliver, write_array
    from pi_bench.report.terminal import render_result

    failures = Failures()
    _add_verification(failures, result)
    with failures.collected():
        if parsed.output is not None:
            write_array(Path(parsed.output), measurement.logits)
    with failures.collected():
        deliver(render_result(result, labels), parsed.json, result)
    if measurement.interruption is not None:
        failures.add_interruption(measurement.interruption, len(measurement.runs), parsed.runs, "runs")
    return failures.report()


def _add_verification(failures: Failures, result: Result) -> None:
    if result.verification.passed:
        return
    found = result.verification.failures
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    failures.add(VerificationError.exit_code, f"verification failed: {found[0]}{more}")
