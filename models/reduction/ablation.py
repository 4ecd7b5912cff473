"""Which stages matter: from the accuracies of the one-stage networks to the culling order, and its table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from ..criticality import StageAccuracy, criticality, culling_order
from ..recipe import Recipe
from ..training.files import write_whole
from .job import Outcome

TABLE_FILE = "criticality.csv"


def order_of(
    single: Mapping[int, Recipe], plain: Mapping[int, Outcome], taught: Mapping[int, Outcome], root: Path
) -> tuple[int, ...]:
    """The stages from least to most critical (equation 1); writes criticality.csv to `root`.

    The accuracy is that of the distilled networks on the validation images, so that test images steer
    nothing; where there are no validation images, on the test images, as in the paper. A stage whose
    network diverged counts as guessing: no accuracy is to be had from its ReLUs alone.

    Args:
        single: by stage, the network whose only ReLUs are its.
        plain: their trainings without distillation; only the table shows them.
        taught: their trainings with it.

    Raises:
        OutputError: the table cannot be written.
    """
    accuracies = {stage: _accuracy(taught[stage]) for stage in single}
    entries = [
        StageAccuracy(stage, recipe.relu_count, _or_chance(accuracies[stage], recipe.class_count))
        for stage, recipe in single.items()
    ]
    values = criticality(entries)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("stage", "relu_count", "accuracy_without_kd_pct", "accuracy_with_kd_pct", "criticality", "failure")
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
            )
        )
    write_whole(root / TABLE_FILE, text.getvalue().encode())
    return culling_order(entries)


def _accuracy(outcome: Outcome) -> float | None:
    if outcome.result is None:
        return None
    validation = outcome.result["validation_accuracy_pct"]
    return float(outcome.result["test_accuracy_pct"] if validation is None else validation)


def _or_chance(accuracy: float | None, class_count: int) -> float:
    return 100 / class_count if accuracy is None else accuracy
