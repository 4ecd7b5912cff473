"""`pi-bench inspect`: prints the public program of a model and predicts its cost."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pi_bench.cli import (
    arguments,
    layer_options,
    measuring_options,
    model_options,
    prediction,
    protocol_options,
)
from pi_bench.cli.output import add_json
from pi_bench.report.operator_table import COLUMNS, require_columns


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["inspect", "model.pt", "--batch", "4"]).batch
    4
    """
    parser = subparsers.add_parser(
        "inspect",
        description="Prints the public program: operators, shapes, scales, calibrated ranges, windows, and "
        "the numbers of ReLUs, truncations without ReLU, weights and multiply-accumulates, "
        "by operator and by resolution. Says which linear layers are fused, and why others are not. "
        "Predicts the bytes and times of each phase over a link. The model is not run.",
    )
    model_options.add_model(parser)
    protocol_options.add_protocol(parser)
    measuring_options.add_options(parser.add_argument_group("fixed point"), "inspect", "fixed point")
    measuring_options.add_options(parser, "inspect", "measuring")
    measuring_options.add_options(prediction.add_costs(parser), "inspect", "prediction")
    layer_options.add_layers(parser.add_argument_group("text"), COLUMNS)
    add_json(parser, "inspection")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Prints or writes the inspection of a model, with a prediction of its cost. Returns the exit code.

    Raises:
        PiBenchError: the model or an option cannot be used, or the costs of this machine cannot be measured.

    ```python
    from pi_bench.cli import main

    def inspect(model_file: str) -> int:
        return main(["inspect", model_file, "--link", "wan", "--explain"])
    ```
    """
    from pi_bench.cli.output import deliver, writable
    from pi_bench.cli.progress import Progress
    from pi_bench.launch import placement

    writable(parsed.json, parsed)
    require_columns(parsed.columns)
    place = placement.place(parsed.threads)
    info, options = protocol_options.protocol_of(parsed, place.threads)

    from pi_bench.launch.model import load
    from pi_bench.prediction.simulated_run import Setting
    from pi_bench.report.inspection import render_inspection
    from pi_bench.tasks.inspecting import inspect_model

    asked = measuring_options.options_of(parsed)
    model = load(Path(parsed.model), asked.compiling(), fuse=asked.fusion_costs)
    options = info.settle(model.program, options, parsed.link)
    info.require(model.program, options)  # before costs are measured
    with Progress() as progress:
        costs = prediction.costs_of(parsed, info, place.threads, progress)
    setting = None if costs is None else Setting(costs, parsed.link, polls=place.pinned)
    given = arguments.as_fields(parsed)
    inspection = inspect_model(model, info, options, setting, given, explain=parsed.explain)
    deliver(render_inspection(inspection, layer_options.shown_of(parsed)), parsed.json, inspection)
    return 0
