"""Scores of answers: how many are right, and how close they are to those of the float network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pi_bench.fidelity.interval import wilson_interval_pct
from pi_bench.fidelity.logits import compare_logits
from pi_bench.launch.samples import Answers


def scores(answers: Answers, floats: Answers, labels: np.ndarray | None) -> dict[str, Any]:
    """Computes the fields of `pi_bench.report.documents.accuracy.AnswerScores`.

    Args:
        floats: the float network's answers, at least to the images of `answers`.
        labels: classes of all images.

    >>> floats = Answers(np.array([0, 1]), np.array([[0.0, 4.0], [4.0, 0.0]]))
    >>> found = scores(at(floats, np.array([1])), floats, np.array([1, 1]))
    >>> found["accuracy_pct"], found["same_class_as_float_pct"], found["typical_logit_error_pct"]
    (0.0, 100.0, 0.0)
    """
    reference = at(floats, answers.index).logits
    errors = np.abs(answers.logits - reference)
    fidelity = compare_logits(reference, answers.logits, source="")
    hits = None if labels is None else answers.logits.argmax(axis=1) == labels[answers.index]
    error_pct = fidelity.logit_error_pct
    return {
        "image_count": len(answers.index),
        "accuracy_pct": None if hits is None else true_pct(hits),
        "accuracy_interval_pct": None if hits is None else interval_pct(hits),
        "same_class_as_float_pct": fidelity.same_class_pct,
        "same_class_interval_pct": list(fidelity.same_class_interval_pct),
        "typical_logit_error_pct": error_pct if math.isfinite(error_pct) else None,
        "largest_logit_error": float(errors.max()),
        "rms_logit_error": float(np.sqrt(np.mean(errors**2))),
    }


def at(answers: Answers, index: np.ndarray) -> Answers:
    """Selects the answers to the images numbered `index`, each of which was answered.

    >>> at(Answers(np.array([2, 5]), np.array([[1.0], [2.0]])), np.array([5])).logits
    array([[2.]])
    """
    return Answers(index, answers.logits[np.searchsorted(answers.index, index)])


def true_pct(hits: np.ndarray) -> float:
    """Computes the fraction of true values, in percent.

    >>> true_pct(np.array([True, False]))
    50.0
    """
    return 100 * float(np.mean(hits))


def interval_pct(hits: np.ndarray) -> list[float]:
    """Computes Wilson's interval of 95 % for `true_pct`.

    >>> [round(bound) for bound in interval_pct(np.array([True] * 7 + [False]))]
    [53, 98]
    """
    return list(wilson_interval_pct(int(np.count_nonzero(hits)), len(hits)))
