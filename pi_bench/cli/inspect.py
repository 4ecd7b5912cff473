"""`pi-bench inspect`: the public program of a model and what it will cost."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pi_bench.cli import arguments, options, prediction, protocol_options
from pi_bench.cli.output import add_json


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "inspect",
        help="print a model's public program and what it will cost",
        description="Prints operators, shapes, scales, calibrated ranges, windows, ReLUs, truncations "
        "without ReLU, parameters and multiply-accumulates by operator and by resolution, which layers are "
        "merged or why not, and the predicted bytes and times of each phase over a link. Runs nothing of "
        "the model.",
    )
    options.add_model(parser)
    protocol_options.add_protocol(parser)
    options.add_compile(parser)
    options.add_batch(parser, "default 1")
    options.add_link(parser, "to predict for (default: loopback)")
    options.add_threads(parser, "default: half of the cores")
    options.add_weight_cache(parser)
    prediction.add_prediction(parser)
    add_json(parser, "inspection")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Raises: PiBenchError."""
    from pi_bench.cli.output import deliver, writable
    from pi_bench.cli.progress import Progress
    from pi_bench.launch import placement

    writable(parsed.json)
    place = placement.place(parsed.threads)
    info, settings = protocol_options.protocol_of(parsed, place.threads)
    options.require_torch("inspect")

    from msgspec.structs import replace

    from pi_bench.launch.model import load
    from pi_bench.prediction.simulated_run import Setting
    from pi_bench.report.inspection import inspect_program, render_inspection
    from pi_bench.report.weights import weights_of

    compiling = options.compile_options(parsed)
    model = load(Path(parsed.model), compiling, merge=parsed.merge)
    info.require(model.program, settings)
    weights = weights_of(model.graph.meta)
    inspection = inspect_program(
        model.program, model.digest, info, settings, model.merging, weights, arguments.as_fields(parsed)
    )
    with Progress() as progress:
        costs = prediction.costs_of(parsed, info, place.threads, progress)
    if costs is not None:
        setting = Setting(costs, parsed.link, polls=place.pinned)
        predicted, explanation = prediction.predict(
            model, compiling, info, settings, setting, explain=parsed.explain
        )
        inspection = replace(inspection, prediction=predicted, explanation=explanation)
    deliver(render_inspection(inspection), parsed.json, inspection)
    return 0
