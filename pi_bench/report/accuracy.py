"""What `pi-bench accuracy` found, as a document and as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from pi_bench.launch.accuracy import Comparison
from pi_bench.launch.accuracy_layers import LayerError
from pi_bench.launch.private_accuracy import PrivateAnswers
from pi_bench.launch.remedies import Remedy
from pi_bench.launch.samples import Samples
from pi_bench.network.compiler import CompileOptions
from pi_bench.network.program import Program
from pi_bench.protocol import ProtocolInfo, ProtocolOptions
from pi_bench.report.accuracy_warnings import find_accuracy_warnings
from pi_bench.report.bits import bits_part, bits_words
from pi_bench.report.documents import accuracy as document
from pi_bench.report.documents.fields import Weights
from pi_bench.report.quantities import counted
from pi_bench.report.remedies import remedies_lines, remedies_part
from pi_bench.report.scores import at, scores, share_pct
from pi_bench.report.settings import mode_words
from pi_bench.report.text_table import render_table
from pi_bench.report.weights import weights_words


def build_accuracy(
    program: Program,
    digest: str,
    compiling: CompileOptions,
    info: ProtocolInfo,
    options: ProtocolOptions,
    samples: Samples,
    comparison: Comparison,
    private: PrivateAnswers | None,
    weights: Weights,
    arguments: dict[str, Any],
    interruption: int | None = None,
    remedies: Sequence[Remedy] | None = None,
) -> document.Accuracy:
    """Scores the answers and collects the errors of the layers.

    digest: that of the program for one image. weights: as `weights_of` tells. interruption: the exit code,
    where Ctrl-C or SIGTERM left images out of both phases or of the private one.

    ```python
    def same_class_pct(*measured: Any) -> float:  # what `compare` and `run_privately` returned
        return build_accuracy(*measured).integer.same_class_as_float_pct
    ```
    """
    labels = samples.labels
    layers = [_layer(name, layer) for name, layer in comparison.layers.by_name.items()]
    errors = {layer.name: layer.relative_error for layer in layers if layer.relative_error is not None}
    result = document.Accuracy(
        schema_version=1,
        interrupted=interruption is not None,
        network=document.Network(
            name=program.name, digest=digest, relu_count=program.relu_count, weights=weights
        ),
        protocol=info.name,
        mode=options.mode,
        options=dict(options.values),
        fixed_point=document.FixedPoint(
            weight_bits=compiling.weight_bits,
            activation_bits=compiling.activation_bits,
            headroom_bits=compiling.headroom_bits,
            per_channel=compiling.per_channel,
        ),
        data=document.Data(
            source=samples.source,
            image_count=len(samples.inputs),
            refused_count=len(comparison.refused),
            labelled=labels is not None,
            class_count=samples.class_count,
        ),
        float=document.Answers(**scores(comparison.floats, comparison.floats, labels)),
        integer=document.Answers(**scores(comparison.integers, comparison.floats, labels)),
        baseline=_baseline(comparison, labels),
        private=None if private is None else _private(private, comparison, labels),
        output_count=int(comparison.floats.logits.shape[1]),
        worst_layer=max(errors, key=lambda name: errors[name], default=None),
        layers=layers,
        arguments=arguments,
        bits=bits_part(program, compiling),
        remedies=None if remedies is None else remedies_part(remedies, comparison.floats),
    )
    return msgspec.structs.replace(result, warnings=tuple(find_accuracy_warnings(result)))


def render_accuracy(result: document.Accuracy) -> str:
    """Writes the comparison as text: answers, private runs, layers, warnings.

    ```python
    def show(path: str) -> None:  # a file of --json
        with open(path, "rb") as file:
            result = msgspec.json.decode(file.read(), type=document.Accuracy)
        print(render_accuracy(result))
    ```
    """
    data, fixed, private = result.data, result.fixed_point, result.private
    scales = "per-channel" if fixed.per_channel else "per-tensor"
    rows = [_row("float", result.float), _row(f"integer, {result.mode}", result.integer)]
    if result.baseline is not None:
        rows.append(_row(f"integer, {result.baseline.law}", result.baseline))
    if private is not None:
        if private.image_count < result.integer.image_count:
            rows.append(_row("float, the private images", private.same_images.float))
            rows.append(_row("integer, the private images", private.same_images.integer))
        rows.append(_row(f"private, {result.protocol}", private))
    lines = [
        f"{result.network.name}: {counted(data.image_count, 'image')} of {data.source}, "
        f"{data.refused_count:,} refused",
        f"{mode_words(result.mode, result.options)}; {weights_words(result.network.weights)}, "
        f"{scales} scales, "
        f"{_bits(result)}, headroom {fixed.headroom_bits:g} bits",
        "",
        *render_table(
            (
                *("answers", "images", "accuracy", "95 % interval", "same class as float", "its interval"),
                *("typical logit error", "largest"),
            ),
            rows,
            drop=("largest", "its interval", "typical logit error", "same class as float"),
        ),
    ]
    if private is not None:
        state = "verified" if private.verified else "NOT VERIFIED"
        lines.append(
            f"private runs {state}; same class as the integer network in "
            f"{_percent(private.same_class_as_integer_pct)} of them"
        )
    header = ("layer", "operator", "error", "largest error", "headroom", "outside", "zeroed")
    lines += [
        "",
        *render_table(header, [_layer_row(layer) for layer in result.layers], left=2, drop=("operator",)),
    ]
    lines += [
        "",
        "error: root mean square of the errors, divided by that of the float values",
        "headroom: bits between the largest value and the end of the window; outside: values beyond that end",
        "zeroed: values that this mode turns into 0 where a more accurate mode of the protocol keeps them",
        f"worst layer: {result.worst_layer or '-'}",
    ]
    if result.remedies is not None:
        lines += ["", *remedies_lines(result.remedies)]
    lines += [f"\nwarning: {warning}" for warning in result.warnings]
    return "\n".join(lines)


def _baseline(comparison: Comparison, labels: np.ndarray | None) -> document.BaselineAnswers | None:
    """Scores the answers under the law that the mode's own law approximates, if there is one."""
    law = comparison.law.baseline
    if law is None or comparison.baseline is None:
        return None
    return document.BaselineAnswers(law=law.name, **scores(comparison.baseline, comparison.floats, labels))


def _private(
    private: PrivateAnswers, comparison: Comparison, labels: np.ndarray | None
) -> document.PrivateAnswers:
    answers, floats = private.answers, comparison.floats
    integers = comparison.integers.logits[np.searchsorted(comparison.integers.index, answers.index)]
    return document.PrivateAnswers(
        **scores(answers, floats, labels),
        same_images=document.SameImages(
            float=document.Answers(**scores(at(floats, answers.index), floats, labels)),
            integer=document.Answers(**scores(at(comparison.integers, answers.index), floats, labels)),
        ),
        same_class_as_integer_pct=share_pct(answers.logits.argmax(axis=1) == integers.argmax(axis=1)),
        largest_difference_from_integer=float(np.abs(answers.logits - integers).max()),
        verified=not private.failures,
        failures=list(private.failures),
    )


def _layer(name: str, layer: LayerError) -> document.LayerErrors:
    error = layer.relative_error
    return document.LayerErrors(
        name=name,
        operator=layer.operator,
        relative_error=error if error is None or math.isfinite(error) else 1e300,
        largest_error=layer.largest_error if layer.compared_count else None,
        largest_value=layer.largest_float if layer.compared_count else None,
        room_bits=layer.room_bits,
        outside_count=layer.outside_count,
        zeroed_count=layer.zeroed_count,
    )


def _row(name: str, answers: document.Answers) -> tuple[str, ...]:
    own = name.startswith("float")
    error_pct = answers.typical_logit_error_pct
    return (
        name,
        f"{answers.image_count:,}",
        _percent(answers.accuracy_pct),
        _interval(answers.accuracy_interval_pct),
        "-" if own else _percent(answers.same_class_as_float_pct),
        _interval(None if own else answers.same_class_interval_pct),
        "-" if own or error_pct is None else f"{error_pct:.2g} % of range",
        "-" if own else f"{answers.largest_logit_error:.4g}",
    )


def _layer_row(layer: document.LayerErrors) -> tuple[str, ...]:
    return (
        layer.name,
        layer.operator,
        "-" if layer.relative_error is None else f"{100 * layer.relative_error:.3f} %",
        "-" if layer.largest_error is None else f"{layer.largest_error:.4g}",
        f"{layer.room_bits:.2f}",
        f"{layer.outside_count:,}" if layer.outside_count else "-",
        f"{layer.zeroed_count:,}" if layer.zeroed_count else "-",
    )


def _bits(result: document.Accuracy) -> str:
    fixed = result.fixed_point
    if result.bits is None:
        return f"activation bits {fixed.activation_bits}, weight bits {fixed.weight_bits}"
    return bits_words(result.bits)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} %"


def _interval(bounds: Sequence[float] | None) -> str:
    return "-" if bounds is None else f"{bounds[0]:.1f} to {bounds[1]:.1f} %"
