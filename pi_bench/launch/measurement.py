"""The options and the results of a measurement of inferences."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pi_bench.channel.link import Link
from pi_bench.errors import PiBenchError
from pi_bench.launch.client import OfflineReport, OnlineReport
from pi_bench.launch.party_records import ClientRun, ServerPhase, ServerRun
from pi_bench.launch.placement import Placement
from pi_bench.launch.stopping import Stopping
from pi_bench.launch.timelines import InferenceTimelines
from pi_bench.launch.verification import Verdict
from pi_bench.metrics.machine_use import MachineUse
from pi_bench.protocol import ProtocolOptions
from pi_bench.session import PhaseRecord


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """Options of one measurement.

    Attributes:
        link: None for loopback as it is.
        trace: traces one more inference after the timed ones, which counts for nothing.

    >>> LatencyOptions(ProtocolOptions("exact"), Stopping(runs=5), timeout_s=120.0).expect_digest is None
    True
    """

    protocol: ProtocolOptions  # its `threads` are those of the placement
    stopping: Stopping
    timeout_s: float
    expect_digest: str | None = None
    link: Link | None = None  # None: loopback as it is
    trace: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Holds one timed inference as both parties recorded it.

    Attributes:
        verdict: None where the run was not verified.
        logits_error: largest difference from the expected logits; None without them.
        logits_failure: says that it is too large.

    ```python
    def fastest(measurement: Measurement) -> Run:
        return min(measurement.runs, key=lambda run: run.latency_s)
    ```
    """

    client: ClientRun
    server: ServerRun
    verdict: Verdict | None
    logits_error: float | None = None
    logits_failure: str | None = None

    @property
    def offline_s(self) -> float:
        """Seconds until both parties have finished the offline phase."""
        return self.client.offline.time_s

    @property
    def latency_s(self) -> float:
        """The online latency in seconds."""
        return self.client.online.latency_s

    def record(self, party: str, phase: str) -> PhaseRecord:
        """Returns the record of ``client`` or ``server`` for the phase ``offline`` or ``online``."""
        report: OfflineReport | OnlineReport | ServerPhase = getattr(getattr(self, party), phase)
        return report.record

    @property
    def failures(self) -> list[str]:
        """One sentence per wrong layer, and one about wrong logits."""
        found = [] if self.verdict is None else list(self.verdict.failures)
        return found if self.logits_failure is None else [*found, self.logits_failure]

    @property
    def passed(self) -> bool:
        """Whether no check found anything wrong. A run that was not checked has passed."""
        return not self.failures


@dataclass(slots=True)
class Measurement:
    """All results of one `pi-bench latency`.

    ```python
    from statistics import median

    def median_latency_s(measurement: Measurement) -> float:
        return median(run.latency_s for run in measurement.runs)
    ```
    """

    start_s: float  # from spawning both parties until the client is set up, without `prepare_s`
    prepare_s: float  # the server's work that serves all its clients
    weight_cache_bytes: int  # the bound that the server has
    set_up_s: float  # connection, handshake, keys and base OTs
    handshake_s: float
    client_set_up: PhaseRecord
    server_set_up: PhaseRecord
    placement: Placement
    probed_link: dict[str, float] | None = None  # rates and delay of an emulated or real link, as probed
    warmup_s: list[float] = field(default_factory=list)  # online latencies of the untimed runs
    runs: list[Run] = field(default_factory=list)
    logits: np.ndarray = field(default_factory=lambda: np.empty(0))
    interruption: int | None = None  # the exit code, where Ctrl-C or SIGTERM came
    machine_use: MachineUse = field(default_factory=MachineUse)
    failure: PiBenchError | None = None  # ended the measurement after the runs
    traced: Run | None = None  # the inference of the timelines, which is none of the runs
    timelines: InferenceTimelines | None = None
