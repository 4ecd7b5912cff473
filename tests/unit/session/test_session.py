import gc
import time

import numpy as np
import pytest

from pi_bench.channel.frame import HEADER_BYTES, FrameKind, PhaseHeaders
from pi_bench.errors import PeerError
from pi_bench.protocol.script import NO_OP
from pi_bench.protocol.span import Span
from pi_bench.session import Phase, PhaseRecord, Session
from pi_bench.session.commands import (
    Command,
    receive_command,
    receive_ready,
    send_command,
    send_ready,
)

from .conftest import Both, Sessions


def span(record: PhaseRecord, op_id: int, part: str = "") -> Span:
    (found,) = [span for span in record.spans if (span.op_id, span.part) == (op_id, part)]
    return found


def test_bytes_and_rounds_by_step(sessions: Sessions, both: Both) -> None:
    client, server = sessions

    def run_client() -> PhaseRecord:
        with client.phase(Phase.ONLINE, 4) as records:
            with client.step(0):
                client.send(np.arange(10, dtype=np.uint32), b"abc")
            with client.step(1):
                buffer = np.empty((2, 3), np.uint16)
                client.receive_into(buffer)
                assert buffer.tolist() == [[0, 1, 2], [3, 4, 5]]
                client.send(b"")
            client.flush()
        return records[0]

    def run_server() -> PhaseRecord:
        with server.phase(Phase.ONLINE, 4) as records:
            with server.step(0):
                assert server.receive(43) == np.arange(10, dtype=np.uint32).tobytes() + b"abc"
            with server.step(1):
                server.send(np.arange(6, dtype=np.uint16).reshape(2, 3))
                server.receive(0)
        return records[0]

    at_client, at_server = both(run_client, run_server)
    assert span(at_client, 0).sent_bytes == span(at_server, 0).received_bytes == 43
    assert span(at_client, 1).received_bytes == span(at_server, 1).sent_bytes == 12
    assert span(at_client, 1).sent_wire_bytes == HEADER_BYTES
    assert span(at_client, 1).sent_count == 1
    assert at_client.depth == at_server.depth == 3  # out, back, out again
    for record in (at_client, at_server):
        assert [span(record, op_id).depth_count for op_id in (0, 1)] == [1, 2]
    assert at_client.inference_id == 4
    assert PhaseRecord.from_dict(at_client.as_dict()) == at_client


def test_messages_that_wait_for_none_share_a_round(sessions: Sessions, both: Both) -> None:
    client, server = sessions

    def run_client() -> PhaseRecord:
        with client.phase(Phase.ONLINE, 1) as records:
            for _ in range(5):
                client.send(b"x")
            client.receive(1)
        return records[0]

    def run_server() -> PhaseRecord:
        with server.phase(Phase.ONLINE, 1) as records:
            for _ in range(5):
                server.receive(1)
            server.send(b"y")
        return records[0]

    at_client, at_server = both(run_client, run_server)
    assert at_client.depth == at_server.depth == 2


def test_commands_between_phases_belong_to_none(sessions: Sessions, both: Both) -> None:
    client, server = sessions

    def run(session: Session, sends: bool) -> PhaseRecord:
        with session.phase(Phase.OFFLINE, 1) as records:
            (session.send(b"xyz") if sends else session.receive(3))
        (session.send(b"go") if sends else session.receive(2))
        return records[0]

    at_client, at_server = both(lambda: run(client, True), lambda: run(server, False))
    assert sum(span.sent_bytes for span in at_client.spans) == 3
    assert sum(span.received_bytes for span in at_server.spans) == 3


def test_time_is_booked_to_the_innermost_step(sessions: Sessions, both: Both) -> None:
    client, server = sessions

    def run_client() -> PhaseRecord:
        with client.phase(Phase.OFFLINE, 1) as records:
            with client.step(3, "he"):
                time.sleep(0.05)
                with client.step(3, "ot"):
                    time.sleep(0.02)
                time.sleep(0.05)
            client.receive(1)
        return records[0]

    def run_server() -> None:
        with server.phase(Phase.OFFLINE, 1):
            time.sleep(0.25)
            server.send(b"x")

    record, _ = both(run_client, run_server)
    assert span(record, 3, "he").compute_s >= 0.1
    assert span(record, 3, "ot").compute_s >= 0.02
    assert span(record, -1).wait_s > 0.02
    booked = sum(s.compute_s + s.send_s + s.wait_s for s in record.spans)
    assert booked == pytest.approx(record.wall_s, rel=0.02)
    assert record.cpu_s < record.wall_s
    assert record.peak_memory_bytes > 10_000_000


@pytest.mark.parametrize(
    ("client_frame", "server_frame", "text"),
    [
        ((Phase.ONLINE, 1, 5), (Phase.ONLINE, 1, 6), "step 5 came where step 6"),
        ((Phase.ONLINE, 1, 5), (Phase.ONLINE, 2, 5), "inference 1 came where inference 2"),
        ((Phase.OFFLINE, 1, 5), (Phase.ONLINE, 1, 5), "kind offline came where"),
    ],
)
def test_parties_out_of_step(
    sessions: Sessions,
    both: Both,
    client_frame: tuple[Phase, int, int],
    server_frame: tuple[Phase, int, int],
    text: str,
) -> None:
    client, server = sessions

    def run_client() -> None:
        with client.phase(*client_frame[:2]), client.step(client_frame[2]):
            client.send(b"x")

    def run_server() -> None:
        with server.phase(*server_frame[:2]), server.step(server_frame[2]):
            server.receive(1)

    _, error = both(run_client, run_server)
    assert isinstance(error, PeerError)
    assert text in str(error)


def test_message_of_another_session(sessions: Sessions) -> None:
    client = sessions[0]
    client._headers = PhaseHeaders(FrameKind.COMMAND, client.session_id + 1, 0)
    client.send(b"x")
    with pytest.raises(PeerError, match="session 00000000feedfacf came where session 00000000feedface"):
        sessions[1].receive(1)


def test_lost_and_repeated_messages_are_noticed(sessions: Sessions) -> None:
    client, server = sessions
    client.send(b"x")
    client._sent_slices.clear()  # the second message repeats the number of the first
    client.send(b"y")
    server.receive(1)
    with pytest.raises(PeerError, match="message number 0 came where message number 1"):
        server.receive(1)


@pytest.mark.parametrize("depth", [0, 2, 2**32 - 1])
def test_impossible_depth(sessions: Sessions, depth: int) -> None:
    client, server = sessions
    client.channel.send_encoded(client._header(NO_OP, {}, depth, 1), [memoryview(b"x")], 1)
    with pytest.raises(PeerError, match="dependent messages"):
        server.receive(1)


def test_message_number_wraps(sessions: Sessions) -> None:
    client, server = sessions
    client._sent_slices[0xFFFF] = server._received_slices[0xFFFF] = 0xFFFF
    for _ in range(2):
        client.send(b"x")
        server.receive(1)


def test_buffers_are_validated(sessions: Sessions) -> None:
    client, server = sessions
    with pytest.raises(ValueError, match="C-contiguous"):
        client.send(np.zeros((4, 4))[:, ::2])
    frozen = np.zeros(4)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        server.receive_into(frozen)
    with pytest.raises(ValueError, match="does not fit"), client.step(0xFFFF):
        pass


def test_empty_arrays_travel(sessions: Sessions) -> None:
    sessions[0].send(np.zeros((0, 4), np.uint8))
    sessions[1].receive_into(np.zeros((3, 0)))


def test_commands(sessions: Sessions) -> None:
    client, server = sessions
    send_command(client, Command.INFER, 7)
    assert receive_command(server) == (Command.INFER, 7)
    send_ready(server)
    receive_ready(client)
    client.send(b"\x63\0\0\0\0\0\0\0")
    with pytest.raises(PeerError, match="unknown command 99"):
        receive_command(server)
    server.send(b"no")
    with pytest.raises(PeerError, match="ready"):
        receive_ready(client)


def test_cycles_are_not_collected_within_an_online_phase_alone(sessions: Sessions) -> None:
    client, _ = sessions
    with client.phase(Phase.OFFLINE, 1):
        assert gc.isenabled()
    with pytest.raises(PeerError), client.phase(Phase.ONLINE, 1):
        assert not gc.isenabled()
        raise PeerError("the other party gave up")
    assert gc.isenabled()
