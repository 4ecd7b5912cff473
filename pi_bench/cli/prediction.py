"""Predictions for `inspect` and `latency`: their flags, the costs that they ask for, what they are made
into."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pi_bench.costs import Costs
    from pi_bench.launch.model import LoadedModel
    from pi_bench.network.compiler import CompileOptions
    from pi_bench.prediction.simulated_run import Setting
    from pi_bench.progress import Progress
    from pi_bench.protocol import ProtocolInfo, ProtocolOptions
    from pi_bench.report.documents.predicted import Explanation, Prediction

COSTS_VARIABLE = "PI_BENCH_COSTS"


def add_prediction(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("prediction")
    group.add_argument(
        "--explain",
        action="store_true",
        help="name the three things that cost most in each phase, and what would change them",
    )
    given = group.add_mutually_exclusive_group()
    given.add_argument(
        "--costs",
        metavar="FILE",
        help="costs of primitives to predict with, as an earlier measurement left them (default: "
        f"${COSTS_VARIABLE}, or those of this machine: measured in a few seconds when they are first needed "
        "and kept in the user's cache)",
    )
    given.add_argument(
        "--measure-costs",
        action="store_true",
        help="measure this machine's costs again: after a change of its hardware or load",
    )


def costs_of(
    parsed: argparse.Namespace, info: ProtocolInfo, threads: int, progress: Progress
) -> Costs | None:
    """None where the protocol has no script to predict from.

    Raises: PiBenchError: the file holds no costs, or not those of the protocol; or the parties cannot run.
    """
    from pi_bench.errors import InputError
    from pi_bench.launch.costs import machine_costs, needed_units
    from pi_bench.prediction.costs_file import read_costs

    if info.script is None:
        return None
    name = parsed.costs or (None if parsed.measure_costs else os.environ.get(COSTS_VARIABLE))
    if name:
        costs = read_costs(Path(name))
        try:  # now, and not after an hour of runs
            costs.require(needed_units(info, threads))
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        return costs
    return machine_costs(info, threads, progress, again=parsed.measure_costs)


def predict(
    model: LoadedModel,
    compiling: CompileOptions,
    info: ProtocolInfo,
    settings: ProtocolOptions,
    setting: Setting,
    *,
    explain: bool,
) -> tuple[Prediction, Explanation | None]:
    """Predicts the network's cost and, if asked to, explains it."""
    from pi_bench.launch.alternatives import alternatives
    from pi_bench.prediction.simulated_run import predict_run
    from pi_bench.report.explanation import explain as explain_run
    from pi_bench.report.prediction import prediction_part

    assert info.script is not None
    script = info.script(model.program, settings)
    run = predict_run(script, setting)
    predicted = prediction_part(model.program, run, setting)
    if not explain:
        return predicted, None
    others = alternatives(model, compiling, info, settings, setting)
    return predicted, explain_run(model.program, script, run, setting, others)
