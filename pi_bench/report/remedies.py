"""The bits that would improve an integer network's answers, as a part of a document and as text."""

from __future__ import annotations

from collections.abc import Sequence

from pi_bench.launch.remedies import Remedy
from pi_bench.launch.samples import Answers
from pi_bench.report.documents import accuracy as document
from pi_bench.report.quantities import counted, percent, seconds, three_digits
from pi_bench.report.scores import scores
from pi_bench.report.text_table import render_table


def remedies_part(found: Sequence[Remedy], floats: Answers) -> document.Remedies:
    """Scores remedies, of which the first is the network as it is.

    Args:
        floats: the float network's answers.

    ```python
    def best(found: Sequence[Remedy], floats: Answers) -> str:
        return remedies_part(found, floats).remedies[0].change
    ```
    """
    unchanged, *rest = (_remedy(remedy, floats) for remedy in found)
    return document.Remedies(
        image_count=len(found[0].answers.index),
        unchanged=unchanged,
        remedies=sorted(rest, key=lambda remedy: remedy.rms_logit_error),
    )


def remedies_lines(part: document.Remedies) -> list[str]:
    """Writes the layers that lose most, the part of the errors that each causes, and the cost of a bit there.

    ```python
    def show(result: document.Accuracy) -> None:
        if result.remedies is not None:
            print(*remedies_lines(result.remedies), sep="\\n")
    ```
    """
    now = part.unchanged
    header = ("one more bit in", "same class", "logit error", "rms", "predicted online", "causes")
    rows = [_row(remedy, now) for remedy in (now, *part.remedies)]
    return [
        "one more bit in one place, measured with the integer network on "
        f"{counted(part.image_count, 'image')}",
        *render_table(header, rows, drop=("rms",), whole=(0,)),
        "same class: as the float network; logit error: the typical one, in percent of the logits' range; "
        "causes: the part of the errors' variance that this layer causes",
        *(
            []
            if any(_causes(remedy, now) >= _MUCH for remedy in part.remedies)
            else ["no single layer loses much"]
        ),
    ]


def _remedy(remedy: Remedy, floats: Answers) -> document.Remedy:
    found = scores(remedy.answers, floats, None)
    return document.Remedy(
        change=remedy.change,
        layer=remedy.layer,
        same_class_as_float_pct=found["same_class_as_float_pct"],
        typical_logit_error_pct=found["typical_logit_error_pct"],
        rms_logit_error=found["rms_logit_error"],
        predicted_online_s=remedy.online_s,
    )


def _causes(remedy: document.Remedy, now: document.Remedy) -> float:
    """Returns the part of the errors' variance that a layer causes; 0 for several layers together.

    One more bit takes three quarters of a layer's own variance away.
    """
    if remedy.layer is None or now.rms_logit_error <= 0:
        return 0.0
    saved = 1 - (remedy.rms_logit_error / now.rms_logit_error) ** 2
    return min(max(saved / _VARIANCE_PER_BIT, 0.0), 1.0)


_MUCH = 0.05
_VARIANCE_PER_BIT = 0.75


def _row(remedy: document.Remedy, now: document.Remedy) -> tuple[str, ...]:
    error, online = remedy.typical_logit_error_pct, "-"
    if remedy.predicted_online_s is not None:
        online = seconds(remedy.predicted_online_s)
        if remedy is not now and now.predicted_online_s:
            online += f" ({100 * (remedy.predicted_online_s / now.predicted_online_s - 1):+.1f} %)"
    return (
        "nothing (as it is)" if remedy is now else remedy.change.removeprefix("one more bit in "),
        f"{remedy.same_class_as_float_pct:.2f} %",
        "-" if error is None else f"{error:.2f} %",
        three_digits(remedy.rms_logit_error),
        online,
        "-" if remedy.layer is None else percent(_causes(remedy, now)),
    )
