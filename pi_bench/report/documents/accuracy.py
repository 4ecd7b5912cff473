"""The comparison of answers that `pi-bench accuracy` makes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pi_bench.report.documents.cautions import Cautions
from pi_bench.report.documents.fidelity import Interval, LayerBits
from pi_bench.report.documents.fields import (
    VERSION_MEANING,
    Arguments,
    Count,
    Digest,
    DocumentPart,
    Interrupted,
    Machine,
    NonNegative,
    Options,
    Percent,
    Positive,
    Weights,
)


class AnswerScores(DocumentPart, frozen=True, kw_only=True):
    """Scores the answers of one network to a number of images."""

    image_count: Positive
    accuracy_pct: Annotated[Percent | None, Meta(description="null without labels")]
    accuracy_interval_pct: Annotated[Interval | None, Meta(description="null without labels")]
    same_class_as_float_pct: Percent
    same_class_interval_pct: Interval
    typical_logit_error_pct: Annotated[
        NonNegative | None,
        Meta(
            description="median over the images of the largest error of a logit, in percent of the median "
            "distance from the smallest to the largest float logit; null where that distance is 0"
        ),
    ]
    largest_logit_error: Annotated[float, Meta(ge=0, description="from the float network's logits")]
    rms_logit_error: NonNegative


class ApproximatedScores(AnswerScores, frozen=True, kw_only=True):
    """Scores the integer network under the more accurate law that the mode's law approximates."""

    law: str


class SameImages(DocumentPart, frozen=True, kw_only=True):
    """Scores the float and the integer network on the images of the private runs alone."""

    float: AnswerScores
    integer: AnswerScores


class PrivateScores(AnswerScores, frozen=True, kw_only=True):
    """Scores the answers of two real parties over a sample of the images."""

    same_images: SameImages
    same_class_as_integer_pct: Percent
    largest_difference_from_integer: Annotated[float, Meta(ge=0, description="of a logit; 0 in mode exact")]
    verified: bool
    failures: list[str]


class ProgramIdentity(DocumentPart, frozen=True, kw_only=True):
    """Identifies the public program for one image."""

    name: str
    digest: Digest
    relu_count: Count
    weights: Weights


class FixedPoint(DocumentPart, frozen=True, kw_only=True):
    """Repeats the fixed-point options that the network was compiled with."""

    weight_bits: int
    activation_bits: int
    headroom_bits: float
    per_channel: bool


class Data(DocumentPart, frozen=True, kw_only=True):
    """Describes the images."""

    source: str
    image_count: Positive
    refused_count: Annotated[int, Meta(ge=0, description="images with a value beyond the input's bound")]
    labeled: bool
    class_count: Annotated[
        Positive | None, Meta(description="null without labels, or where they are too few to tell")
    ]


class LayerErrors(DocumentPart, frozen=True, kw_only=True):
    """Compares a layer's integer values with its float values."""

    name: str
    operator: str
    relative_error: Annotated[
        NonNegative | None,
        Meta(
            description="root mean square of integer minus float, divided by that of float; null where the "
            "float network has no such value"
        ),
    ]
    largest_error: NonNegative | None
    largest_value: Annotated[NonNegative | None, Meta(description="of the float network")]
    headroom_bits: Annotated[
        float, Meta(description="log2 of the window divided by the largest value that entered it")
    ]
    outside_count: Annotated[int, Meta(ge=0, description="values outside the window: saturation")]
    zeroed_count: Annotated[
        int, Meta(ge=0, description="values that are 0 where the more accurate law keeps a value")
    ]


class Remedy(DocumentPart, frozen=True, kw_only=True):
    """Measures the integer network with one more bit in one place or in all."""

    change: Annotated[str, Meta(description="the bit that is added, in words")]
    layer: Annotated[str | None, Meta(description="null where the bit is added in all layers")]
    same_class_as_float_pct: Percent
    typical_logit_error_pct: NonNegative | None
    rms_logit_error: NonNegative
    predicted_online_s: Annotated[
        NonNegative | None, Meta(description="null where the protocol has no script to predict from")
    ]


class Remedies(DocumentPart, frozen=True, kw_only=True):
    """Compares one more bit in each of the layers that lose most, on some of the images."""

    image_count: Positive
    unchanged: Annotated[Remedy, Meta(description="the network as it is")]
    remedies: Annotated[list[Remedy], Meta(description="the most effective one first")]


class Accuracy(DocumentPart, frozen=True, kw_only=True):
    """Scores the answers of the float, the integer and the private network to the same images.

    Images that a client refuses are left out of all three.
    """

    schema_version: Annotated[Literal[2], VERSION_MEANING]
    interrupted: Interrupted
    network: ProgramIdentity
    protocol: str
    mode: Annotated[str, Meta(description="law of the integer and the private answers")]
    options: Options
    fixed_point: FixedPoint
    data: Data
    float: AnswerScores
    integer: Annotated[AnswerScores, Meta(description="with simulated shares in modes that depend on shares")]
    approximated_law: Annotated[
        ApproximatedScores | None,
        Meta(
            description="the integer answers under the law that the mode's law approximates; null where it "
            "approximates none"
        ),
    ]
    private: Annotated[PrivateScores | None, Meta(description="null with --private-sample 0")]
    output_count: Annotated[int, Meta(ge=1, description="outputs of the network")]
    worst_layer: Annotated[str | None, Meta(description="the layer with the largest relative_error")]
    layers: Annotated[list[LayerErrors], Meta(description="activations in order, then the output")]
    arguments: Arguments
    bits: LayerBits | None = None
    environment: Machine | None = None
    remedies: Annotated[
        Remedies | None, Meta(description="null where the command was interrupted, or with --no-remedies")
    ] = None
    warnings: tuple[str, ...] = ()
    cautions: Cautions = ()
