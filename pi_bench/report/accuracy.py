"""Collects the findings of `pi-bench accuracy` in a document."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from pi_bench.launch.accuracy import Comparison
from pi_bench.launch.accuracy_findings import AccuracyFindings
from pi_bench.launch.accuracy_layers import LayerError
from pi_bench.launch.accuracy_task import AccuracyTask
from pi_bench.launch.private_accuracy import PrivateAnswers
from pi_bench.metrics.environment import describe_environment
from pi_bench.network.program.codec import program_digest
from pi_bench.report.accuracy_warnings import find_accuracy_warnings
from pi_bench.report.bits import bits_part
from pi_bench.report.cautions import machine_cautions
from pi_bench.report.documents import accuracy as document
from pi_bench.report.documents.fields import Machine
from pi_bench.report.remedies import remedies_part
from pi_bench.report.scores import at, scores, true_pct
from pi_bench.report.weights import weights_of


def build_accuracy(
    task: AccuracyTask, findings: AccuracyFindings, arguments: dict[str, Any]
) -> document.Accuracy:
    """Scores the answers and collects the errors of the layers.

    Args:
        arguments: those of the command.

    ```python
    def same_class_pct(task: AccuracyTask, findings: AccuracyFindings) -> float:
        return build_accuracy(task, findings, arguments={}).integer.same_class_as_float_pct
    ```
    """
    program, compiling, options, samples = task.program, task.compiling, task.options, task.samples
    comparison, private, remedies = findings.comparison, findings.private, findings.remedies
    labels = samples.labels
    layers = [_layer(name, layer) for name, layer in comparison.layers.by_name.items()]
    errors = {layer.name: layer.relative_error for layer in layers if layer.relative_error is not None}
    result = document.Accuracy(
        schema_version=2,
        interrupted=findings.interruption is not None,
        network=document.ProgramIdentity(
            name=program.name,
            digest=program_digest(program),
            relu_count=program.relu_count,
            weights=weights_of(task.graph.meta),
        ),
        protocol=task.info.name,
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
            labeled=labels is not None,
            class_count=samples.class_count,
        ),
        float=document.AnswerScores(**scores(comparison.floats, comparison.floats, labels)),
        integer=document.AnswerScores(**scores(comparison.integers, comparison.floats, labels)),
        approximated_law=_approximated(comparison, labels),
        private=None if private is None else _private(private, comparison, labels),
        output_count=int(comparison.floats.logits.shape[1]),
        worst_layer=max(errors, key=lambda name: errors[name], default=None),
        layers=layers,
        arguments=arguments,
        environment=Machine(**describe_environment()),
        bits=bits_part(program, compiling),
        remedies=None if remedies is None else remedies_part(remedies, comparison.floats),
    )
    return msgspec.structs.replace(
        result,
        warnings=tuple(find_accuracy_warnings(result)),
        cautions=tuple(machine_cautions(findings.machine_use)),
    )


def _approximated(comparison: Comparison, labels: np.ndarray | None) -> document.ApproximatedScores | None:
    """Scores the answers under the law that the mode's own law approximates, if there is one."""
    law = comparison.law.approximated
    if law is None or comparison.approximated is None:
        return None
    return document.ApproximatedScores(
        law=law.name, **scores(comparison.approximated, comparison.floats, labels)
    )


def _private(
    private: PrivateAnswers, comparison: Comparison, labels: np.ndarray | None
) -> document.PrivateScores:
    answers, floats = private.answers, comparison.floats
    integers = comparison.integers.logits[np.searchsorted(comparison.integers.index, answers.index)]
    return document.PrivateScores(
        **scores(answers, floats, labels),
        same_images=document.SameImages(
            float=document.AnswerScores(**scores(at(floats, answers.index), floats, labels)),
            integer=document.AnswerScores(**scores(at(comparison.integers, answers.index), floats, labels)),
        ),
        same_class_as_integer_pct=true_pct(answers.logits.argmax(axis=1) == integers.argmax(axis=1)),
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
        headroom_bits=layer.headroom_bits,
        outside_count=layer.outside_count,
        zeroed_count=layer.zeroed_count,
    )
