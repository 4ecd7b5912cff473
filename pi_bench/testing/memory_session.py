"""One party's end of a session in memory."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pi_bench.errors import ConnectionFailedError, PeerError
from pi_bench.protocol import Party, ShareTrace
from pi_bench.protocol.session import ReadableBuffer

Sent = tuple[int, bytes] | None
"""Step and payload; None: the sender has hung up."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message of a transcript. `phase`: ``set-up``, ``offline N`` or ``online N``, N the inference."""

    phase: str
    sender: Party
    op_id: int
    part: str
    payload: bytes


class MemorySession:
    """One party's end of a session in memory; `pi_bench.protocol.SessionLike`.

    `send` copies, so that the sender may change its buffers at once. It appends to `transcript` if that is
    not None.
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
        before, self._step = self._step, (op_id, part)
        try:
            yield
        finally:
            self._step = before

    def send(self, *buffers: ReadableBuffer) -> None:
        payload = b"".join(memoryview(buffer).cast("B") for buffer in buffers)  # type: ignore[arg-type]
        if self._transcript is not None:
            self._transcript.append(SentMessage(self.phase, self.party, *self._step, payload))
        self._outbox.put((self._step[0], payload))

    def receive(self, byte_count: int) -> bytearray:
        return bytearray(self._next(byte_count))

    def receive_into(
        self, buffer: bytearray | memoryview | np.ndarray, *, meanwhile: Iterator[None] | None = None
    ) -> None:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        next(meanwhile or iter(()), None)
        view[:] = self._next(view.nbytes)

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
