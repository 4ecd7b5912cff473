"""The server's records on their way to the launcher."""

from __future__ import annotations

import select
import socket

from pi_bench.launch.control import ControlPipe
from pi_bench.launch.server import ServerReport
from pi_bench.launch.server_process import Reporter
from pi_bench.session import Phase, PhaseRecord


def test_no_record_wakes_the_launcher_before_the_online_phase_has_ended() -> None:
    launcher, server = map(ControlPipe, socket.socketpair())
    report = Reporter(server)
    report(ServerReport(PhaseRecord(Phase.OFFLINE, 1, 0.5, 0.4, 0, True, 2, []), storage_bytes=7))
    assert not select.select([launcher], [], [], 0.05)[0]
    launcher.send("run", {})
    report(ServerReport(PhaseRecord(Phase.ONLINE, 1, 0.1, 0.1, 0, True, 2, [])))
    first, second = launcher.receive()[1], launcher.receive()[1]
    assert (first["record"]["phase"], first["storage_bytes"]) == ("offline", 7)
    assert (second["record"]["phase"], second["storage_bytes"]) == ("online", 0)
    launcher.close()
    server.close()
