"""One party's end of a session in memory."""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pi_bench.channel.schedule import Schedule
from pi_bench.errors import ConnectionFailedError, PeerError
from pi_bench.protocol import Party, ShareTrace
from pi_bench.protocol.item_by_item import carry_out_item
from pi_bench.protocol.session import ReadableBuffer

RECEIVE_TIMEOUT_S = 60.0

Sent = tuple[int, bytes] | None
"""The step and the payload of a message. None: the sender has hung up."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """Records one message of a transcript.

    Attributes:
        phase: ``set-up``, ``offline N`` or ``online N``, where N numbers the inferences from 0.

    >>> transcript = []
    >>> client = memory_sessions(transcript=transcript)[Party.CLIENT]
    >>> with client.step(2, "labels"):
    ...     client.send(b"ab", b"c")
    >>> transcript
    [SentMessage(phase='set-up', sender=<Party.CLIENT: 'client'>, op_id=2, part='labels', payload=b'abc')]
    """

    phase: str
    sender: Party
    op_id: int
    part: str
    payload: bytes


class MemorySession:
    """Implements `pi_bench.protocol.SessionLike` for one party, over queues in memory.

    `send` copies, so that the sender may change its buffers at once. It also appends a `SentMessage` to
    `transcript` if that is not None. `memory_sessions` makes the sessions of both parties.

    >>> sessions = memory_sessions(timeout_s=0.01)
    >>> with sessions[Party.SERVER].step(1):
    ...     sessions[Party.SERVER].receive(4)
    Traceback (most recent call last):
    pi_bench.errors.ConnectionFailedError: the server waited 0.01 s for a message of step 1
    """

    def __init__(
        self,
        party: Party,
        binding: bytes,
        inbox: queue.Queue[Sent],
        outbox: queue.Queue[Sent],
        transcript: list[SentMessage] | None,
        timeout_s: float | None,
    ) -> None:
        self.party = party
        self.trace: ShareTrace | None = None
        self.binding = binding
        self.phase = "set-up"
        self._inbox, self._outbox, self._transcript = inbox, outbox, transcript
        self._timeout_s = timeout_s
        self._step = (-1, "")

    @contextlib.contextmanager
    def step(self, op_id: int, part: str = "") -> Iterator[None]:
        """Notes operator and part for the messages inside, which the other party must expect there."""
        before, self._step = self._step, (op_id, part)
        try:
            yield
        finally:
            self._step = before

    def send(self, *buffers: ReadableBuffer) -> None:
        """Sends one message made of copies of `buffers`."""
        payload = b"".join(memoryview(buffer).cast("B") for buffer in buffers)  # type: ignore[arg-type]
        if self._transcript is not None:
            self._transcript.append(SentMessage(self.phase, self.party, *self._step, payload))
        self._outbox.put((self._step[0], payload))

    def receive(self, byte_count: int) -> bytearray:
        """Receives the next message.

        Raises:
            PeerError: the message is of another step or size.
            ConnectionFailedError: no message came in time, or the other party hung up.
        """
        return bytearray(self._next(byte_count))

    def receive_into(
        self, buffer: bytearray | memoryview | np.ndarray, *, meanwhile: Iterator[None] | None = None
    ) -> None:
        """Receives into `buffer`. Raises as `receive` does.

        It takes one step of `meanwhile` first, unless the message is there already.
        """
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if meanwhile is not None and self._inbox.empty():
            next(meanwhile, None)
        view[:] = self._next(view.nbytes)

    def carry_out(self, schedule: Schedule) -> None:
        """Carries the items out one by one."""
        for item in schedule.items:
            carry_out_item(self, item)

    def flush(self) -> None:
        """Returns at once: `send` has copied everything."""

    def hang_up(self) -> None:
        """Tells the other party that nothing more will come."""
        self._outbox.put(None)

    def _next(self, byte_count: int) -> bytes:
        try:
            sent = self._inbox.get(timeout=self._timeout_s)
        except queue.Empty:
            raise ConnectionFailedError(
                f"the {self.party} waited {self._timeout_s:g} s for a message of step {self._step[0]}"
            ) from None
        if sent is None:
            raise ConnectionFailedError("the other party closed the connection")
        step, payload = sent
        if (step, len(payload)) != (self._step[0], byte_count):
            raise PeerError(
                f"the {self.party} received step {step}, {len(payload)} bytes, where step {self._step[0]}, "
                f"{byte_count} bytes was due"
            )
        return payload


def memory_sessions(
    *,
    binding: bytes | None = None,
    transcript: list[SentMessage] | None = None,
    timeout_s: float | None = RECEIVE_TIMEOUT_S,
) -> dict[Party, MemorySession]:
    """Connects a client and a server by queues, and returns their sessions.

    `binding` is random by default. Both sessions append their messages to `transcript`. `timeout_s` bounds
    how long a party waits for a message. None sets no bound.

    >>> sessions = memory_sessions()
    >>> sessions[Party.CLIENT].send(b"hello")
    >>> sessions[Party.SERVER].receive(5)
    bytearray(b'hello')
    """
    binding = os.urandom(32) if binding is None else binding
    to_client: queue.Queue[Sent] = queue.Queue()
    to_server: queue.Queue[Sent] = queue.Queue()
    return {
        Party.CLIENT: MemorySession(Party.CLIENT, binding, to_client, to_server, transcript, timeout_s),
        Party.SERVER: MemorySession(Party.SERVER, binding, to_server, to_client, transcript, timeout_s),
    }
