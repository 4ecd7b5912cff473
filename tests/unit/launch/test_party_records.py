"""The figures of a run on their way from a party to the launcher."""

from __future__ import annotations

import socket

from pi_bench.launch.client import OfflineReport, OnlineReport
from pi_bench.launch.control import ControlPipe
from pi_bench.launch.measurement import Run
from pi_bench.launch.party_records import ClientRun, ServerPhase, ServerRun, fields_of, record_of
from pi_bench.protocol.span import Span
from pi_bench.session import Phase, PhaseRecord


def record(phase: Phase, wall_s: float) -> PhaseRecord:
    return PhaseRecord(
        phase, 1, wall_s, 0.4, 1 << 20, True, 2, [Span(3, "he", compute_s=wall_s, sent_bytes=9)]
    )


def test_every_figure_of_a_run_arrives_as_it_was_sent() -> None:
    server = ServerRun(
        offline=ServerPhase(record=record(Phase.OFFLINE, 0.3), storage_bytes=7),
        online=ServerPhase(record=record(Phase.ONLINE, 0.1)),
    )
    sent = ClientRun(
        offline=OfflineReport(0.5, record(Phase.OFFLINE, 0.4), storage_bytes=8),
        online=OnlineReport(0.01, 0.2, record(Phase.ONLINE, 0.2)),
        server=server,
        probed_link={"rtt_s": 0.04},
    )
    party, launcher = map(ControlPipe, socket.socketpair())
    party.send("done", fields_of(sent))
    received = record_of(ClientRun, launcher.receive()[1])
    assert received == sent

    run = Run(received, server, verdict=None)
    walls = {
        name: run.record(*name.split()).wall_s
        for name in ("client offline", "server offline", "server online")
    }
    assert walls == {"client offline": 0.4, "server offline": 0.3, "server online": 0.1}
    assert (run.offline_s, run.latency_s) == (0.5, 0.2)
    party.close()
    launcher.close()
