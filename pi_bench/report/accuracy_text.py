"""Writes the result of `pi-bench accuracy` as text."""

from __future__ import annotations

from collections.abc import Sequence

from pi_bench.report.bits import bits_text
from pi_bench.report.cautions import caution_lines
from pi_bench.report.columns import ALL, Shown
from pi_bench.report.documents import accuracy as document
from pi_bench.report.error_table import error_lines
from pi_bench.report.mode_text import mode_text
from pi_bench.report.quantities import counted, three_digits
from pi_bench.report.remedies import remedies_lines
from pi_bench.report.text_table import render_table
from pi_bench.report.text_width import shortened
from pi_bench.report.weights import weights_text

_NAME_WIDTH = 40


def render_accuracy(result: document.Accuracy, shown: Shown | None = None) -> str:
    """Writes the comparison as text: answers, private runs, layers, warnings.

    Args:
        shown: the layers and columns that the user asks for; None for the layers that lose most.

    Raises:
        UsageError: there is no column of a name in `shown`.

    ```python
    import msgspec

    def show(path: str) -> None:  # a file of --json
        with open(path, "rb") as file:
            result = msgspec.json.decode(file.read(), type=document.Accuracy)
        print(render_accuracy(result))
    ```
    """
    data, fixed, private = result.data, result.fixed_point, result.private
    scales = "per-channel" if fixed.per_channel else "per-tensor"
    rows = [_row("float", result.float), _row(f"integer, {result.mode}", result.integer)]
    if result.approximated_law is not None:
        rows.append(_row(f"integer, {result.approximated_law.law}", result.approximated_law))
    if private is not None:
        if private.image_count < result.integer.image_count:
            rows.append(_row("float, private images", private.same_images.float))
            rows.append(_row("integer, private images", private.same_images.integer))
        rows.append(_row(f"private, {result.protocol}", private))
    name = shortened(result.network.name, _NAME_WIDTH)
    lines = [
        f"{name}: {counted(data.image_count, 'image')} of {data.source}, {data.refused_count:,} refused",
        f"{mode_text(result.mode, result.options)}; {weights_text(result.network.weights)}, "
        f"{scales} scales, "
        f"{_bits(result)}, headroom {counted(fixed.headroom_bits, 'bit')}",
        "",
        *render_table(
            (
                *("answers", "images", "accuracy", "95 % interval", "same class as float", "its interval"),
                *("typical logit error", "largest"),
            ),
            rows,
            whole=(0,),
            drop=("largest", "its interval", "typical logit error", "same class as float"),
        ),
    ]
    if private is not None:
        state = "verified" if private.verified else "NOT VERIFIED"
        lines.append(
            f"private runs {state}; same class as the integer network in "
            f"{_percent(private.same_class_as_integer_pct)} of them"
        )
    shown = shown or Shown()
    lines += ["", *error_lines(result.layers, shown)]
    if shown.layers == ALL and result.worst_layer is not None:  # else the table starts with it
        lines.append(f"largest error: layer {result.worst_layer!r}")
    if result.remedies is not None:
        lines += ["", *remedies_lines(result.remedies)]
    lines += [f"\nwarning: {warning}" for warning in result.warnings]
    lines += ["", *caution_lines(result.cautions)] if result.cautions else []
    return "\n".join(lines)


def _row(name: str, answers: document.AnswerScores) -> tuple[str, ...]:
    own = name.startswith("float")
    error_pct = answers.typical_logit_error_pct
    return (
        name,
        f"{answers.image_count:,}",
        _percent(answers.accuracy_pct),
        _interval(answers.accuracy_interval_pct),
        "-" if own else _percent(answers.same_class_as_float_pct),
        _interval(None if own else answers.same_class_interval_pct),
        "-" if own or error_pct is None else f"{error_pct:.2f} % of range",
        "-" if own else three_digits(answers.largest_logit_error),
    )


def _bits(result: document.Accuracy) -> str:
    fixed = result.fixed_point
    if result.bits is None:
        return f"activation bits {fixed.activation_bits}, weight bits {fixed.weight_bits}"
    return bits_text(result.bits)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} %"


def _interval(bounds: Sequence[float] | None) -> str:
    return "-" if bounds is None else f"{bounds[0]:.1f} to {bounds[1]:.1f} %"
