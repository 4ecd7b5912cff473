"""One flipped bit anywhere on the wire ends the session at both parties, and no answer is given."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from pi_bench.channel import Address, listen
from pi_bench.channel.frame import HEADER_BYTES, FrameHeader
from pi_bench.channel.tcp import accept, connect, local_address
from pi_bench.errors import PiBenchError
from pi_bench.launch.client import Client
from pi_bench.launch.server import Server
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph import Graph
from pi_bench.registry import find_protocol
from pi_bench.session.handshake import ClientRequirements

UP, DOWN = 0, 1
"""Directions: client to server, and back."""


@dataclass
class Relay:
    """Carries both directions between two sockets, and flips one bit of one byte of one direction."""

    direction: int | None = None
    position: int = 0
    bit: int = 0
    streams: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))

    def run(self, client: socket.socket, server: socket.socket) -> None:
        """Returns when both directions have ended."""
        threads = [
            threading.Thread(target=self._carry, args=(direction, source, target))
            for direction, source, target in ((UP, client, server), (DOWN, server, client))
        ]
        with client, server:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _carry(self, direction: int, source: socket.socket, target: socket.socket) -> None:
        seen = self.streams[direction]
        try:
            while data := bytearray(source.recv(1 << 16)):
                index = self.position - len(seen)
                seen += data
                if direction == self.direction and 0 <= index < len(data):
                    data[index] ^= 1 << self.bit
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


class Parties:
    """Runs sessions of one inference over a relay."""

    def __init__(self, graph: Graph, inputs: np.ndarray) -> None:
        program, weights = compile_graph(graph)
        info = find_protocol("delphi")
        self._server = Server(program, weights, info, info.configure("exact"), timeout_s=5)
        self._inputs = inputs
        self.at_server: Any = None

    def run(self, relay: Relay) -> Any:
        """Returns the client's logits or its error; `at_server` is the server's count or its error."""
        with listen(Address("127.0.0.1", 0)) as front, listen(Address("127.0.0.1", 0)) as back:

            def carry() -> None:
                client, _ = accept(front, 5)
                relay.run(client, connect(local_address(back)))

            threads = [threading.Thread(target=carry), threading.Thread(target=self._serve, args=(back,))]
            for thread in threads:
                thread.start()
            try:
                return self._ask(local_address(front))
            except PiBenchError as error:
                return error
            finally:
                for thread in threads:
                    thread.join()

    def _serve(self, listener: socket.socket) -> None:
        connection, _ = accept(listener, 5)
        try:
            self.at_server = self._server.serve(connection)
        except PiBenchError as error:
            self.at_server = error

    def _ask(self, address: Address) -> np.ndarray:
        with Client.connect(address, ClientRequirements(), threads=1, timeout_s=5) as client:
            client.set_up()
            client.preprocess()
            logits = client.infer(self._inputs).logits
            client.end()
            return logits


@pytest.fixture
def parties(tiny_graph: Graph, tiny_input: np.ndarray) -> Parties:
    return Parties(tiny_graph, tiny_input)


def frames(stream: bytes) -> Iterator[tuple[int, int]]:
    """Where each frame begins and ends."""
    start = 0
    while start < len(stream):
        end = start + FrameHeader.decode(stream[start : start + HEADER_BYTES]).wire_bytes
        yield start, end
        start = end


def places(stream: bytes, source: random.Random) -> list[int]:
    """First and last bytes, headers, and payloads, each frame as likely as any other."""
    found = list(frames(stream))
    _, last = found[-1]
    chosen = [0, last - 1, found[-1][0] + HEADER_BYTES]
    for start, end in source.sample(found, 2):
        chosen += [source.randrange(start, start + HEADER_BYTES), source.randrange(start, end)]
    return chosen


def test_a_flipped_bit_never_gives_an_answer(parties: Parties) -> None:
    whole = Relay()
    assert isinstance(parties.run(whole), np.ndarray)
    assert parties.at_server == 1
    source = random.Random(11)
    for direction in (UP, DOWN):
        for position in places(bytes(whole.streams[direction]), source):
            relay = Relay(direction, position, source.randrange(8))
            outcome = parties.run(relay)
            where = f"direction {direction}, byte {position}, bit {relay.bit}"
            assert isinstance(outcome, PiBenchError), where
            assert isinstance(parties.at_server, PiBenchError), where
            assert outcome.exit_code in (5, 6), where


def test_a_flipped_bit_of_the_last_payload_is_named(parties: Parties) -> None:
    """That of the logits: the frame before the last of the server's two comparisons."""
    whole = Relay()
    parties.run(whole)
    logits = list(frames(bytes(whole.streams[DOWN])))[-3]
    outcome = parties.run(Relay(DOWN, logits[1] - 1, 0))
    assert "the connection changed bytes on their way" in str(outcome) and outcome.exit_code == 6
    assert parties.at_server.exit_code == 6
