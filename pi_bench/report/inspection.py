"""A public program and its predicted bytes, as a document and as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pi_bench.network.distribution import by_resolution, parameter_count
from pi_bench.network.fusion import Fusion
from pi_bench.network.program import ActivationOp, Op, Program, operands
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions
from pi_bench.report.bits import quantization_text
from pi_bench.report.clamps import clamp_lines
from pi_bench.report.columns import Shown
from pi_bench.report.directions import directions_by_purpose, predicted_directions
from pi_bench.report.documents import inspection as document
from pi_bench.report.documents.fields import Weights
from pi_bench.report.explanation import explanation_lines
from pi_bench.report.fidelity import fidelity_line
from pi_bench.report.fusion import fusion_lines, fusion_part, kept_lines
from pi_bench.report.mode_text import mode_text
from pi_bench.report.operator_table import operator_lines
from pi_bench.report.operators import (
    counts_text,
    network_counts,
    operator_counts,
    operator_text,
)
from pi_bench.report.prediction import where_text
from pi_bench.report.quantities import bytes_or_dash, count, counted, seconds
from pi_bench.report.security import security_part
from pi_bench.report.text_table import render_table
from pi_bench.report.text_width import shortened
from pi_bench.report.weights import random_warnings, weights_text

_NAME_WIDTH = 40


def inspect_program(
    program: Program,
    digest: str,
    info: ProtocolInfo,
    options: ProtocolOptions,
    fusion: Fusion | None = None,
    weights: Weights = None,
    arguments: dict[str, Any] | None = None,
) -> document.Inspection:
    """Describes a program and predicts the payload bytes of each phase exactly.

    Set-up and frame headers are not in the bytes.

    Prediction and explanation are added by the caller, who knows the costs.

    Args:
        weights: as `weights_of` tells.

    ```python
    from pi_bench.registry import default_protocol

    def online_bytes(program: Program, digest: str) -> int:
        info = default_protocol()
        sent = inspect_program(program, digest, info, info.configure()).predicted_bytes.online
        return sent.client_to_server + sent.server_to_client
    ```
    """
    predicted = info.predict(program, options)
    stages = [document.Stage(**dataclasses.asdict(counts)) for counts in by_resolution(program)]
    return document.Inspection(
        schema_version=2,
        name=program.name,
        digest=digest,
        weights=weights,
        protocol=info.name,
        mode=options.mode,
        options=dict(options.values),
        **network_counts(program),
        parameter_count=sum(stage.parameter_count for stage in stages),
        fusion=fusion_part(fusion),
        weight_bits=program.weight_bits,
        label_count=len(program.labels),
        input_bound=program.input.bound,
        predicted_bytes=document.PredictedBytes(
            offline=predicted_directions(predicted.offline),
            offline_parts={
                part: predicted_directions(sent) for part, sent in predicted.offline_parts.items()
            },
            online=predicted_directions(predicted.online),
            offline_purposes=directions_by_purpose(predicted.offline_purposes),
        ),
        distribution=stages,
        operators=[_operator(op, predicted.online_ops.get(op.id, {})) for op in program.ops],
        prediction=None,
        explanation=None,
        bits=None,
        quantization=None,
        fidelity=None,
        arguments=arguments or {},
        security=security_part(info, program, options),
        notes=info.notes_of(program, options),
    )


def render_inspection(inspection: document.Inspection, shown: Shown | None = None) -> str:
    """Writes an inspection as text: operators, resolutions, bytes, prediction, explanation.

    Args:
        shown: the operators and the columns that the user asks for; None for those that cost most.

    Raises:
        UsageError: there is no column of a name in `shown`.

    ```python
    import msgspec

    def show(path: str) -> None:  # a file of --json
        with open(path, "rb") as file:
            print(render_inspection(msgspec.json.decode(file.read(), type=document.Inspection)))
    ```
    """
    quantization = quantization_text(inspection.bits, inspection.quantization)
    name = shortened(inspection.name, _NAME_WIDTH)
    fixed_point = quantization or f"weight bits {inspection.weight_bits}"
    bound = f"inputs from {-inspection.input_bound:.4g} to {inspection.input_bound:.4g}"
    count = inspection.input_count
    lines = [
        f"{name}: {counts_text(inspection, count)}, {counted(inspection.parameter_count, 'weight')}",
        *clamp_lines((inspection.upper_relu_count or 0) // count),
        f"{weights_text(inspection.weights)}; {fixed_point}; {bound}",
        f"digest {inspection.digest}",
        f"fidelity: {fidelity_line(inspection.fidelity, inspection.weights)}",
        *(f"warning: {words}" for words in random_warnings(inspection.weights)),
        *fusion_lines(inspection.fusion),
        *kept_lines(inspection.fusion),
        "",
        *operator_lines(inspection, shown or Shown()),
        "",
        f"by resolution (a run of layers of equal resolution is a stage){_for_all(count)}",
        *render_table(
            ("resolution", "weights", "", "M MACs", "", "ReLUs", "", "trunc.", ""),
            _distribution_rows(inspection),
        ),
        "",
        *_predicted(inspection),
        *inspection.notes,
    ]
    if inspection.explanation is not None:
        lines += ["", *explanation_lines(inspection.explanation)]
    return "\n".join(lines)


def _predicted(inspection: document.Inspection) -> list[str]:
    """Returns the predicted bytes of both phases, with their times and rounds where costs are known."""
    sent, predicted = inspection.predicted_bytes, inspection.prediction
    each = (
        f"for {inspection.input_count:,} inputs together" if inspection.input_count > 1 else "per inference"
    )
    lines = [f"predicted {each}, protocol {inspection.protocol}, {_mode(inspection)}"]
    rows = [
        ("online", sent.online, "", ""),
        ("offline", sent.offline, "", ""),
        *((f"  {part}", own, "-", "-") for part, own in sent.offline_parts.items()),
    ]
    header = ["phase", "payload to server", "payload to client"]
    if predicted is not None:
        lines = [f"{lines[0]}, {where_text(predicted)}"]
        header += ["time", "rounds"]
        rows[:2] = [
            (
                "online",
                sent.online,
                seconds(predicted.online.latency_s),
                f"{predicted.online.comm_round_count:g}",
            ),
            ("offline", sent.offline, seconds(predicted.offline.time_s), "-"),
        ]
    cells = [
        (name, bytes_or_dash(own.client_to_server), bytes_or_dash(own.server_to_client), *more)
        for name, own, *more in rows
    ]
    return [*lines, *render_table(header, [row[: len(header)] for row in cells])]


def _for_all(input_count: int) -> str:
    return f", for {input_count:,} inputs together" if input_count > 1 else ""


def _mode(inspection: document.Inspection) -> str:
    return mode_text(inspection.mode, inspection.options)


def _operator(op: Op, sent: Mapping[Party, int]) -> document.Operator:
    activation = op if isinstance(op, ActivationOp) else None
    return document.Operator(
        id=op.id,
        name=op.name,
        operator=operator_text(op),
        shape=list(op.shape),
        sources=list(operands(op)),
        scale_bits=op.scale_bits,
        truncate_bits=activation.truncate_bits if activation else None,
        window_bits=activation.window_bits if activation else None,
        headroom_bits=activation.headroom_bits if activation else None,
        calibrated_maximum=activation.calibrated_maximum if activation else None,
        **operator_counts(op),
        parameter_count=parameter_count(op),
        predicted_bytes=predicted_directions(sent),
    )


def _distribution_rows(inspection: document.Inspection) -> list[tuple[str, ...]]:
    """Returns each count with its percentage of the network's."""
    rows = []
    for counts in inspection.distribution:
        cells = ["vector" if counts.resolution is None else "x".join(map(str, counts.resolution))]
        for key, unit in (("parameter", 1), ("mac", 1e6), ("relu", 1), ("truncation", 1)):
            value, total = getattr(counts, f"{key}_count"), getattr(inspection, f"{key}_count")
            cells.append(f"{value / unit:,.2f}" if unit != 1 and value else count(value))
            cells.append(f"{100 * value / total:.0f} %" if value else "")
        rows.append(tuple(cells))
    return rows
