"""The server's records as messages: whole ones arrive, and others are refused by a `PeerError`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_bench.errors import PeerError
from pi_bench.launch.measurement_responder import VERIFY, MeasurementResponder, MeasuringTerms
from pi_bench.network.program import Program
from pi_bench.protocol.span import Span
from pi_bench.session import Phase, PhaseRecord
from pi_bench.session import server_figures as wire
from pi_bench.session.commands import Command, receive_command
from pi_bench.session.probe import MAX_BYTES, probe_as_server, probe_unknown_link
from pi_bench.testing import small_network

from .conftest import Both, Sessions


@pytest.fixture(scope="module")
def program() -> Program:
    return small_network()[0]


def record(phase: Phase, **changes: Any) -> PhaseRecord:
    spans = [Span(-1, ""), Span(2, "garbling", compute_s=0.25, sent_bytes=7, depth_count=1)]
    fields = {"inference_id": 3, "wall_s": 0.5, "cpu_s": 0.4, "peak_memory_bytes": 1 << 20}
    return PhaseRecord(phase, peak_memory_by_phase=True, depth=2, **{**fields, "spans": spans, **changes})


def test_records_arrive_as_they_are(sessions: Sessions, both: Both, program: Program) -> None:
    client, server = sessions
    offline, online = record(Phase.OFFLINE), record(Phase.ONLINE, wall_s=0.0625)
    found, error = both(
        lambda: wire.receive_records(client, program, 3),
        lambda: wire.send_records(server, offline, online, storage_bytes=12),
    )
    assert error is None
    assert found == (offline, online, 12)


def long_part(values: dict[str, Any]) -> None:
    values["online"]["spans"][1]["part"] = "x" * 200


def escape(values: dict[str, Any]) -> None:
    values["online"]["spans"][1]["part"] = "\x1b[2J"


def other_operator(values: dict[str, Any]) -> None:
    values["offline"]["spans"][1]["op_id"] = 99


def other_inference(values: dict[str, Any]) -> None:
    values["online"]["inference_id"] = 4


def swapped(values: dict[str, Any]) -> None:
    values["online"], values["offline"] = values["offline"], values["online"]


def negative(values: dict[str, Any]) -> None:
    values["online"]["wall_s"] = -1.0


def endless(values: dict[str, Any]) -> None:
    values["online"]["wall_s"] = 1e300


def unknown_field(values: dict[str, Any]) -> None:
    values["weights"] = []


@pytest.mark.parametrize(
    "change",
    [long_part, escape, other_operator, other_inference, swapped, negative, endless, unknown_field],
)
def test_a_record_that_does_not_fit_is_refused(
    change: Any, sessions: Sessions, both: Both, program: Program
) -> None:
    client, server = sessions
    values = {
        "offline": record(Phase.OFFLINE).as_dict(),
        "online": record(Phase.ONLINE).as_dict(),
        "storage_bytes": 12,
    }
    change(values)
    data = json.dumps(values).encode()

    def send() -> None:
        server.send(len(data).to_bytes(4, "little"))
        server.send(data)
        server.flush()

    found, error = both(lambda: wire.receive_records(client, program, 3), send)
    assert error is None
    assert isinstance(found, PeerError), found


@pytest.mark.slow
@given(data=st.binary(min_size=1, max_size=300))
def test_no_bytes_raise_another_error(data: bytes) -> None:
    sent = [len(data).to_bytes(4, "little"), data]

    class Pipe:
        def receive(self, byte_count: int) -> bytearray:
            return bytearray(sent.pop(0)[:byte_count])

    with pytest.raises(PeerError, match="the server's record is malformed"):
        wire.receive_records(Pipe(), small_network()[0], 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [0, wire.MAX_DOCUMENT_BYTES + 1])
def test_an_announced_length_is_bounded(
    length: int, sessions: Sessions, both: Both, program: Program
) -> None:
    client, server = sessions
    found, _ = both(
        lambda: wire.receive_records(client, program, 3),
        lambda: server.send(length.to_bytes(4, "little")),
    )
    assert isinstance(found, PeerError) and f"{length:,} bytes" in str(found)


def test_a_server_gives_shares_only_where_both_parties_agreed(sessions: Sessions, program: Program) -> None:
    """The command SHARES alone gets nothing, whatever the server's terms are."""
    shares = {name: np.zeros(shape, np.uint32) for name, shape in wire.share_names(program).items()}
    for terms in (None, MeasuringTerms(), MeasuringTerms(insecure_verify=True)):
        client = MeasurementResponder(sessions[1], program, terms, {})
        client.keep(record(Phase.ONLINE), 0, shares)
        with pytest.raises(PeerError, match="which are not there"):
            client.send_shares(3)
    for terms in (None, MeasuringTerms()):
        with pytest.raises(PeerError):
            MeasurementResponder(sessions[1], program, terms, {}).begin(VERIFY)


def test_a_probe_grows_until_it_takes_a_fifth_of_a_second(sessions: Sessions, both: Both) -> None:
    """On a clock of our own: 8 Mbit/s each way behind a round trip of 10 ms."""
    client, server = sessions
    now, sizes = [0.0], [0]

    def clock() -> float:
        now[0] += 0.01 + sizes[-1] / 1e6 if started[0] and transfers() else 0.01 if started[0] else 1.0
        started[0] = not started[0]
        return now[0]

    calls, started = [0], [False]

    def transfers() -> bool:  # of the seven timings of a probe, the last two
        calls[0] += 1
        return calls[0] % 7 in (6, 0)

    def serve() -> None:
        while True:
            command, size = receive_command(server)
            if command is Command.END:
                return
            sizes.append(size)
            probe_as_server(server, size)

    def probe() -> Any:
        from pi_bench.session.commands import send_command

        found = probe_unknown_link(client, clock)
        send_command(client, Command.END, 0)
        return found

    found, error = both(probe, serve)
    assert error is None
    assert found.rtt_s == pytest.approx(0.01)
    assert found.up_bits_per_s == pytest.approx(8e6)
    assert found.down_bits_per_s == pytest.approx(8e6)
    assert 100_000 <= sizes[-1] <= 200_000 <= MAX_BYTES
