"""The fidelity of an integer network, and the bits of its layers, as parts of documents."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pi_bench.report.documents.fields import DocumentPart, NonNegative, Percent, Positive

Interval = Annotated[list[Percent], Meta(min_length=2, max_length=2, description="Wilson's interval of 95 %")]


class FidelityGoal(DocumentPart, frozen=True, kw_only=True):
    """Bounds that a user sets for the fidelity."""

    same_class_pct: Annotated[Percent, Meta(description="the least fraction of inputs with the same class")]
    logit_error_pct: Annotated[
        float, Meta(ge=0, description="the largest typical logit error, in percent of the logits' range")
    ]


class Fidelity(DocumentPart, frozen=True, kw_only=True):
    """Compares the integer network with the float network on inputs of the exporter."""

    sample_count: Positive
    source: Annotated[str, Meta(description="kind of the inputs, such as held-out calibration inputs")]
    same_class_pct: Annotated[
        Percent, Meta(description="fraction of the inputs whose largest logit both networks agree on")
    ]
    same_class_interval_pct: Interval
    logit_error: Annotated[
        float, Meta(ge=0, description="typical: median over the inputs of the largest error of a logit")
    ]
    logit_range: Annotated[
        float, Meta(ge=0, description="median over the inputs of the largest minus the smallest float logit")
    ]
    logit_error_pct: Annotated[
        NonNegative | None, Meta(description="logit_error in percent of logit_range; null where that is 0")
    ]
    goal: FidelityGoal
    goal_is_default: Annotated[
        bool,
        Meta(
            description="true: nobody asked for a goal, neither at the export nor here (--fidelity), so goal "
            "is the usual one of pi-bench; false: goal was asked for, and missing it is a warning"
        ),
    ]
    met: bool
    of_this_program: Annotated[
        bool,
        Meta(
            description="false: it was measured with other bits, without fusion, or for a more accurate mode"
        ),
    ]


FidelityOrNull = Annotated[
    Fidelity | None, Meta(description="as the model file notes it; null where it notes none")
]


class LayerBits(DocumentPart, frozen=True, kw_only=True):
    """Holds the bits of the fixed point by layer."""

    activations: Annotated[
        dict[str, Positive],
        Meta(description="bits of the calibrated maximum of the input and of each truncated value, by name"),
    ]
    weights: Annotated[dict[str, Positive], Meta(description="bits of signed weights by the layer's name")]


class Quantization(DocumentPart, frozen=True, kw_only=True):
    """Tells how the float network became an integer network, besides the bits of its layers."""

    headroom_bits: Annotated[
        float, Meta(ge=1, description="bits of each window above the calibrated maximum (--headroom-bits)")
    ]
    per_channel: Annotated[bool, Meta(description="one scale of the weights per output channel (--scales)")]
    calibration_source: Annotated[
        str | None, Meta(description="kind of the calibration inputs; null where the model file notes none")
    ]
    calibration_sample_count: Positive | None


QuantizationOrNull = Annotated[
    Quantization | None, Meta(description="null in results of versions that did not note it")
]
