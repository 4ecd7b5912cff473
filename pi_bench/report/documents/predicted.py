"""The prediction and its explanation, as `inspect` and `latency` report them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pi_bench.report.documents.fields import (
    BothTimes,
    Count,
    Directions,
    DocumentPart,
    Emulated,
    Loopback,
    NonNegative,
    Seconds,
)


class PredictedLayer(BothTimes, frozen=True, kw_only=True):
    """Predicts one operator of the online phase."""

    id: Count
    name: str
    comm_round_count: NonNegative


class CostSource(DocumentPart, frozen=True, kw_only=True):
    """Names the machine whose primitive costs a prediction uses."""

    threads: Annotated[int, Meta(ge=1, description="threads per party")]
    machine: dict[str, str]


class PredictedOffline(DocumentPart, frozen=True, kw_only=True):
    """Predicts the offline phase, in total and by part."""

    time_s: Seconds
    bytes: Directions
    wire_bytes: Directions
    parts: dict[str, BothTimes]


class PredictedOnline(DocumentPart, frozen=True, kw_only=True):
    """Predicts the online phase, in total and by operator."""

    latency_s: Seconds
    bytes: Directions
    wire_bytes: Directions
    parts: dict[str, BothTimes]
    comm_round_count: NonNegative
    layers: list[PredictedLayer]


class OverMeasured(DocumentPart, frozen=True, kw_only=True):
    """Divides predicted times by measured medians."""

    offline: NonNegative
    online: NonNegative


class Prediction(DocumentPart, frozen=True, kw_only=True):
    """Predicts times and bytes from the measured costs of primitives, in the fields of a result."""

    link: Loopback | Emulated
    costs: CostSource
    offline: PredictedOffline
    online: PredictedOnline


class ComparedPrediction(Prediction, frozen=True, kw_only=True):
    """Compares a prediction with the measurement of the same network."""

    over_measured: OverMeasured


class BusyLayer(DocumentPart, frozen=True, kw_only=True):
    """Names a layer and how long parties and link are busy with it."""

    id: Count
    name: str
    busy_s: Seconds
    cost_s: Annotated[
        Seconds | None,
        Meta(
            description="part of the cost of the cause, which is divided among all layers by busy_s; null in "
            "results of older versions"
        ),
    ] = None


class ExplainedCause(DocumentPart, frozen=True, kw_only=True):
    """Gives the cost of one cause: the time that the phase would save without it."""

    cause: Annotated[str, Meta(description="rounds, relus, truncations, linear or multiplications")]
    cost_s: Annotated[float, Meta(description="time that the phase would save without this cause")]
    fraction: Annotated[float, Meta(description="cost_s divided by the predicted time of the phase")]
    layers: list[BusyLayer]


class ExplainedPhase(DocumentPart, frozen=True, kw_only=True):
    """Explains one phase by its causes, the most expensive first."""

    time_s: Seconds
    comm_round_count: NonNegative
    causes: list[ExplainedCause]
    lines: Annotated[list[str], Meta(description="the explanation in sentences")]
    words: Annotated[dict[str, str], Meta(description="the work of the phase in words, by purpose")]


class AlternativeRun(DocumentPart, frozen=True, kw_only=True):
    """Predicts the same network under one other setting."""

    change: str
    online_s: Seconds
    offline_s: Seconds
    comm_round_count: NonNegative
    truncation_count: Count
    helps: Annotated[list[str], Meta(description="purposes whose cost this setting is expected to reduce")]
    experimental: Annotated[bool, Meta(description="results with this setting carry a caveat")] = False


class ReluFraction(DocumentPart, frozen=True, kw_only=True):
    """Tells whether fewer ReLUs help: their fraction of the online latency."""

    fraction: float
    halved_saves_s: Seconds
    without_s: float
    line: str


class Explanation(DocumentPart, frozen=True, kw_only=True):
    """Explains the largest predicted costs of each phase, and names the settings that would change them."""

    alternatives: list[AlternativeRun]
    online: ExplainedPhase
    offline: ExplainedPhase
    relus: ReluFraction


PredictionOrNull = Annotated[
    Prediction | None, Meta(description="null where the protocol has no script to predict from")
]
ExplanationOrNull = Annotated[Explanation | None, Meta(description="null without --explain")]
