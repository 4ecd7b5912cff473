"""The inspection that `pi-bench inspect` prints: the public program of a model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pi_bench.report.documents.fidelity import FidelityOrNull, LayerBits, QuantizationOrNull
from pi_bench.report.documents.fields import (
    VERSION_MEANING,
    Above0,
    Arguments,
    Count,
    Digest,
    Directions,
    Document,
    DocumentPart,
    FusionOrNull,
    Notes,
    Options,
    Positive,
    UpperRelus,
    Weights,
)
from pi_bench.report.documents.predicted import ExplanationOrNull, PredictionOrNull
from pi_bench.report.documents.security import SecurityOrNull

Resolution = Annotated[list[Positive], Meta(min_length=2, description="[height, width]; null for vectors")]


class PredictedBytes(DocumentPart, frozen=True, kw_only=True):
    """Predicts payload bytes per phase and per offline part, exactly."""

    offline: Directions
    offline_parts: dict[str, Directions]
    online: Directions
    offline_purposes: Annotated[
        dict[str, Directions],
        Meta(description="offline by the purpose for which the protocol sends the bytes; they add up to it"),
    ] = msgspec.field(default_factory=dict)


class Stage(DocumentPart, frozen=True, kw_only=True):
    """Sums counts over a run of operators of equal resolution."""

    resolution: Resolution | None
    parameter_count: Count
    mac_count: Count
    relu_count: Count
    truncation_count: Count


class Operator(DocumentPart, frozen=True, kw_only=True):
    """Describes one operator of the program: shapes, fixed point, counts, predicted bytes."""

    id: Count
    name: str
    operator: str
    shape: Annotated[list[Positive], Meta(min_length=2)]
    sources: Annotated[list[Count], Meta(description="ids of the operators whose results it takes")]
    scale_bits: int
    truncate_bits: int | None
    window_bits: int | None
    headroom_bits: Annotated[
        float | None, Meta(description="bits between the largest calibrated value and the window's end")
    ]
    calibrated_maximum: Annotated[
        float | None,
        Meta(
            description="largest magnitude in calibration, for which the window was made; null for other "
            "operators, or where all values were 0"
        ),
    ]
    relu_count: Count
    truncation_count: Count
    parameter_count: Count
    square_count: Count
    product_count: Count
    mac_count: Count
    predicted_bytes: Directions


class Inspection(Document, frozen=True, kw_only=True):
    """The public program of a model.

    Counts are per inference (the whole batch). Bytes are exact predictions of payloads, without set-up and
    frame headers.
    """

    schema_version: Annotated[Literal[2], VERSION_MEANING]
    name: str
    digest: Digest
    weights: Weights
    protocol: str
    mode: str
    options: Options
    relu_count: Count
    truncation_count: Annotated[int, Meta(ge=0, description="truncations without a ReLU")]
    square_count: Annotated[int, Meta(ge=0, description="elements multiplied by themselves")]
    product_count: Annotated[int, Meta(ge=0, description="elements that are products of two values")]
    mac_count: Annotated[int, Meta(ge=0, description="multiply-accumulates")]
    parameter_count: Annotated[
        int, Meta(ge=0, description="weights and biases as they run: batch norms are folded into them")
    ]
    fusion: FusionOrNull
    weight_bits: int
    label_count: Annotated[int, Meta(ge=0, description="names of classes")]
    input_bound: Above0
    predicted_bytes: PredictedBytes
    distribution: Annotated[
        list[Stage], Meta(description="where the network's cost is, by height and width of the results")
    ]
    operators: list[Operator]
    prediction: PredictionOrNull
    explanation: ExplanationOrNull
    arguments: Arguments
    bits: LayerBits | None = None
    quantization: QuantizationOrNull = None
    fidelity: FidelityOrNull = None
    security: SecurityOrNull = None
    notes: Notes = ()
    upper_relu_count: UpperRelus = 0

    @property
    def input_count(self) -> int:
        """The number of inputs that one inference answers together (`--batch`)."""
        return self.operators[0].shape[0]

    def table(self) -> str:
        """Returns the text that `pi-bench inspect` prints."""
        from pi_bench.report.inspection import render_inspection

        return render_inspection(self)

    def _short(self) -> dict[str, Any]:
        return {"network": self.name, "relu_count": self.relu_count, "protocol": self.protocol}
