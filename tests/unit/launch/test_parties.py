"""Server and client over a real socket in one process, with the insecure dealer."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest

from pi_bench.channel import Address, listen
from pi_bench.channel.tcp import accept, local_address
from pi_bench.errors import ConnectionFailedError, InputError, PeerError, PreprocessingSpentError
from pi_bench.launch.client import Client
from pi_bench.launch.server import Server, ServerReport, _ClientSession
from pi_bench.network.compiler import compile_graph
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import Graph
from pi_bench.network.program.fixed_point import decode_output, encode_input
from pi_bench.protocol import PartyProtocol, Preprocessing, ShareTrace
from pi_bench.registry import find_protocol
from pi_bench.session import Phase
from pi_bench.session.commands import Command, send_command
from pi_bench.session.handshake import ClientRequirements

Visit = Callable[[Client], Any]


class Hall:
    """Runs one client against one server and keeps the server's messages."""

    def __init__(self, graph: Graph, protocol: str = "ideal", ahead: int = 1) -> None:
        self.program, self.weights = compile_graph(graph)
        info, weights = find_protocol(protocol), self.weights
        options = info.configure("exact", ahead=ahead)
        self.server = Server(self.program, weights, info, options, timeout_s=5, idle_timeout_s=5)
        self.reports: list[ServerReport] = []
        self.outcome: Any = None

    def visit(self, action: Visit, *, tracing: bool = False) -> Any:
        with listen(Address("127.0.0.1", 0)) as listener:

            def serve() -> None:
                connection, _ = accept(listener, 5)
                try:
                    self.outcome = self.server.serve(connection, self.reports.append, tracing=tracing)
                except Exception as error:
                    self.outcome = error

            thread = threading.Thread(target=serve)
            thread.start()
            address = local_address(listener)
            try:
                with Client.connect(address, ClientRequirements(), threads=1, timeout_s=5) as client:
                    return action(client)
            finally:
                thread.join(10)
                assert not thread.is_alive()


@pytest.fixture
def hall(tiny_graph: Graph) -> Hall:
    return Hall(tiny_graph)


def test_several_inferences_in_one_session(hall: Hall, tiny_input: np.ndarray) -> None:
    def action(client: Client) -> list[np.ndarray]:
        client.set_up()
        outputs = []
        for factor in (1.0, 0.5):
            offline = client.preprocess()
            assert offline.time_s > 0 and offline.storage_bytes > 0
            online = client.infer(tiny_input * np.float32(factor))
            assert online.report.latency_s <= online.report.record.wall_s
            outputs.append(online.logits)
        client.end()
        return outputs

    first, second = hall.visit(action)
    assert hall.outcome == 2
    assert first.shape == (1, 3) and (first != second).any()
    phases = [report.record.phase for report in hall.reports]
    assert phases == [Phase.SET_UP, *(Phase.OFFLINE, Phase.ONLINE) * 2]
    assert all(report.trace is None for report in hall.reports)


def test_shares_are_kept_on_request(hall: Hall, tiny_input: np.ndarray) -> None:
    trace = ShareTrace()

    def action(client: Client) -> None:
        client.set_up()
        client.preprocess(trace)
        client.infer(tiny_input)
        client.end()

    hall.visit(action, tracing=True)
    at_server = hall.reports[-1].trace
    assert at_server is not None
    name = f"a:{hall.program.input.id}"
    total = at_server.arrays[name] + trace.arrays[name]
    np.testing.assert_array_equal(total, encode_input(hall.program, tiny_input))


def test_inference_without_preprocessing_is_refused(hall: Hall, tiny_input: np.ndarray) -> None:
    def action(client: Client) -> None:
        client.set_up()
        with pytest.raises(RuntimeError):
            client.infer(tiny_input)
        send_command(client.session, Command.INFER, 0)
        with pytest.raises(PeerError, match=r"ended the session: .*which was not preprocessed"):
            client.session.receive(2)

    hall.visit(action)
    assert isinstance(hall.outcome, PeerError)


@pytest.mark.parametrize("inference_id", [0, 1, 3, 2**32 - 1])
def test_an_inference_id_neither_repeats_nor_jumps(hall: Hall, inference_id: int) -> None:
    def action(client: Client) -> None:
        client.set_up()
        client.preprocess()
        send_command(client.session, Command.PREPROCESS, inference_id)
        with pytest.raises(PeerError, match=f"asked for inference {inference_id} after 1"):
            client.session.receive(2)

    hall.visit(action)
    assert isinstance(hall.outcome, PeerError)


@pytest.mark.parametrize("inference_id", [0, 2])
def test_an_end_after_another_inference_is_refused(hall: Hall, inference_id: int) -> None:
    def action(client: Client) -> None:
        client.set_up()
        client.preprocess()
        send_command(client.session, Command.END, inference_id)
        with pytest.raises(PeerError, match=f"ends after inference {inference_id}, the last one was 1"):
            client.session.receive(2)

    hall.visit(action)
    assert isinstance(hall.outcome, PeerError)


def test_bad_input_uses_nothing_up(hall: Hall, tiny_input: np.ndarray) -> None:
    def action(client: Client) -> None:
        client.set_up()
        client.preprocess()
        with pytest.raises(InputError, match="NaN"):
            client.infer(tiny_input * np.float32("nan"))
        client.infer(tiny_input)
        client.end()

    hall.visit(action)
    assert hall.outcome == 1


def test_a_lost_connection_burns_the_material(hall: Hall, tiny_input: np.ndarray) -> None:
    kept = []

    def action(client: Client) -> None:
        client.set_up()
        client.preprocess()
        kept.extend(client._materials)
        client.session.channel.close()
        with pytest.raises(ConnectionFailedError):
            client.infer(tiny_input)

    hall.visit(action)
    assert isinstance(hall.outcome, ConnectionFailedError)
    assert kept[0].spent
    with pytest.raises(PreprocessingSpentError):
        kept[0].claim("ideal")


def test_material_that_another_replaces_is_burned(hall: Hall, tiny_input: np.ndarray) -> None:
    def action(client: Client) -> None:
        client.set_up()
        client.preprocess()
        (unused,) = client._materials
        client.preprocess()
        assert unused.spent
        client.infer(tiny_input)
        client.end()

    hall.visit(action)
    assert hall.outcome == 1


@pytest.fixture(params=["ideal", "delphi"])
def hall_ahead(request: pytest.FixtureRequest, tiny_graph: Graph) -> Hall:
    """A server whose offline phases prepare three inferences each."""
    return Hall(tiny_graph, request.param, ahead=3)


def expected_logits(hall: Hall, inputs: np.ndarray) -> np.ndarray:
    values = run_reference(hall.program, hall.weights, encode_input(hall.program, inputs)).values
    return decode_output(hall.program, values[hall.program.output.source])


def test_one_offline_phase_serves_several_inferences(hall_ahead: Hall, tiny_input: np.ndarray) -> None:
    hall = hall_ahead

    def action(client: Client) -> None:
        client.set_up()
        for number in range(4):
            if not client.ready_count:
                offline = client.preprocess()
                assert offline.ahead == client.ready_count == 3
                assert offline.phase_s == pytest.approx(3 * offline.time_s)
            inputs = tiny_input * np.float32(1 - number / 8)
            logits = client.infer(inputs).logits
            np.testing.assert_array_equal(logits, expected_logits(hall, inputs))
        assert client.preprocessed_count == 6
        client.end()

    hall.visit(action)
    assert hall.outcome == 4
    phases = [(report.record.phase, report.record.inference_id) for report in hall.reports[1:]]
    assert phases == [(phase, i) for i in (1, 2, 3, 4) for phase in (Phase.OFFLINE, Phase.ONLINE)]
    of_phase = {report.record.wall_s for report in hall.reports[1:7:2]}
    assert len(of_phase) == 1, "the three inferences report equal parts of one phase"


def test_a_dropped_inference_leaves_the_others(
    hall_ahead: Hall, tiny_input: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inference that was interrupted before it began is burned at both parties."""
    hall = hall_ahead
    at_server: list[Preprocessing] = []
    kind = hall.server._info.server
    preprocess_ahead = kind.preprocess_ahead

    def recorded(party: PartyProtocol, first_id: int) -> list[Preprocessing]:
        at_server.extend(made := preprocess_ahead(party, first_id))
        return made

    monkeypatch.setattr(kind, "preprocess_ahead", recorded)

    def action(client: Client) -> None:
        client.set_up()
        client.preprocess()
        first, second, third = client._materials
        client.drop()
        assert (first.spent, second.spent, third.spent) == (True, False, False)
        logits = client.infer(tiny_input).logits
        np.testing.assert_array_equal(logits, expected_logits(hall, tiny_input))
        assert (second.spent, third.spent) == (True, False)
        assert [material.spent for material in at_server] == [True, True, False]
        send_command(client.session, Command.INFER, 1)
        with pytest.raises(PeerError, match="inference 1, whose material was used or dropped before"):
            client.session.receive(2)
        assert not third.spent

    hall.visit(action)
    assert isinstance(hall.outcome, PeerError)


@pytest.mark.parametrize(
    ("inference_id", "words"),
    [(1, "whose material was used or dropped"), (4, "not preprocessed"), (0, "not preprocessed")],
)
def test_material_is_neither_repeated_nor_foreign(
    hall_ahead: Hall, tiny_input: np.ndarray, inference_id: int, words: str
) -> None:
    def action(client: Client) -> None:
        client.set_up()
        client.preprocess()
        client.infer(tiny_input)
        send_command(client.session, Command.INFER, inference_id)
        with pytest.raises(PeerError, match=f"inference {inference_id}, .*{words}"):
            client.session.receive(2)

    hall_ahead.visit(action)
    assert isinstance(hall_ahead.outcome, PeerError)


def test_a_lost_connection_burns_all_material_of_a_phase(hall_ahead: Hall, tiny_input: np.ndarray) -> None:
    """At once, and not only when the client closes. The session accepts no further command."""

    def action(client: Client) -> None:
        client.set_up()
        client.preprocess()
        kept = list(client._materials)
        client.infer(tiny_input)
        client.session.channel.close()
        with pytest.raises(ConnectionFailedError, match="connection"):
            client.infer(tiny_input)
        assert [material.spent for material in kept] == [True] * 3
        for command in (client.preprocess, client.end, lambda: client.infer(tiny_input)):
            with pytest.raises(ConnectionFailedError, match="this session failed before"):
                command()

    hall_ahead.visit(action)
    assert isinstance(hall_ahead.outcome, ConnectionFailedError)


@pytest.mark.parametrize("step", ["preprocess_ahead", "flush", "receive_ready"])
def test_a_failed_phase_burns_its_material_and_its_ids(
    hall_ahead: Hall, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No id that began may begin again: its pads and tweaks would be the same."""
    made: list[Preprocessing] = []

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    def action(client: Client) -> None:
        client.set_up()
        preprocess_ahead = client._protocol.preprocess_ahead

        def recorded(first_id: int) -> list[Preprocessing]:
            made.extend(materials := preprocess_ahead(first_id))
            if step == "preprocess_ahead":
                for material in materials:
                    material.burn()
                fail()
            return materials

        monkeypatch.setattr(client._protocol, "preprocess_ahead", recorded)
        if step == "flush":
            monkeypatch.setattr(client.session, "flush", fail)
        elif step == "receive_ready":
            monkeypatch.setattr("pi_bench.launch.client.receive_ready", fail)
        with pytest.raises(KeyboardInterrupt):
            client.preprocess()
        assert client.preprocessed_count == 3
        assert not client.ready_count
        assert [material.spent for material in made] == [True] * 3
        with pytest.raises(ConnectionFailedError, match="this session failed before"):
            client.preprocess()

    hall_ahead.visit(action)
    assert len(made) == 3


def shifted(materials: list[Preprocessing]) -> None:
    for material in materials:
        material.inference_id += 1


@pytest.mark.parametrize("party", ["client", "server"])
@pytest.mark.parametrize("change", [list.reverse, list.pop, shifted])
def test_a_protocol_cannot_give_material_of_other_ids(
    hall_ahead: Hall,
    party: str,
    change: Callable[[list[Preprocessing]], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Preprocessing] = []
    kind = getattr(hall_ahead.server._info, party)
    preprocess_ahead = kind.preprocess_ahead

    def changed(own: PartyProtocol, first_id: int) -> list[Preprocessing]:
        materials: list[Preprocessing] = preprocess_ahead(own, first_id)
        change(materials)
        made.extend(materials)
        return materials

    monkeypatch.setattr(kind, "preprocess_ahead", changed)

    def action(client: Client) -> None:
        client.set_up()
        expected = RuntimeError if party == "client" else PeerError
        with pytest.raises(expected, match="gave material" if party == "client" else "internal error"):
            client.preprocess()

    hall_ahead.visit(action)
    assert made
    assert all(material.spent for material in made)
    if party == "server":
        assert isinstance(hall_ahead.outcome, RuntimeError)


def test_the_server_counts_the_ids_of_a_failed_phase() -> None:
    protocol, session = Mock(options=Mock(ahead=3)), MagicMock()
    protocol.preprocess_ahead.side_effect = ConnectionFailedError("lost")
    client = _ClientSession(session, protocol, Mock(), False, Mock())
    with pytest.raises(ConnectionFailedError):
        client.preprocess(1)
    with pytest.raises(PeerError, match="asked for inference 1 after 3"):
        client.preprocess(1)


def test_material_that_is_left_over_is_burned_by_the_next_phase(
    hall_ahead: Hall, tiny_input: np.ndarray
) -> None:
    def action(client: Client) -> None:
        client.set_up()
        client.preprocess()
        _, *unused = client._materials
        client.infer(tiny_input)
        client.preprocess()
        assert all(material.spent for material in unused)
        client.infer(tiny_input)
        assert client.inference_id == 4
        client.end()

    hall_ahead.visit(action)
    assert hall_ahead.outcome == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [("prices of encrypted products", r"\w{16}"), ("parameters of Ferret", r"9-\d+-\d+ 11-[-\w, ]+")],
)
def test_other_constants_are_refused_by_name(
    name: str, text: str, tiny_graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall = Hall(tiny_graph, "delphi")
    constants = dict(hall.server._info.constants) | {name: "00ff"}
    other = dataclasses.replace(hall.server._info, constants=tuple(constants.items()))
    monkeypatch.setattr("pi_bench.launch.agreement.find_protocol", lambda name: other)
    with pytest.raises(PeerError, match=rf"^the {name} are {text} at the server and 00ff"):
        hall.visit(Client.set_up)


GARBAGE = [b"", b"GET / HTTP/1.1\r\n\r\n".ljust(64), bytes(1000), b"PIBF\x02\x00" + bytes(99)]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_instead_of_a_client(hall: Hall, garbage: bytes) -> None:
    left, right = socket.socketpair()
    with left:
        left.sendall(garbage)
        left.shutdown(socket.SHUT_WR)
        with pytest.raises((PeerError, ConnectionFailedError)):
            hall.server.serve(right)


def test_a_link_that_is_not_emulated_is_not_probed(hall: Hall) -> None:
    """Only `latency --link` and `serve --measure` start a server that answers the probe."""

    def action(client: Client) -> None:
        client.set_up()
        send_command(client.session, Command.PROBE, 1 << 20)
        client.session.receive(1)

    with pytest.raises(PeerError, match="does not measure"):
        hall.visit(action)
    assert isinstance(hall.outcome, PeerError)
