"""The server party: holds program and weights, and follows the client's commands."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from pi_bench.channel import Channel
from pi_bench.channel.link import Pace
from pi_bench.errors import PeerError, PiBenchError
from pi_bench.launch.measurement_responder import MeasurementResponder, MeasuringTerms
from pi_bench.network.program import Program, Weights
from pi_bench.network.program.codec import program_digest, program_to_bytes
from pi_bench.protocol import Party, PartyProtocol, Preprocessing, ProtocolInfo, ProtocolOptions, ShareTrace
from pi_bench.session import Phase, PhaseRecord, Session
from pi_bench.session.clock import answer_clock_as_server
from pi_bench.session.commands import Command, receive_command, send_ready
from pi_bench.session.handshake import Offer, greet_as_server
from pi_bench.session.integrity import compare_checksums
from pi_bench.session.probe import probe_as_server
from pi_bench.session.timeline_messages import send_timelines

_END_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class ServerReport:
    """One phase as the server saw it.

    Attributes:
        storage_bytes: size of the preprocessing, after an offline phase.
        trace: the server's shares, after an online phase and only if they were asked for.

    ```python
    def print_wall_time(report: ServerReport) -> None:
        print(report.record.phase, report.record.wall_s)
    ```
    """

    record: PhaseRecord
    storage_bytes: int = 0
    trace: ShareTrace | None = None


Report = Callable[[ServerReport], None]


def _drop(report: ServerReport) -> None:
    del report


class Server:
    """Server of one program with one protocol, for any number of clients one after another.

    Args:
        measuring: what it gives to clients that measure; None gives them nothing.

    Raises:
        UsageError: the program or the options do not go with the protocol.

    ```python
    from pi_bench.channel import Address, accept, listen

    def serve_one(server: Server, address: str) -> int:
        with listen(Address.parse(address)) as listener:
            connection, _ = accept(listener)
            return server.serve(connection)
    ```
    """

    def __init__(
        self,
        program: Program,
        weights: Weights,
        info: ProtocolInfo,
        options: ProtocolOptions,
        *,
        timeout_s: float,
        idle_timeout_s: float | None = None,
        poll_s: float = 0.0,
        pace: Pace | None = None,
        measuring: MeasuringTerms | None = None,
    ) -> None:
        options = info.configure(
            options.mode,
            options.values,
            threads=options.threads,
            weight_cache_bytes=options.weight_cache_bytes,
            ahead=options.ahead,
        )  # with every default, as the client will have them
        info.require(program, options)
        self._program = program
        self._weights = weights
        self._info = info
        self._options = options
        started = time.perf_counter()
        self._prepared = info.server.prepare(program, options, weights)
        self._prepare_s = time.perf_counter() - started
        self._measuring = measuring
        self._timeout_s = timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._poll_s = poll_s
        self._pace = pace
        self._offer = Offer(
            info.name,
            options.mode,
            program_digest(program),
            program_to_bytes(program),
            dict(options.values),
            options.ahead,
            dict(info.constants),
        )

    def serve(self, connection: socket.socket, report: Report = _drop, *, tracing: bool = False) -> int:
        """Serves one client from its handshake until it leaves, and returns the number of its inferences.

        Args:
            report: gets the record of each phase after the phase.
            tracing: whether reports hold the server's shares.

        Raises:
            ConnectionFailedError: the client is lost or silent.
            PeerError: the client breaks the protocol.
            PiBenchError: the protocol failed.
        """
        channel = Channel(connection, timeout_s=self._timeout_s, poll_s=self._poll_s, pace=self._pace)
        try:
            agreement = greet_as_server(channel, self._offer)
        except BaseException:
            channel.close()
            raise
        session = Session(channel, Party.SERVER, session_id=agreement.session_id, binding=agreement.binding)
        client: _ClientSession | None = None
        try:
            protocol = self._info.server(session, self._program, self._options, self._weights, self._prepared)
            measured = self._measured(session)
            client = _ClientSession(session, protocol, report, tracing, measured)
            client.set_up()
            while True:
                channel.set_receive_timeout(self._idle_timeout_s)
                command, inference_id = receive_command(session)
                channel.set_receive_timeout(self._timeout_s)
                if command is Command.END:
                    client.end(inference_id)
                    # The client closes when it has found this server's last message whole.
                    channel.receive_end(min(_END_TIMEOUT_S, self._timeout_s))
                    return client.inference_count
                if command is Command.PROBE:
                    if self._pace is None and not measured.active:
                        raise PeerError("the client wants to probe a link, and this server does not measure")
                    probe_as_server(session, inference_id)
                elif command is Command.MEASURE:
                    measured.begin(inference_id)
                elif command is Command.RECORDS:
                    measured.send_records(inference_id)
                elif command is Command.SHARES:
                    measured.send_shares(inference_id)
                elif command in (Command.CLOCK, Command.TRACE, Command.TIMELINES):
                    client.show_times(command, inference_id)
                elif command is Command.PREPROCESS:
                    client.preprocess(inference_id)
                else:
                    client.infer(inference_id)
        except Exception as error:
            # Only expected errors carry a text that is fit for the peer.
            session.abort(str(error) if isinstance(error, PiBenchError) else "internal error at the server")
            raise
        finally:
            if client is not None:
                client.close()
            session.close()

    def _measured(self, session: Session) -> MeasurementResponder:
        facts = {
            "threads": self._options.threads,
            "weight_cache_bytes": self._options.weight_cache_bytes,
            "prepare_s": self._prepare_s,
        }
        return MeasurementResponder(session, self._program, self._measuring, facts)


class _ClientSession:
    """Carries out the commands of one client.

    At most as many inferences are preprocessed and not used as one offline phase prepares, which is the
    server's choice. So a client cannot fill the server's memory. Each inference is used once, in the order of
    the ids. A client may leave some out, and their preprocessing is burned.
    """

    def __init__(
        self,
        session: Session,
        protocol: PartyProtocol,
        report: Report,
        tracing: bool,
        measured: MeasurementResponder,
    ) -> None:
        self._session = session
        self._protocol = protocol
        self._launcher_report = report
        self._measured = measured
        self._tracing = tracing
        self._materials: deque[Preprocessing] = deque()
        self._offline: ServerReport | None = None
        self._last_id = 0  # of the inferences that were preprocessed
        self._used_id = 0  # of the last inference that ran
        self.inference_count = 0

    def set_up(self) -> None:
        with self._session.phase(Phase.SET_UP, 0) as records:
            self._protocol.set_up()
            self._session.flush()
        self._report(ServerReport(records[0]))

    def preprocess(self, inference_id: int) -> None:
        if inference_id != self._last_id + 1:
            raise PeerError(f"the client asked for inference {inference_id} after {self._last_id}")
        self.burn()
        self._session.trace = self._new_trace()
        with self._session.phase(Phase.OFFLINE, inference_id) as records:
            self._materials.extend(self._protocol.preprocess_ahead(inference_id))
            self._session.flush()
        count = len(self._materials)
        self._last_id += count
        send_ready(self._session)
        self._offline = ServerReport(records[0].per_inference(count), self._materials[0].storage_bytes)
        self._report(self._offline)

    def infer(self, inference_id: int) -> None:
        material = self._take(inference_id)
        try:
            self._session.trace = material.trace or self._new_trace()
            send_ready(self._session)
            with self._session.phase(Phase.ONLINE, inference_id) as records:
                self._protocol.infer(material, None)
                self._session.flush()
        finally:
            material.burn()
        compare_checksums(self._session)
        self.inference_count += 1
        assert self._offline is not None
        of_phase = self._offline.record
        if inference_id != of_phase.inference_id:  # each inference has a report of its part of the phase
            own = replace(of_phase, inference_id=inference_id)
            self._report(replace(self._offline, record=own))
        self._report(ServerReport(records[0], trace=self._session.trace))
        self._session.trace = None

    def _take(self, inference_id: int) -> Preprocessing:
        """Returns the preprocessing of an inference, and burns that of the earlier ones."""
        if 0 < inference_id <= self._last_id and inference_id not in self._ready_ids:
            raise PeerError(
                f"the client asked for inference {inference_id}, whose material was used or dropped before"
            )
        if inference_id not in self._ready_ids:
            raise PeerError(f"the client asked for inference {inference_id}, which was not preprocessed")
        while (material := self._materials.popleft()).inference_id != inference_id:
            material.burn()
        self._used_id = inference_id
        return material

    @property
    def _ready_ids(self) -> list[int]:
        return [material.inference_id for material in self._materials]

    def _new_trace(self) -> ShareTrace | None:
        return ShareTrace() if self._tracing or self._measured.wants_shares else None

    def show_times(self, command: Command, number: int) -> None:
        """Answers a client that draws the next inference, or the last one, on one clock."""
        if not (self._tracing or self._measured.active):
            raise PeerError("the client asks for times of this server, which does not measure")
        if command is Command.CLOCK:
            answer_clock_as_server(self._session, number)
        elif command is Command.TRACE:
            if number != self._last_id + 1:
                raise PeerError(f"the client asks to trace inference {number} after {self._last_id}")
            self._session.timelines = {}
        else:
            timelines, self._session.timelines = self._session.timelines, None
            if timelines is None or number != self._used_id:
                raise PeerError(
                    f"the client asks for the timelines of inference {number}, which are not there"
                )
            send_timelines(self._session, timelines)

    def end(self, inference_id: int) -> None:
        """Ends the session, after both parties have checked that every message arrived as it was sent."""
        if inference_id != self._last_id:
            raise PeerError(
                f"the client ends after inference {inference_id}, the last one was {self._last_id}"
            )
        compare_checksums(self._session, answering=True)
        self._session.flush()

    def close(self) -> None:
        """Burns preprocessing that was not used and wipes the protocol's secrets."""
        self.burn()
        self._protocol.close()

    def _report(self, report: ServerReport) -> None:
        shares = None if report.trace is None else report.trace.arrays
        self._measured.keep(report.record, report.storage_bytes, shares)
        self._launcher_report(report)

    def burn(self) -> None:
        while self._materials:
            self._materials.popleft().burn()
