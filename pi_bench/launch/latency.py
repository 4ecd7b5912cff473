"""Measures inferences: starts both parties on loopback, leads them through the runs, verifies each."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from pi_bench.launch.measurement import LatencyOptions, Measurement, Run
from pi_bench.launch.model import LoadedModel
from pi_bench.launch.party_records import (
    ClientRun,
    Listening,
    ServerPhase,
    ServerRun,
    SetUpRecord,
    record_of,
)
from pi_bench.launch.placement import Placement
from pi_bench.launch.processes import START_TIMEOUT_S, Parties
from pi_bench.launch.requests import ConnectRequest, ServeRequest
from pi_bench.launch.timed_runs import RunningSession, measure_session
from pi_bench.launch.timelines import InferenceTimelines
from pi_bench.launch.verification import RunVerifier
from pi_bench.progress import Progress
from pi_bench.protocol import Party, ProtocolInfo

LOOPBACK = "127.0.0.1"


class MeasuringSession(RunningSession):
    """Both parties of a measurement in two processes, and a context that ends them.

    Args:
        inputs: float, of the input's shape.
        placement: of the parties' threads and cores.

    Raises:
        PiBenchError: a party failed; the message names it.

    ```python
    def two_latencies_s(session: MeasuringSession) -> list[float]:
        with session:
            runs = [session.run() for _ in range(2)]
            session.end()
        return [run.latency_s for run in runs]
    ```
    """

    def __init__(
        self,
        model: LoadedModel,
        info: ProtocolInfo,
        options: LatencyOptions,
        placement: Placement,
        inputs: np.ndarray,
        verifier: RunVerifier,
    ) -> None:
        super().__init__(Parties(placement, options.timeout_s), options.stopping)
        self.model, self.info, self._options, self.placement = model, info, options, placement
        self._inputs, self._verifier = inputs, verifier

    @property
    def options(self) -> LatencyOptions:
        """The options of the measurement."""
        return self._options

    def end(self) -> None:
        """Ends the session between the parties, who compare their checksums."""
        _tell_both(self._parties, "end", {})

    def _start(self) -> Measurement:
        return _start(self._parties, self.model, self.info, self._options, self.placement, self._inputs)

    def _run_once(self, fields: dict[str, Any]) -> tuple[Run, np.ndarray]:
        run, logits, self.measurement.probed_link = _run_once(self._parties, self._verifier, fields)
        return run, logits

    def _timelines(self) -> InferenceTimelines:
        _tell_both(self._parties, "timelines", {})
        found, _ = self._parties.receive(Party.CLIENT, "timelines")
        return record_of(InferenceTimelines, found)


def measure_latency(
    model: LoadedModel,
    info: ProtocolInfo,
    options: LatencyOptions,
    placement: Placement,
    inputs: np.ndarray,
    verifier: RunVerifier,
    progress: Progress,
) -> Measurement:
    """Measures warm-up and timed runs of a protocol in two processes. `inputs` is float, of the input's
    shape.

    Ctrl-C after the first timed run ends the measurement with the runs that have finished.

    Raises:
        PiBenchError: a party failed; the message names it.
        KeyboardInterrupt: no timed run has finished.

    ```python
    from pi_bench.launch.placement import place
    from pi_bench.launch.stopping import Stopping
    from pi_bench.network.program.fixed_point import encode_input
    from pi_bench.progress import silent
    from pi_bench.registry import default_protocol

    def measured(model: LoadedModel, inputs: np.ndarray) -> Measurement:
        info, encoded = default_protocol(), encode_input(model.program, inputs)
        protocol = info.configure()
        verifier = RunVerifier(model.program, model.weights, info.law(protocol), encoded)
        options = LatencyOptions(protocol, Stopping(runs=5), timeout_s=120.0)
        return measure_latency(model, info, options, place(1), inputs, verifier, silent)
    ```
    """
    session = MeasuringSession(model, info, options, placement, inputs, verifier)
    return measure_session(session, progress)


def _start(
    parties: Parties,
    model: LoadedModel,
    info: ProtocolInfo,
    options: LatencyOptions,
    placement: Placement,
    inputs: np.ndarray,
) -> Measurement:
    started = time.perf_counter()
    parties.start(Party.SERVER)
    parties.start(Party.CLIENT)
    for party in Party:  # only then do their time-outs run: starting may take longer on a busy machine
        parties.receive(party, "started", START_TIMEOUT_S)
    parties.send(
        Party.SERVER,
        "serve",
        ServeRequest(
            protocol=info.name,
            options=options.protocol,
            host=LOOPBACK,
            port=0,
            timeout_s=options.timeout_s,
            idle_timeout_s=options.timeout_s,
            poll_s=placement.poll_s,
            link=options.link,
            measuring=True,
        ).as_fields(),
        model.as_arrays(),
    )
    fields, _ = parties.receive(Party.SERVER, "listening")  # preparing weights may take minutes
    server = record_of(Listening, fields)
    parties.send(
        Party.CLIENT,
        "connect",
        ConnectRequest(
            host=server.host,
            port=server.port,
            expect_digest=options.expect_digest,
            threads=placement.threads,
            timeout_s=options.timeout_s,
            poll_s=placement.poll_s,
            link=options.link,
        ).as_fields(),
        {"input": inputs},
    )
    at_server, _ = parties.receive(Party.SERVER, "record")
    at_client, _ = parties.receive(Party.CLIENT, "ready")
    set_up = record_of(SetUpRecord, at_client)
    return Measurement(
        start_s=time.perf_counter() - started - server.prepare_s,
        prepare_s=server.prepare_s,
        weight_cache_bytes=server.weight_cache_bytes,
        set_up_s=set_up.set_up_s,
        handshake_s=set_up.handshake_s,
        client_set_up=set_up.record,
        server_set_up=record_of(ServerPhase, at_server).record,
        placement=placement,
    )


def _tell_both(parties: Parties, kind: str, fields: dict[str, Any]) -> None:
    """Sends a message to both parties. Their time-outs run only while both have something to do.

    The server gets it first, since it may end as soon as the client does.
    """
    for party in (Party.SERVER, Party.CLIENT):
        parties.send(party, kind, fields)


def _run_once(
    parties: Parties, verifier: RunVerifier, fields: dict[str, Any]
) -> tuple[Run, np.ndarray, dict[str, float] | None]:
    """Preprocesses, runs and verifies. Both parties wait while the launcher verifies."""
    _tell_both(parties, "run", fields)
    offline, _ = parties.receive(Party.SERVER, "record")
    online, server_arrays = parties.receive(Party.SERVER, "record")
    done, client_arrays = parties.receive(Party.CLIENT, "done")
    logits, output = client_arrays.pop("logits"), client_arrays.pop("output")
    verdict = verifier.verify(client_arrays, server_arrays, output)
    client = record_of(ClientRun, done)
    server = ServerRun(offline=record_of(ServerPhase, offline), online=record_of(ServerPhase, online))
    return Run(client, server, verdict), logits, client.probed_link
