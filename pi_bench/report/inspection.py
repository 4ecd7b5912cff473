"""A public program and its predicted bytes, as a document and as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pi_bench.network.distribution import by_resolution, parameter_count
from pi_bench.network.fusion import Fusion
from pi_bench.network.program import ActivationOp, Op, Program, operands
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions
from pi_bench.report.bits import bits_text
from pi_bench.report.clamps import clamp_lines
from pi_bench.report.documents import inspection as document
from pi_bench.report.documents.fields import Directions, Weights
from pi_bench.report.explanation import explanation_lines
from pi_bench.report.fidelity import fidelity_line
from pi_bench.report.fusion import fusion_lines, fusion_part, kept_lines
from pi_bench.report.operators import (
    counts_text,
    network_counts,
    operator_counts,
    operator_text,
    shape_text,
)
from pi_bench.report.prediction import prediction_lines
from pi_bench.report.quantities import bytes_or_dash, count, counted
from pi_bench.report.settings import mode_text
from pi_bench.report.text_table import render_table
from pi_bench.report.weights import random_warnings, weights_text


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

    Set-up and frame headers are not in the bytes. weights: as `weights_of` tells. Prediction and explanation
    are added by the caller, who knows the costs.

    ```python
    from pi_bench.registry import default_protocol

    def online_bytes(program: Program, digest: str) -> int:
        info = default_protocol()
        sent = inspect_program(program, digest, info, info.configure()).predicted_bytes.online
        return sent.client_to_server + sent.server_to_client
    ```
    """
    predicted = info.predict(program, options)
    stages = [document.Stage(**dataclasses.asdict(share)) for share in by_resolution(program)]
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
            offline=_directions(predicted.offline),
            offline_parts={part: _directions(sent) for part, sent in predicted.offline_parts.items()},
            online=_directions(predicted.online),
        ),
        distribution=stages,
        operators=[_operator(op, predicted.online_ops.get(op.id, {})) for op in program.ops],
        prediction=None,
        explanation=None,
        bits=None,
        quantization=None,
        fidelity=None,
        arguments=arguments or {},
        notes=info.notes_of(program, options),
    )


def render_inspection(inspection: document.Inspection) -> str:
    """Writes an inspection as text: operators, resolutions, bytes, prediction, explanation.

    ```python
    import msgspec

    def show(path: str) -> None:  # a file of --json
        with open(path, "rb") as file:
            print(render_inspection(msgspec.json.decode(file.read(), type=document.Inspection)))
    ```
    """
    lines = [
        f"{inspection.name}: {counts_text(inspection)}, {counted(inspection.parameter_count, 'weight')}",
        *clamp_lines(inspection.upper_relu_count),
        f"{weights_text(inspection.weights)}, of {inspection.weight_bits} bits; "
        f"inputs from {-inspection.input_bound:.4g} to {inspection.input_bound:.4g}",
        *([bits_text(inspection.bits)] if inspection.bits is not None else []),
        f"digest {inspection.digest}",
        fidelity_line(inspection.fidelity, inspection.weights),
        *(f"warning: {words}" for words in random_warnings(inspection.weights)),
        *fusion_lines(inspection.fusion),
        *kept_lines(inspection.fusion),
        "",
        *_operator_table(inspection),
        "",
        "by resolution (a run of layers of equal resolution is a stage)",
        *render_table(
            ("resolution", "weights", "", "M MACs", "", "ReLUs", "", "trunc.", ""),
            _distribution_rows(inspection),
        ),
        "",
        f"predicted payload per inference, protocol {inspection.protocol}, "
        f"{mode_text(inspection.mode, inspection.options)}",
        *_payload_table(inspection.predicted_bytes),
        *inspection.notes,
    ]
    if inspection.prediction is not None:
        lines += ["", *prediction_lines(inspection.prediction)]
    if inspection.explanation is not None:
        lines += ["", *explanation_lines(inspection.explanation)]
    return "\n".join(lines)


def _operator_table(inspection: document.Inspection) -> list[str]:
    """Returns one line per operator, and the meaning of the columns."""
    rows = [
        (
            str(op.id),
            op.name,
            op.operator,
            shape_text(tuple(op.shape)),
            ",".join(map(str, op.sources)) or "-",
            str(op.scale_bits),
            "-" if op.truncate_bits is None else str(op.truncate_bits),
            "-" if op.window_bits is None else str(op.window_bits),
            "-" if op.calibrated_maximum is None else f"{op.calibrated_maximum:.4g}",
            "-" if op.headroom_bits is None else f"{op.headroom_bits:.1f}",
            count(op.relu_count),
            count(op.truncation_count),
            count(op.square_count + op.product_count),
            count(op.parameter_count),
            f"{op.mac_count / 1e6:.2f}" if op.mac_count else "-",
            bytes_or_dash(op.predicted_bytes.client_to_server),
            bytes_or_dash(op.predicted_bytes.server_to_client),
        )
        for op in inspection.operators
    ]
    header = [
        *("id", "name", "operator", "shape", "from", "scale", "truncated", "window", "range", "headroom"),
        *("ReLUs", "trunc.", "squares", "weights", "M MACs", "to server", "to client"),
    ]
    return [
        *render_table(header, rows, left=4, whole=(0, 2, 3), drop=_DROP),
        "",
        "from: ids of the operators whose values it takes; scale: bits behind the point",
        "truncated: bits that the operator drops; window: bits of the range that a ReLU can represent",
        "range: largest value in calibration; headroom: bits between this value and the end of the window",
        "trunc.: truncations without ReLU; weights: with biases, batch normalizations folded into them",
        "M MACs: million multiply-accumulates; to server, to client: payload online",
    ]


def _payload_table(predicted: document.PredictedBytes) -> list[str]:
    return render_table(
        ("phase", "to server", "to client"),
        [
            _predicted_row("online", predicted.online),
            _predicted_row("offline", predicted.offline),
            *(_predicted_row(f"  {part}", sent) for part, sent in predicted.offline_parts.items()),
        ],
    )


_DROP = (
    *(
        "squares",
        "scale",
        "truncated",
        "from",
        "headroom",
        "shape",
        "range",
        "window",
        "trunc.",
        "operator",
        "id",
    ),
    *("weights", "to server"),
)


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
        predicted_bytes=_directions(sent),
    )


def _distribution_rows(inspection: document.Inspection) -> list[tuple[str, ...]]:
    """Each count beside its percentage of the network's."""
    rows = []
    for share in inspection.distribution:
        cells = ["vector" if share.resolution is None else "x".join(map(str, share.resolution))]
        for key, unit in (("parameter", 1), ("mac", 1e6), ("relu", 1), ("truncation", 1)):
            value, total = getattr(share, f"{key}_count"), getattr(inspection, f"{key}_count")
            cells.append(f"{value / unit:,.2f}" if unit != 1 and value else count(value))
            cells.append(f"{100 * value / total:.0f} %" if value else "")
        rows.append(tuple(cells))
    return rows


def _directions(sent: Mapping[Party, int]) -> Directions:
    return Directions(client_to_server=sent.get(Party.CLIENT, 0), server_to_client=sent.get(Party.SERVER, 0))


def _predicted_row(name: str, sent: Directions) -> tuple[str, str, str]:
    return name, bytes_or_dash(sent.client_to_server), bytes_or_dash(sent.server_to_client)
