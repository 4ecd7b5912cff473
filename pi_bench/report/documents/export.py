"""The description of a model file that `pi-bench export` writes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pi_bench.report.documents.fidelity import FidelityOrNull, LayerBits
from pi_bench.report.documents.fields import (
    Arguments,
    Count,
    Digest,
    DocumentPart,
    SchemaVersion,
    Sizes,
    Weights,
)


class Export(DocumentPart, frozen=True, kw_only=True):
    """Describes a written model file: network, weights, calibration, bits and fidelity."""

    schema_version: SchemaVersion
    path: Annotated[str, Meta(description="the model file, as it was given")]
    name: str
    digest: Annotated[Digest, Meta(description="of the public program for one image, with the chosen bits")]
    input_shape: Sizes
    output_shape: Sizes
    relu_count: Annotated[int, Meta(ge=0, description="one per activation, as papers count them")]
    clamped_count: Annotated[
        int, Meta(ge=0, description="activations with two bounds (ReLU6), contained in relu_count")
    ]
    polynomial_count: Count
    parameter_count: Count
    batch_norm_parameter_count: Annotated[
        int,
        Meta(ge=0, description="scales and shifts of batch normalizations, contained in parameter_count"),
    ]
    label_count: Count
    weights: Weights
    seed: Annotated[int | None, Meta(description="of random weights or noise; null where none was used")]
    left_to_client: Annotated[
        list[str], Meta(description="last operators that are left out: the client applies them to the logits")
    ]
    calibration_source: str
    calibration_sample_count: Count
    headroom_bits: Annotated[dict[str, float], Meta(description="by activation layer")]
    bits: LayerBits
    fidelity: FidelityOrNull
    arguments: Arguments
