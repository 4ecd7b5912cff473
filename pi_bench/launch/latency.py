"""Measures inferences: starts both parties on loopback, leads them through the runs, verifies each."""

from __future__ import annotations

import logging
import time
from typing import Self

import numpy as np

from pi_bench.errors import interruption_code
from pi_bench.launch.measurement import LatencyOptions, Measurement, Run
from pi_bench.launch.model import LoadedModel
from pi_bench.launch.placement import Placement
from pi_bench.launch.processes import START_TIMEOUT_S, Parties
from pi_bench.launch.requests import ConnectRequest, ServeRequest
from pi_bench.launch.stopping import stopwatch
from pi_bench.launch.verification import RunVerifier
from pi_bench.progress import Progress
from pi_bench.protocol import Party, ProtocolInfo
from pi_bench.session import PhaseRecord

LOOPBACK = "127.0.0.1"
_log = logging.getLogger(__name__)


class MeasuringSession:
    """Both parties of a measurement in two processes, and a context that ends them.

    `inputs`: float, of the input's shape. `placement`: of the parties' threads and cores.

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
        self.model, self.info, self.options, self.placement = model, info, options, placement
        self._inputs, self._verifier = inputs, verifier
        self._parties = Parties(placement, options.timeout_s)
        self._measurement: Measurement | None = None

    @property
    def measurement(self) -> Measurement:
        """The results so far. They exist from the start of the context on."""
        assert self._measurement is not None, "the context has not started"
        return self._measurement

    def __enter__(self) -> Self:
        self._parties.__enter__()
        try:
            self._measurement = _start(
                self._parties, self.model, self.info, self.options, self.placement, self._inputs
            )
        except BaseException:
            self._parties.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._parties.__exit__(*error)

    def run(self, *, timed: bool = True) -> Run:
        """Preprocesses, runs and verifies once, and adds the run to `measurement`.

        An untimed run whose verification fails is added too: a wrong warm-up is a wrong run.
        """
        measurement = self.measurement
        run, logits, measurement.probed_link = _run_once(self._parties, self._verifier)
        _log.info(
            "%s: offline %.4f s, online %.4f s, %s",
            *("run" if timed else "warm-up", run.offline_s, run.latency_s),
            "verified" if run.verdict.passed else "NOT verified",
        )
        if not timed:
            measurement.warmup_s.append(run.latency_s)
        if timed or not run.verdict.passed:
            measurement.logits = logits
            measurement.runs.append(run)
        return run

    def warm_up(self, progress: Progress) -> bool:
        """Runs untimed until the options say that it is enough. Returns whether all runs were right."""
        stopping, done = self.options.stopping, self.measurement.warmup_s
        while not stopping.warm(done):
            progress("warm-up", len(done), stopping.most)
            if not self.run(timed=False).verdict.passed:
                return False
        return True

    def end(self) -> None:
        """Ends the session between the parties, who compare their checksums."""
        _tell_both(self._parties, "end")


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
    measurement: Measurement | None = None
    try:
        progress("starting both parties", 0, options.stopping.most)
        with session:
            measurement = session.measurement
            if session.warm_up(progress):
                _run_timed(session, progress)
            session.end()
        progress("done", 1, 1)
    except KeyboardInterrupt as interruption:
        if measurement is None or not measurement.runs:
            raise
        measurement.interruption = interruption_code(interruption)
    return measurement


def _run_timed(session: MeasuringSession, progress: Progress) -> None:
    """Runs until the options say that it is enough, or a run is wrong."""
    stopping, untimed, elapsed_s = session.options.stopping, len(session.measurement.warmup_s), stopwatch()
    latencies_s: list[float] = []
    while not stopping.enough(latencies_s, elapsed_s()):
        done = untimed + len(latencies_s)
        progress("run", done, max(done, untimed + stopping.runs))
        run = session.run()
        latencies_s.append(run.latency_s)
        if not run.verdict.passed:
            return


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
    address, _ = parties.receive(Party.SERVER, "listening", START_TIMEOUT_S)
    parties.send(
        Party.CLIENT,
        "connect",
        ConnectRequest(
            host=address["host"],
            port=address["port"],
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
    return Measurement(
        start_s=time.perf_counter() - started - address["prepare_s"],
        prepare_s=address["prepare_s"],
        set_up_s=at_client["set_up_s"],
        handshake_s=at_client["handshake_s"],
        client_set_up=PhaseRecord.from_dict(at_client["set_up"]),
        server_set_up=PhaseRecord.from_dict(at_server["record"]),
        placement=placement,
    )


def _tell_both(parties: Parties, kind: str) -> None:
    """Sends a message to both parties. Their time-outs run only while both have something to do."""
    for party in Party:
        parties.send(party, kind, {})


def _run_once(parties: Parties, verifier: RunVerifier) -> tuple[Run, np.ndarray, dict[str, float] | None]:
    """Preprocesses, runs and verifies. Both parties wait while the launcher verifies."""
    _tell_both(parties, "run")
    server_offline, _ = parties.receive(Party.SERVER, "record")
    server_online, server_arrays = parties.receive(Party.SERVER, "record")
    done, client_arrays = parties.receive(Party.CLIENT, "done")
    logits, output = client_arrays.pop("logits"), client_arrays.pop("output")
    verdict = verifier.verify(client_arrays, server_arrays, output)
    run = Run(
        offline_s=done["offline_s"],
        material_load_s=done["material_load_s"],
        latency_s=done["latency_s"],
        client_offline=PhaseRecord.from_dict(done["offline"]),
        server_offline=PhaseRecord.from_dict(server_offline["record"]),
        client_online=PhaseRecord.from_dict(done["online"]),
        server_online=PhaseRecord.from_dict(server_online["record"]),
        client_storage_bytes=done["storage_bytes"],
        server_storage_bytes=server_offline["storage_bytes"],
        verdict=verdict,
    )
    return run, logits, done["probed_link"]
