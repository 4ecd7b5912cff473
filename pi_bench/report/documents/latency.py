"""The result of `pi-bench latency`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pi_bench.report.documents.cautions import Cautions
from pi_bench.report.documents.fidelity import FidelityOrNull, LayerBits, QuantizationOrNull
from pi_bench.report.documents.fields import (
    VERSION_MEANING,
    Above0,
    Arguments,
    BothTimes,
    Count,
    Digest,
    Directions,
    Document,
    DocumentPart,
    Emulated,
    FusionOrNull,
    Interrupted,
    Loopback,
    Machine,
    MeasuredLink,
    NonNegative,
    Notes,
    Options,
    PerParty,
    Seconds,
    SecondsPerParty,
    Sizes,
    UpperRelus,
    Weights,
)
from pi_bench.report.documents.floor import Floor, MeasuredLimits
from pi_bench.report.documents.predicted import ComparedPrediction, ExplanationOrNull
from pi_bench.report.documents.security import SecurityOrNull

Samples = Annotated[list[Seconds], Meta(min_length=1)]
Parts = Annotated[
    dict[str, BothTimes],
    Meta(
        description="by the part names of the protocol, in its order; other: the rest. Online, "
        "empty where the protocol names none"
    ),
]
Classes = Annotated[
    int | list[Any] | None, Meta(description="index of the largest logit; a list where the batch is above 1")
]


class NetworkCounts(DocumentPart, frozen=True, kw_only=True):
    """Identifies the public program and counts the operations of one inference."""

    name: str
    digest: Digest
    weights: Weights
    relu_count: Count
    truncation_count: Annotated[int, Meta(ge=0, description="elements truncated without a ReLU")]
    square_count: Annotated[int, Meta(ge=0, description="elements multiplied by themselves")]
    product_count: Annotated[int, Meta(ge=0, description="elements that are products of two values")]
    mac_count: Annotated[int, Meta(ge=0, description="multiply-accumulates")]
    weight_bits: Count
    fusion: FusionOrNull
    input_shape: Sizes
    output_shape: Sizes
    upper_relu_count: UpperRelus = 0

    @property
    def input_count(self) -> int:
        """The number of inputs that one inference answers together (`--batch`)."""
        return self.input_shape[0]


class ProbedLink(Emulated, frozen=True, kw_only=True, tag_field="kind", tag="emulated"):
    """Describes an emulated link as it was asked for and as it was measured."""

    measured: MeasuredLink


class RealLink(DocumentPart, frozen=True, kw_only=True, tag_field="kind", tag="real"):
    """Describes the link between two machines as it was measured."""

    name: Annotated[
        str, Meta(description="always `real`; the result does not record which machines the link connects")
    ]
    measured: MeasuredLink


class SetUp(DocumentPart, frozen=True, kw_only=True):
    """Measures set-up on the client's clock: connection, handshake, keys and base OTs."""

    time_s: Seconds
    handshake_s: Seconds
    bytes: Directions
    wire_bytes: Directions


class OfflinePhase(DocumentPart, frozen=True, kw_only=True):
    """Measures the offline phase, until both parties have finished. All figures are per inference."""

    time_s: Annotated[float, Meta(ge=0, description="median over the timed runs")]
    samples_s: Samples
    hidden_s: Annotated[
        float,
        Meta(
            ge=0,
            description="median of the work hidden by overlap: both parties' computing and sending, one "
            "after the other, minus the time that passed",
        ),
    ]
    bytes: Directions
    wire_bytes: Directions
    parts: Parts
    ahead: Annotated[
        int,
        Meta(
            ge=1,
            description="the inferences that one offline phase prepares (--ahead); the figures are those of "
            "the phase divided by it, and whole numbers are rounded down",
        ),
    ] = 1
    bytes_by_purpose: Annotated[
        dict[str, Directions],
        Meta(
            description="payload bytes by the purpose for which the protocol sends them, counted from the "
            "public program; they add up to bytes. Empty where the count "
            "is not what was sent, and in results of older versions"
        ),
    ] = msgspec.field(default_factory=dict)


class Distribution(DocumentPart, frozen=True, kw_only=True):
    """Summarizes samples: median, quartiles, extremes, spread, and the samples themselves."""

    median: Seconds
    q1: Seconds
    q3: Seconds
    min: Seconds
    max: Seconds
    samples: Samples
    mad: Annotated[
        Seconds | None, Meta(description="median absolute deviation from the median, not scaled")
    ] = None
    interval: Annotated[
        tuple[Seconds, Seconds] | None,
        Meta(description="bootstrap interval of the median, confidence 95 %; null with fewer than 6 samples"),
    ] = None
    outliers: Annotated[
        tuple[Seconds, ...],
        Meta(description="samples beyond 1.5 interquartile ranges from the quartiles; they count everywhere"),
    ] = ()
    percentiles: Annotated[
        dict[str, Seconds], Meta(description="by percent; p90 needs 64 samples, p99 needs 662")
    ] = msgspec.field(default_factory=dict)


class MeasuredLayer(BothTimes, frozen=True, kw_only=True):
    """Measures one operator of the online phase. Times are medians over the timed runs."""

    id: Count
    name: str
    operator: str
    shape: Sizes
    relu_count: Count
    truncation_count: Count
    square_count: Count
    product_count: Count
    mac_count: Count
    headroom_bits: float | None
    hidden_s: Annotated[
        float,
        Meta(ge=0, description="the server's computing and sending for which the client did not wait"),
    ]
    parts: Parts
    comm_round_count: NonNegative


class OnlinePhase(DocumentPart, frozen=True, kw_only=True):
    """Measures the online phase, from float input to float logits in the client's memory."""

    latency_s: Distribution
    bytes: Directions
    wire_bytes: Directions
    parts: Parts
    comm_round_count: Annotated[float, Meta(ge=0, description="half the longest chain of dependent messages")]
    layers: list[MeasuredLayer]


class BytesPerPhase(DocumentPart, frozen=True, kw_only=True):
    """Holds a party's bytes per phase."""

    set_up: Count
    offline: Count
    online: Count


class SecondsPerPhase(DocumentPart, frozen=True, kw_only=True):
    """Holds a party's seconds per phase."""

    set_up: Seconds
    offline: Seconds
    online: Seconds


class PeakMemory(DocumentPart, frozen=True, kw_only=True):
    """Holds the resident peak per party and phase, the largest over the runs."""

    client: BytesPerPhase
    server: BytesPerPhase


class CpuTime(DocumentPart, frozen=True, kw_only=True):
    """Holds the CPU time of all threads per party and phase."""

    client: SecondsPerPhase
    server: SecondsPerPhase


class Outputs(DocumentPart, frozen=True, kw_only=True):
    """Holds the private answer."""

    logits: Annotated[list[Any], Meta(description="numbers; one list per sample where the batch is above 1")]
    argmax: Classes
    label: Annotated[
        str | list[Any] | None, Meta(description="class name of argmax, where the model has names")
    ]


class Verification(DocumentPart, frozen=True, kw_only=True):
    """Tells whether every activation of every run followed the law of its mode."""

    passed: bool
    mode: str
    max_ulp_error: Annotated[
        int,
        Meta(ge=0, description="largest distance of an activation from its exact value, in the last place"),
    ]
    zeroed_count: Annotated[
        int,
        Meta(
            ge=0,
            description="activations that are 0 where a more accurate law keeps a value, in the run with "
            "the most of them",
        ),
    ]
    mismatch_count: Count
    out_of_range_count: Count
    compared_count: Count
    verified_run_count: Count
    failures: list[str]
    argmax_agrees_with_float: bool
    float_argmax: Classes
    max_float_error: Annotated[
        float, Meta(ge=0, description="largest difference of a logit from the float network's")
    ]


class Cores(DocumentPart, frozen=True, kw_only=True):
    """Lists the cores that each party is bound to."""

    client: list[Count]
    server: list[Count]


class MeasuringMachine(Machine, frozen=True, kw_only=True):
    """Describes the machine and how the parties were placed on it."""

    threads: Annotated[int, Meta(ge=0, description="threads per party")]
    pinned: bool
    cores: Cores


class ServerMachine(Machine, frozen=True, kw_only=True):
    """Describes the other machine, on which the server ran, in its own words."""

    threads: Annotated[int, Meta(ge=0, description="threads of the server")]


class ComparedLogits(DocumentPart, frozen=True, kw_only=True):
    """Compares the answers of all timed runs with the logits that the user expects."""

    file: str
    tolerance: Annotated[float, Meta(ge=0, description="largest difference that is allowed")]
    passed: bool
    max_error: Annotated[float, Meta(ge=0, description="largest difference that was found")]
    compared_run_count: Count


class Fractions(DocumentPart, frozen=True, kw_only=True):
    """Holds one part of a whole per party."""

    client: Annotated[float, Meta(ge=0, le=1)]
    server: Annotated[float, Meta(ge=0, le=1)]


class TracedPhase(DocumentPart, frozen=True, kw_only=True):
    """Describes one phase of the traced inference."""

    time_s: Annotated[float, Meta(ge=0, description="seconds of this phase while it was traced")]
    message_count: Annotated[int, Meta(ge=0, description="messages, each with an arrow")]
    unaccounted: Annotated[
        Fractions, Meta(description="parts of the phase in which nothing says what the party did")
    ]
    outside_layers: Annotated[
        Fractions, Meta(description="parts of the phase that belong to no layer and to no part with a name")
    ]


class TracedInference(DocumentPart, frozen=True, kw_only=True):
    """Describes the trace of one more inference, which counts for no other figure."""

    file: Annotated[str, Meta(description="name of the trace file")]
    clock_offset_s: Annotated[
        float, Meta(description="seconds by which the server's clock was ahead of the client's")
    ]
    clock_uncertainty_s: Annotated[
        float, Meta(ge=0, description="largest error of the server's times on the client's clock")
    ]
    offline: Annotated[TracedPhase, Meta(description="the traced offline phase")]
    online: Annotated[TracedPhase, Meta(description="the traced online phase")]


class Result(Document, frozen=True, kw_only=True):
    """Result of `pi-bench latency`.

    Bytes are per inference; times of layers and parts are medians over the timed runs.
    """

    schema_version: Annotated[Literal[2], VERSION_MEANING]
    network: NetworkCounts
    protocol: str
    protocol_title: str
    secure: Annotated[bool, Meta(description="false: for tests and overhead only, protects nothing")]
    mode: str
    options: Options
    weight_cache_bytes: Annotated[
        int, Meta(ge=0, description="bound on the server's cache of transformed weights (--weight-cache)")
    ]
    runs: Annotated[int, Meta(ge=1, description="timed runs that the figures contain")]
    requested_runs: Annotated[
        int, Meta(ge=1, description="--runs; the least number of runs where --precision was given")
    ]
    interrupted: Interrupted
    warmup: Count
    link: Loopback | ProbedLink | RealLink
    input: Annotated[str, Meta(description="the input file's name, or the seed of the noise")]
    model_load_s: Annotated[
        float, Meta(ge=0, description="reading and compiling the model file; 0 where --connect got none")
    ]
    server_prepare_s: Annotated[
        float,
        Meta(ge=0, description="the server's work for all clients together: plan and transformed weights"),
    ]
    start_s: Annotated[float, Meta(ge=0, description="from starting both processes until they are set up")]
    setup: SetUp
    offline: OfflinePhase
    material_load_s: Annotated[
        float,
        Meta(
            ge=0,
            description="from the request for the online phase until both parties have their preprocessing "
            "at hand; it stays in memory, so this is one round trip. The online latency excludes it",
        ),
    ]
    online: OnlinePhase
    first_inference_s: Annotated[float, Meta(ge=0, description="set-up + offline + online")]
    storage_bytes_per_inference: Annotated[int, Meta(ge=0, description="preprocessing of both parties")]
    storage_bytes: PerParty
    peak_memory_bytes: PeakMemory
    peak_memory_by_phase: Annotated[
        bool,
        Meta(description="false: the system cannot reset the peak, so each is that of the process so far"),
    ]
    cpu_time_s: Annotated[
        SecondsPerParty, Meta(description="of one inference, all threads, offline and online")
    ]
    cpu_time_by_phase_s: CpuTime
    outputs: Outputs
    verification: Annotated[
        Verification | None, Meta(description="null: not verified, for the reason in unverified_reason")
    ]
    prediction: Annotated[
        ComparedPrediction | None, Meta(description="null where the protocol has no script to predict from")
    ]
    explanation: ExplanationOrNull
    environment: Annotated[
        MeasuringMachine,
        Meta(description="of the client alone where server_environment is another machine's"),
    ]
    arguments: Arguments
    warmup_s: Annotated[
        tuple[Seconds, ...], Meta(description="online latencies of the untimed runs, in order")
    ] = ()
    precision: Annotated[
        Above0 | None, Meta(description="--precision as a fraction of the median; null where not given")
    ] = None
    server_environment: Annotated[
        ServerMachine | None, Meta(description="null: both parties ran on the machine of environment")
    ] = None
    unverified_reason: Annotated[str | None, Meta(description="why nothing was verified")] = None
    expected_logits: Annotated[
        ComparedLogits | None, Meta(description="null where --expect-logits was not given")
    ] = None
    bits: LayerBits | None = None
    quantization: QuantizationOrNull = None
    fidelity: FidelityOrNull = None
    limits: Annotated[
        MeasuredLimits | None, Meta(description="null with --no-limits, and where they cannot be measured")
    ] = None
    floor: Annotated[Floor | None, Meta(description="null where the limits are")] = None
    trace: Annotated[TracedInference | None, Meta(description="null where --trace was not given")] = None
    security: SecurityOrNull = None
    notes: Notes = ()
    warnings: tuple[str, ...] = ()
    cautions: Cautions = ()

    @property
    def verified(self) -> bool | None:
        """Whether every run was verified and right; None where no run was verified."""
        return None if self.verification is None else self.verification.passed

    def table(self) -> str:
        """Returns the text that `pi-bench latency` prints."""
        from pi_bench.report.terminal import render_result

        return render_result(self, labels=[])

    def to_pandas(self) -> Any:
        """Returns a pandas frame with one row per layer: times in s, bytes, counts.

        Raises:
            EnvironmentUnsupportedError: pandas is not installed.
        """
        from pi_bench.report.notebook import layer_frame

        return layer_frame(self.online.layers)

    def _short(self) -> dict[str, Any]:
        return {
            "network": self.network.name,
            "protocol": self.protocol,
            "online_s": self.online.latency_s.median,
            "offline_s": self.offline.time_s,
            "verified": self.verified,
        }
