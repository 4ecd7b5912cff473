"""The culling order from the accuracies of the one-stage networks, and its table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from ..criticality import StageAccuracy, criticality, culling_order
from ..recipe import Recipe
from ..training.training_files import write_whole
from .job import JobOutcome
from .objective import TimeObjective

TABLE_FILE = "criticality.csv"


def order_of(
    single: Mapping[int, Recipe],
    plain: Mapping[int, JobOutcome],
    taught: Mapping[int, JobOutcome],
    root: Path,
    objective: TimeObjective | None = None,
) -> tuple[int, ...]:
    """Returns the stages from least to most critical (equation 1), and writes criticality.csv to `root`.

    Accuracies are those of the distilled networks on the validation images, so that test images decide
    nothing. Without validation images they are those on the test images, as in the paper. A stage whose
    network diverged gets the accuracy of guessing.

    Args:
        single: by stage, the network that has ReLUs in this stage only.
        plain: by stage, its training without distillation, which only the table shows.
        taught: by stage, its training with distillation.
        objective: predicts the time by which an accuracy is divided. With None, ReLUs divide it.

    Raises:
        OutputError: The table cannot be written.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.criticality import only_stage
    >>> from pi_bench.models.reduction.job import Job
    >>> base = load_recipe("resnet18-cifar100-557056")
    >>> single = {stage: only_stage(base, stage) for stage in (1, 2)}
    >>> def outcome(accuracy):
    ...     result = {"validation_accuracy_pct": accuracy, "test_accuracy_pct": 0.0}
    ...     return JobOutcome(Job("train", "s", "/tmp/s", {}), result)
    >>> trained = {1: outcome(68.79), 2: outcome(59.85)}
    >>> with tempfile.TemporaryDirectory() as name:
    ...     order_of(single, trained, trained, Path(name))
    (2, 1)
    """
    accuracies = {stage: _accuracy(taught[stage]) for stage in single}
    entries = [
        StageAccuracy(
            stage,
            recipe.relu_count,
            _or_chance(accuracies[stage], recipe.class_count),
            objective.of_recipe(recipe).of(objective.name) if objective else None,
        )
        for stage, recipe in single.items()
    ]
    values = criticality(entries)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        (
            "stage",
            "relu_count",
            "accuracy_without_kd_pct",
            "accuracy_with_kd_pct",
            "criticality",
            "failure",
            "predicted_s",
        )
    )
    for entry in entries:
        measured = [_accuracy(plain[entry.stage]), accuracies[entry.stage]]
        writer.writerow(
            (
                entry.stage,
                entry.relu_count,
                *("" if accuracy is None else f"{accuracy:.4f}" for accuracy in measured),
                f"{values[entry.stage]:.4f}",
                taught[entry.stage].failure,
                "" if entry.time_s is None else f"{entry.time_s:.6g}",
            )
        )
    write_whole(root / TABLE_FILE, text.getvalue().encode())
    return culling_order(entries)


def _accuracy(outcome: JobOutcome) -> float | None:
    if outcome.result is None:
        return None
    validation = outcome.result["validation_accuracy_pct"]
    return float(outcome.result["test_accuracy_pct"] if validation is None else validation)


def _or_chance(accuracy: float | None, class_count: int) -> float:
    return 100 / class_count if accuracy is None else accuracy
