"""Fidelity as a part of documents, in words, and in warnings."""

from __future__ import annotations

import math

from pi_bench.fidelity import Fidelity, FidelityGoal
from pi_bench.fidelity.fidelity import EXAMPLE, MIN_SAMPLES, NOISE
from pi_bench.report.documents import fidelity as document
from pi_bench.report.quantities import counted

_UNKNOWN = (
    "the model file does not say how closely its integer network follows the float one, as files of older "
    "versions do not; export it again to measure that, or compare them with `pi-bench accuracy`"
)
_OTHER_PROGRAM = (
    "the model file's fidelity is that of another program, with other bits, without fusion or for a more "
    "accurate mode; measure this one with `pi-bench accuracy`, or leave out these options"
)


def fidelity_part(fidelity: Fidelity, *, of_this_program: bool) -> document.Fidelity:
    """Describes a fidelity for a document.

    Args:
        of_this_program: whether it is that of the program which runs.

    >>> fidelity_part(Fidelity(4, 3, 0.5, 8.0, "noise"), of_this_program=True).same_class_pct
    75.0
    """
    goal = fidelity.goal or FidelityGoal()
    error_pct = fidelity.logit_error_pct
    return document.Fidelity(
        sample_count=fidelity.sample_count,
        source=fidelity.source,
        same_class_pct=fidelity.same_class_pct,
        same_class_interval_pct=list(fidelity.same_class_interval_pct),
        logit_error=fidelity.logit_error,
        logit_range=fidelity.logit_range,
        logit_error_pct=error_pct if math.isfinite(error_pct) else None,
        goal=document.FidelityGoal(same_class_pct=goal.same_class_pct, logit_error_pct=goal.logit_error_pct),
        goal_is_default=fidelity.goal is None,
        met=fidelity.met,
        of_this_program=of_this_program,
    )


def fidelity_text(fidelity: document.Fidelity) -> str:
    """Writes a fidelity as a sentence without its end.

    >>> print(fidelity_text(fidelity_part(Fidelity(256, 255, 0.05, 10.0, "noise"), of_this_program=True)))
    the integer network agrees with the float one on 99.6 % of 256 inputs of noise (95 % interval 97.8
    to 99.9 %), typical logit error 0.50 % of the logits' range
    """
    low, high = fidelity.same_class_interval_pct
    error = fidelity.logit_error_pct
    size = f"{fidelity.logit_error:.3g}" if error is None else f"{error:.2f} % of the logits' range"
    return (
        f"the integer network agrees with the float one on {fidelity.same_class_pct:.1f} % of "
        f"{_inputs_text(fidelity)} (95 % interval {low:.1f} to {high:.1f} %), typical logit error {size}"
    )


def fidelity_line(fidelity: document.Fidelity | None, weights: str | None) -> str:
    """Writes the words that stand beside the label "fidelity".

    Args:
        weights: as `weights_of` tells.

    >>> fidelity_line(None, "given")
    'not known: the model file does not say it'
    """
    if fidelity is None:
        return "not known: the model file does not say it"
    if not fidelity.of_this_program:
        return f"not known for these bits; with those of the export, {fidelity_text(fidelity)}"
    random = "; the weights are random" if weights == "random" else ""
    return f"{fidelity_text(fidelity)}{random}"


def fidelity_warnings(
    fidelity: document.Fidelity | None, weights: str | None, *, asked: bool = False
) -> list[str]:
    """Lists reasons for doubt about answers, with advice.

    Args:
        asked: true if the user of the model file set the goal. Without that, answers of random weights need
            no such warning.

    >>> [found[:57] for found in fidelity_warnings(None, "given")]
    ['the model file does not say how closely its integer netwo']
    """
    if weights == "random" and not asked:
        return []
    if fidelity is None:
        return [_UNKNOWN]
    if not fidelity.of_this_program:
        return [_OTHER_PROGRAM]
    found = []
    if not fidelity.met:
        goal = fidelity.goal
        kind = "default goal" if fidelity.goal_is_default else "goal"
        better = f"`--fidelity {goal.same_class_pct:g}%`" if asked else "more bits"
        found.append(
            f"the fidelity {kind} is missed: {goal.same_class_pct:g} % of the inputs with the same class and "
            f"a typical logit error of at most {goal.logit_error_pct:g} % were wanted; private answers and "
            f"their latency are those of a less accurate network; export again with {better}, or with more "
            "calibration inputs"
        )
    elif fidelity.sample_count < MIN_SAMPLES and fidelity.source not in (NOISE, EXAMPLE):
        found.append(
            f"fidelity was measured on {counted(fidelity.sample_count, 'calibration input')}, which cannot "
            f"show {fidelity.goal.same_class_pct:g} %: export again with {2 * MIN_SAMPLES} or more, half "
            "of which are held out"
        )
    if fidelity.source in (NOISE, EXAMPLE):
        kind = "noise" if fidelity.source == NOISE else "an example input"
        found.append(
            f"fidelity was measured on {kind}, which says little about real inputs: export again with some "
            "dozens of real inputs as calibration"
        )
    return found


def _inputs_text(fidelity: document.Fidelity) -> str:
    count, source = fidelity.sample_count, fidelity.source
    if source == NOISE:
        return f"{counted(count, 'input')} of noise"
    kind = source.removesuffix("s")
    return counted(count, kind)
