"""Runs the server as a process of its own. It gets program and weights as arrays and imports no torch."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pi_bench.channel import Address, accept, listen
from pi_bench.channel.tcp import local_address
from pi_bench.errors import ConnectionFailedError, PeerGaveUpError, PiBenchError
from pi_bench.launch.child import run_party
from pi_bench.launch.control import ControlClosedError, ControlPipe
from pi_bench.launch.party_records import Listening, ServerPhase, fields_of
from pi_bench.launch.requests import ServeRequest
from pi_bench.launch.server import Server, ServerReport
from pi_bench.launch.weight_cache import weight_cache_bytes
from pi_bench.network.program.codec import program_from_bytes
from pi_bench.registry import find_protocol
from pi_bench.session import Phase

_PROGRAM = "program"


def party(control: ControlPipe) -> None:
    """Runs a server that the launcher leads. With ``measuring`` it serves one client, else any number.

        launcher                          server
          serve, the program     ->
                                 <-       listening, with the address

          measuring:             <-       record, after the set-up
          run                    ->
                                 <-       record of the offline, then of the online phase, after both
          end                    ->

          serving:               <-       client, when it connects
                                 <-       left, lost, stopped or refused, when it is gone

    ```python
    def main() -> None:
        sys.exit(run_party(party))
    ```
    """
    _, fields, arrays = control.receive()
    request = ServeRequest.from_fields(fields)
    bound_bytes = weight_cache_bytes(request.options.weight_cache_bytes)
    options = replace(request.options, weight_cache_bytes=bound_bytes)
    started = time.perf_counter()
    server = Server(
        program_from_bytes(arrays[_PROGRAM].tobytes()),
        {name.removeprefix("w:"): array for name, array in arrays.items() if name.startswith("w:")},
        find_protocol(request.protocol),
        options,
        timeout_s=request.timeout_s,
        idle_timeout_s=request.idle_timeout_s,
        poll_s=request.poll_s,
        pace=None if request.link is None else request.link.down,
        measuring=request.terms,
    )
    prepare_s = time.perf_counter() - started
    with listen(Address(request.host, request.port)) as listener:
        bound = local_address(listener)
        listening = Listening(
            host=bound.host, port=bound.port, prepare_s=prepare_s, weight_cache_bytes=bound_bytes
        )
        control.send("listening", fields_of(listening))
        if request.measuring:
            connection, _ = accept(listener, request.timeout_s)
            server.serve(connection, Reporter(control), tracing=True)
            return
        while True:
            connection, peer = accept(listener)
            _serve_one(server, control, connection, str(peer))


def _serve_one(server: Server, control: ControlPipe, connection: object, peer: str) -> None:
    """Serves a client. If it fails, whatever it sends, no other client is affected."""
    control.send("client", {"peer": peer})
    started = time.perf_counter()
    try:
        count = server.serve(connection)  # type: ignore[arg-type]
    except ControlClosedError:
        raise
    except Exception as error:
        kind, reason = _ending(error)
        control.send(kind, {"peer": peer, "reason": reason.replace("the other party", "the client")})
    else:
        control.send("left", {"peer": peer, "inferences": count, "time_s": time.perf_counter() - started})


def _ending(error: Exception) -> tuple[str, str]:
    """Tells which party or which connection ended the session of a client, and why."""
    match error:
        case PeerGaveUpError():
            return "stopped", str(error).partition(": ")[2]
        case ConnectionFailedError():
            return "lost", str(error)
        case PiBenchError():
            return "refused", str(error)
        case _:
            return "refused", f"internal error: {type(error).__name__}: {error}"


class Reporter:
    """Sends the records of the phases to the launcher.

    The record of an offline phase waits until the online phase has ended. The launcher would otherwise wake
    up and read it on a core of a party that computes in the timed phase.

    >>> import socket
    >>> from pi_bench.session import PhaseRecord
    >>> launcher, server = map(ControlPipe, socket.socketpair())
    >>> report, records = Reporter(server), [
    ...     PhaseRecord(phase, 1, 0.5, 0.4, 1 << 20, True, 2, []) for phase in (Phase.OFFLINE, Phase.ONLINE)
    ... ]
    >>> launcher.send("run", {})  # for after the records
    >>> for record in records:
    ...     report(ServerReport(record))
    >>> [launcher.receive()[1]["record"]["phase"] for _ in records]
    ['offline', 'online']
    >>> launcher.close()
    >>> server.close()
    """

    def __init__(self, control: ControlPipe) -> None:
        self._control = control
        self._offline: ServerReport | None = None

    def __call__(self, report: ServerReport) -> None:
        if report.record.phase is Phase.OFFLINE:
            self._offline = report
            return
        if self._offline is not None:
            self._send(self._offline, {})
            self._offline = None
        self._send(report, {} if report.trace is None else report.trace.arrays)
        self._control.receive()  # between runs the launcher verifies; the client is silent meanwhile

    def _send(self, report: ServerReport, arrays: Mapping[str, np.ndarray]) -> None:
        phase = ServerPhase(record=report.record, storage_bytes=report.storage_bytes)
        self._control.send("record", fields_of(phase), arrays)


if __name__ == "__main__":
    sys.exit(run_party(party))
