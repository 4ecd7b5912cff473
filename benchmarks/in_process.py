"""Both parties of a protocol in this process, over queues: a layer without sockets and processes."""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

import numpy as np

from pi_bench.network.program import Program, Weights
from pi_bench.protocol import Party, PartyProtocol, Preprocessing, ProtocolInfo, ProtocolOptions, ShareTrace

RECEIVE_TIMEOUT_S = 120.0
Result = TypeVar("Result")


class QueueSession:
    """One end: messages are copied once, as a socket would; bytes are counted."""

    def __init__(self, party: Party, binding: bytes, inbox: queue.Queue, outbox: queue.Queue) -> None:
        self.party = party
        self.trace: ShareTrace | None = None
        self.binding = binding
        self.sent_bytes = 0
        self._inbox, self._outbox = inbox, outbox

    @contextlib.contextmanager
    def step(self, op_id: int, part: str = "") -> Iterator[None]:
        yield

    def send(self, *buffers: object) -> None:
        payload = b"".join(memoryview(buffer).cast("B") for buffer in buffers)  # type: ignore[call-overload]
        self.sent_bytes += len(payload)
        self._outbox.put(payload)

    def receive(self, byte_count: int) -> bytearray:
        payload = self._inbox.get(timeout=RECEIVE_TIMEOUT_S)
        assert len(payload) == byte_count, "the parties are out of step"
        return bytearray(payload)

    def receive_into(self, buffer: object, *, meanwhile: Iterator[None] | None = None) -> None:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        payload = self._inbox.get(timeout=RECEIVE_TIMEOUT_S)
        assert len(payload) == view.nbytes, "the parties are out of step"
        view[:] = payload

    def flush(self) -> None:
        """`send` has copied everything."""


class TwoParties:
    """A session of `info` on one program: `preprocess` and `infer` run both parties at once."""

    def __init__(
        self, info: ProtocolInfo, program: Program, weights: Weights, options: ProtocolOptions
    ) -> None:
        to_server: queue.Queue = queue.Queue()
        to_client: queue.Queue = queue.Queue()
        binding = os.urandom(32)
        self.sessions = {
            Party.CLIENT: QueueSession(Party.CLIENT, binding, to_client, to_server),
            Party.SERVER: QueueSession(Party.SERVER, binding, to_server, to_client),
        }
        self._sides = {
            Party.CLIENT: info.client(self.sessions[Party.CLIENT], program, options, None),
            Party.SERVER: info.server(self.sessions[Party.SERVER], program, options, weights),
        }
        self._next_inference = 0
        self._pool = ThreadPoolExecutor(2)

    def __enter__(self) -> Self:
        self._both(lambda party, side: side.set_up())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for side in self._sides.values():
            side.close()
        self._pool.shutdown()

    def preprocess(self) -> dict[Party, Preprocessing]:
        number, self._next_inference = self._next_inference, self._next_inference + 1
        return self._both(lambda party, side: side.preprocess(number))

    def infer(self, material: dict[Party, Preprocessing], encoded: np.ndarray) -> np.ndarray:
        """The client's output."""
        given = {Party.CLIENT: encoded, Party.SERVER: None}
        outputs = self._both(lambda party, side: side.infer(material[party], given[party]))
        output = outputs[Party.CLIENT]
        assert output is not None
        return output

    def _both(self, call: Callable[[Party, PartyProtocol], Result]) -> dict[Party, Result]:
        running = {party: self._pool.submit(call, party, side) for party, side in self._sides.items()}
        return {party: future.result() for party, future in running.items()}
