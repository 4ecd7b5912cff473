"""`pi-bench accuracy`: compares float, integer and private answers over a data set."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from pi_bench.cli import (
    arguments,
    history_option,
    layer_options,
    measuring_options,
    model_options,
    prediction,
    protocol_options,
    training_options,
)
from pi_bench.cli.failures import Failures
from pi_bench.cli.output import add_json
from pi_bench.errors import VerificationError, interruption_code
from pi_bench.report.error_table import COLUMNS, require_columns

if TYPE_CHECKING:
    from pi_bench.launch.accuracy_findings import AccuracyFindings
    from pi_bench.launch.accuracy_task import AccuracyTask
    from pi_bench.launch.placement import Placement
    from pi_bench.progress import Progress
    from pi_bench.protocol import ProtocolInfo, ProtocolOptions
    from pi_bench.report.documents.accuracy import Accuracy

_DESCRIPTION = """\
Compares the float network, the integer network and real private runs on the same images. Prints their
accuracy and agreement, the error of each layer, and how many values left their windows. The integer network
answers all images by the law of --mode. Two real parties answer a sample, and each run is verified.
"""
_EPILOG = """\
examples:
  pi-bench accuracy trained/model.pt --data digits
  pi-bench accuracy model.pt --data images.npz --mode exact       images and labels in one file
  pi-bench accuracy model.pt --data x.npy --labels y.npy --weight-bits 8
  pi-bench accuracy model.pt --data cifar10 --mode truncated-sign --sign-drop 4
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["accuracy", "model.pt", "--data", "digits"]).private_sample
    8
    """
    parser = subparsers.add_parser(
        "accuracy",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    model_options.add_model(parser)
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        required=True,
        metavar="WHAT",
        help="images to answer: the name of a data set (docs/training.md) for its test images, a .npz of "
        "images and labels, or a .npy of images",
    )
    data.add_argument("--labels", metavar="FILE.npy", help="classes of the images in --data FILE.npy")
    data.add_argument(
        "--limit",
        type=arguments.positive_int,
        metavar="N",
        help="use at most N images, evenly spread (default: all)",
    )
    training_options.add_archive(data)
    protocol_options.add_protocol(parser)
    measuring_options.add_options(parser.add_argument_group("fixed point"), "accuracy", "fixed point")
    running = parser.add_argument_group("private runs")
    running.add_argument(
        "--private-sample",
        type=arguments.count,
        default=8,
        metavar="N",
        help="number of images that two real parties answer, evenly spread; 0 leaves this out (default 8)",
    )
    measuring_options.add_options(running, "accuracy", "measuring")
    running.add_argument(
        "--no-remedies",
        action="store_true",
        help="leave out the runs of the integer network with one more bit in each of some layers",
    )
    prediction.add_costs(parser)
    layer_options.add_layers(parser.add_argument_group("text"), COLUMNS)
    add_json(parser, "accuracy")
    history_option.add_history(parser)
    parser.set_defaults(run=run, batch=None)


def run(parsed: argparse.Namespace) -> int:
    """Compares the float, integer and private answers, and prints or writes the result. Returns the exit
    code.

    Raises:
        PiBenchError: the model, the data or an option cannot be used, or a party failed.

    ```python
    from pi_bench.cli import main

    def compare_answers(model_file: str) -> int:
        return main(["accuracy", model_file, "--data", "digits", "--limit", "100"])
    ```
    """
    from pi_bench.cli.output import writable
    from pi_bench.cli.progress import Progress
    from pi_bench.cli.warnings import warn_of_protocol
    from pi_bench.launch import placement

    writable(parsed.json, parsed)
    require_columns(parsed.columns)
    history_option.require_history(parsed)
    place = placement.place(parsed.threads)
    info, options = protocol_options.protocol_of(parsed, place.threads)
    warn_of_protocol(info)
    with Progress() as progress:
        task = _task(parsed, info, options, place, progress)
        findings = _find(parsed, task, progress)
    return _finish(parsed, task, findings)


def _task(
    parsed: argparse.Namespace,
    info: ProtocolInfo,
    options: ProtocolOptions,
    place: Placement,
    progress: Progress,
) -> AccuracyTask:
    """Reads the network and the images."""
    from pi_bench.cli.evaluation_data import samples_of
    from pi_bench.launch.accuracy_task import AccuracyTask
    from pi_bench.network.compiler import compile_graph
    from pi_bench.network.files.model_file import load_model
    from pi_bench.network.fusion import fuse_linear

    graph = load_model(parsed.model)
    asked = measuring_options.options_of(parsed)
    compiling, fusing = asked.compile_options(graph, batch=1), asked.fusion_costs
    if fusing is not None:
        graph, _ = fuse_linear(graph, compiling.most_weight_bits, fusing)
    program, _ = compile_graph(graph, compiling)
    info.require(program, options)
    return AccuracyTask(graph, compiling, program, info, options, samples_of(parsed, graph, progress), place)


def _find(parsed: argparse.Namespace, task: AccuracyTask, progress: Progress) -> AccuracyFindings:
    """Compares the answers, part by part. An interruption ends the parts with the images that are finished.

    Raises:
        KeyboardInterrupt: no image is finished.
    """
    from pi_bench.launch.accuracy import compare
    from pi_bench.launch.accuracy_findings import AccuracyFindings
    from pi_bench.launch.private_accuracy import run_privately
    from pi_bench.launch.remedies import find_remedies
    from pi_bench.launch.samples import evenly_spread
    from pi_bench.metrics.machine_use import MachineUse, MachineWatch
    from pi_bench.prediction.simulated_run import Setting

    threads = task.place.threads
    comparison = compare(task.graph, task.compiling, task.law, threads, task.samples.inputs, progress)
    private, remedies, interruption, use = None, None, comparison.interruption, MachineUse()
    try:
        if parsed.private_sample and interruption is None:
            index = evenly_spread(comparison.floats.index, parsed.private_sample)
            with MachineWatch() as watch:
                private = run_privately(task, index, parsed.timeout, progress)
            use = watch.use
            interruption = private.interruption
        if not parsed.no_remedies and interruption is None:
            costs = prediction.costs_of(parsed, task.info, threads, progress)
            setting = None if costs is None else Setting(costs, polls=task.place.pinned)
            remedies = find_remedies(task, comparison, setting, progress)
    except KeyboardInterrupt as error:
        interruption = interruption_code(error)
    return AccuracyFindings(comparison, private, remedies, interruption, use)


def _finish(parsed: argparse.Namespace, task: AccuracyTask, findings: AccuracyFindings) -> int:
    """Prints or writes the findings, and returns the exit code."""
    from pi_bench.cli.output import deliver
    from pi_bench.report.accuracy import build_accuracy
    from pi_bench.report.accuracy_text import render_accuracy

    result = build_accuracy(task, findings, arguments.as_fields(parsed))
    failures = Failures()
    _add_verification(failures, result)
    with failures.collected():
        deliver(
            render_accuracy(result, layer_options.shown_of(parsed)),
            parsed.json,
            result,
            keep=partial(history_option.keep, parsed),
        )
    if findings.interruption is not None:
        _add_interruption(failures, findings.interruption, parsed.private_sample, task, findings)
    return failures.report()


def _add_interruption(
    failures: Failures, exit_code: int, wanted_private: int, task: AccuracyTask, findings: AccuracyFindings
) -> None:
    comparison, private = findings.comparison, findings.private
    compared = len(comparison.floats.index)
    if comparison.interruption is not None:
        wanted = len(task.samples.inputs) - len(comparison.refused)
        failures.add_interruption(exit_code, compared, wanted, "images")
    else:
        done = 0 if private is None else len(private.answers.index)
        failures.add_interruption(exit_code, done, min(wanted_private, compared), "private images")


def _add_verification(failures: Failures, result: Accuracy) -> None:
    private = result.private
    if private is not None and not private.verified:
        failures.add(VerificationError.exit_code, f"verification failed: {private.failures[0]}")
