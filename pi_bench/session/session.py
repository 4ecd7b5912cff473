"""Sends and receives a protocol's messages, and records the time, waiting and bytes of each step."""

from __future__ import annotations

import contextlib
import enum
import gc
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pi_bench.channel.channel import Channel
from pi_bench.channel.frame import NO_STEP, FrameKind, PhaseHeaders
from pi_bench.errors import PeerError
from pi_bench.metrics.resources import PeakMemoryMeter, cpu_time_s
from pi_bench.metrics.spans import SpanRecorder
from pi_bench.protocol.script import NO_OP
from pi_bench.protocol.session import Party, ReadableBuffer, ShareTrace
from pi_bench.protocol.span import Span

_log = logging.getLogger(__name__)


class Phase(enum.StrEnum):
    """Lists the phases of a session.

    >>> [phase.value for phase in Phase]
    ['set_up', 'offline', 'online']
    """

    SET_UP = "set_up"
    OFFLINE = "offline"
    ONLINE = "online"


_KINDS = {Phase.SET_UP: FrameKind.SET_UP, Phase.OFFLINE: FrameKind.OFFLINE, Phase.ONLINE: FrameKind.ONLINE}


@dataclass(slots=True)
class PhaseRecord:
    """Holds the measurements of one party in one phase of one inference.

    Attributes:
        depth: the length of the longest chain of dependent messages. Half of it is the number of comm_rounds.

    >>> record = PhaseRecord(Phase.ONLINE, 1, 0.5, 0.4, 1 << 20, True, 2, [])
    >>> PhaseRecord.from_dict(record.as_dict()) == record
    True
    """

    phase: Phase
    inference_id: int
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    peak_memory_by_phase: bool
    depth: int
    spans: list[Span]

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON values."""
        return {
            "phase": self.phase.value,
            "inference_id": self.inference_id,
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "peak_memory_bytes": self.peak_memory_bytes,
            "peak_memory_by_phase": self.peak_memory_by_phase,
            "depth": self.depth,
            "spans": [span.as_dict() for span in self.spans],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PhaseRecord:
        """Makes the record from the values of `as_dict`."""
        spans = [Span.from_dict(span) for span in values["spans"]]
        return cls(**{**values, "phase": Phase(values["phase"]), "spans": spans})


class Session:
    """Implements `pi_bench.protocol.SessionLike` on a `Channel`.

    Both parties must send and receive a message within the same step. Frames carry the step, and a mismatch
    is an error. `binding` is 32 bytes that both parties share and that name this session. They hash both
    parties' randomness, the program, the protocol and its options, and keys are derived with them as
    context. One thread uses a session.

    >>> import socket
    >>> client, server = (
    ...     Session(Channel(end), party, session_id=1, binding=bytes(32))
    ...     for end, party in zip(socket.socketpair(), Party)
    ... )
    >>> with client.phase(Phase.ONLINE, 1) as records, client.step(2):
    ...     client.send(b"four")
    >>> with server.phase(Phase.ONLINE, 1), server.step(2):
    ...     server.receive(4)
    bytearray(b'four')
    >>> records[0].depth, records[0].spans[-1].sent_bytes
    (1, 4)
    >>> client.close()
    >>> server.close()
    """

    def __init__(
        self,
        channel: Channel,
        party: Party,
        *,
        session_id: int,
        binding: bytes,
        trace: ShareTrace | None = None,
    ) -> None:
        self.channel = channel
        self.party = party
        self.session_id = session_id
        self.binding = binding
        self.trace = trace
        self._headers = PhaseHeaders(FrameKind.COMMAND, session_id, 0)
        self._recorder = SpanRecorder()
        self._spare_steps = 0  # as many as a phase used
        self._memory = PeakMemoryMeter()
        self._sent_slices: dict[int, int] = {}
        self._received_slices: dict[int, int] = {}
        self._depth_sent = 0
        self._depth_received = 0
        self._logs_messages = _log.isEnabledFor(logging.DEBUG)  # asked once: messages are in timed phases

    @contextlib.contextmanager
    def phase(self, phase: Phase, inference_id: int) -> Iterator[list[PhaseRecord]]:
        """Counts the messages inside for `phase` of `inference_id`.

        Yields a list that gets the record when the phase ends without an error.
        """
        records: list[PhaseRecord] = []
        self._headers = PhaseHeaders(_KINDS[phase], self.session_id, inference_id)
        self._reset_counters()
        self._memory.reset()
        cpu_s = cpu_time_s()
        recorder = self._recorder = SpanRecorder(self._spare_steps)
        # The collector of cycles would run at a random message. An online phase is short and makes few.
        collects = phase is Phase.ONLINE and gc.isenabled()
        if collects:
            gc.disable()
        started = time.perf_counter()
        try:
            yield records
            recorder.pause()
            wall_s = time.perf_counter() - started
        finally:
            if collects:
                gc.enable()
            self._headers = PhaseHeaders(FrameKind.COMMAND, self.session_id, inference_id)
            self._recorder = SpanRecorder()  # commands between phases belong to none
        self._spare_steps = max(self._spare_steps, len(recorder.spans))
        _log.info("%s of inference %d: %.4f s", phase, inference_id, wall_s)
        records.append(
            PhaseRecord(
                phase=phase,
                inference_id=inference_id,
                wall_s=wall_s,
                cpu_s=cpu_time_s() - cpu_s,
                peak_memory_bytes=self._memory.read_bytes(),
                peak_memory_by_phase=self._memory.by_phase,
                depth=max(self._depth_sent, self._depth_received),
                spans=recorder.spans,
            )
        )
        self._reset_counters()

    def step(self, op_id: int, part: str = "") -> AbstractContextManager[None]:
        """Counts time, bytes and waiting inside for an operator and a part, as `SessionLike.step` says."""
        if not NO_OP <= op_id < NO_STEP:
            raise ValueError(f"step {op_id} does not fit a frame")
        return self._recorder.step(op_id, part)

    def send(self, *buffers: ReadableBuffer) -> None:
        """Sends one message made of `buffers`, which must stay unchanged until `flush` returns.

        Raises:
            ConnectionFailedError: this or an earlier message could not be sent.
            PeerError: the same, and the peer had said why it left.
        """
        recorder = self._recorder
        recorder.pause()
        views = [view for view in map(byte_view, buffers) if view]
        size = sum(map(len, views))
        depth = self._depth_received + 1
        span = recorder.current
        self.channel.send_encoded(self._header(span.op_id, self._sent_slices, depth, size), views, size)
        if depth > self._depth_sent:
            span.depth_count += max(0, depth - max(self._depth_sent, self._depth_received))
            self._depth_sent = depth
        span.sent_bytes += size
        span.sent_count += 1
        if self._logs_messages:
            _log.debug("step %d %s: sent %d bytes", span.op_id, span.part, size)
        recorder.book_send()

    def receive(self, byte_count: int) -> bytearray:
        """Receives the next message, of exactly `byte_count` payload bytes. Raises as `receive_into` does."""
        buffer = bytearray(byte_count)
        self.receive_into(buffer)
        return buffer

    def receive_into(
        self, buffer: bytearray | memoryview | np.ndarray, *, meanwhile: Iterator[None] | None = None
    ) -> None:
        """Receives the next message into a writable buffer whose size is the expected one.

        Raises:
            PeerError: the message is of another step, size or depth, or the peer gave up.
            ConnectionFailedError: the peer stayed silent, or the connection was lost.
        """
        recorder = self._recorder
        recorder.pause()
        view = byte_view(buffer)
        if view.readonly:
            raise ValueError("cannot receive into a read-only buffer")
        span, size = recorder.current, len(view)
        expected = self._header(span.op_id, self._received_slices, self._depth_sent + 1, size)
        other = self.channel.receive_encoded(expected, view, meanwhile)
        depth = self._depth_sent + 1 if other is None else other.depth
        # The peer has received nothing deeper than the messages sent from here.
        if not 1 <= depth <= self._depth_sent + 1:
            raise PeerError(
                f"the other party counts {depth} dependent messages "
                f"where at most {self._depth_sent + 1} are possible"
            )
        if depth > self._depth_received:
            span.depth_count += max(0, depth - max(self._depth_sent, self._depth_received))
            self._depth_received = depth
        span.received_bytes += size
        span.received_count += 1
        if self._logs_messages:
            _log.debug("step %d %s: received %d bytes", span.op_id, span.part, size)
        recorder.book_wait()

    def flush(self) -> None:
        """Returns when every message has left this process. Raises as `send` does."""
        self._recorder.pause()
        self.channel.flush()
        self._recorder.book_send()

    def abort(self, reason: str) -> None:
        """Sends the reason to the peer and closes the connection. It never raises."""
        self.channel.abort(self.session_id, reason)

    def close(self) -> None:
        """Closes the connection at once. It never raises."""
        self.channel.close()

    def _reset_counters(self) -> None:
        self._sent_slices.clear()
        self._received_slices.clear()
        self._depth_sent = 0
        self._depth_received = 0

    def _header(self, op_id: int, slices: dict[int, int], depth: int, payload_bytes: int) -> bytes:
        step = NO_STEP if op_id == NO_OP else op_id
        number = slices.get(step, 0)
        slices[step] = (number + 1) & 0xFFFF
        return self._headers.encode(step, number, depth, payload_bytes)


def byte_view(buffer: ReadableBuffer) -> memoryview:
    """Returns a view of the buffer's bytes, without a copy.

    >>> byte_view(np.uint16([1, 2])).nbytes
    4

    Raises:
        ValueError: the buffer is an array that is not C-contiguous.
    """
    view = memoryview(buffer)  # type: ignore[arg-type]  # ndarray has the buffer protocol
    if not view.c_contiguous:
        raise ValueError("only C-contiguous buffers can be sent or received into")
    if view.nbytes == 0:
        return memoryview(b"") if view.readonly else memoryview(bytearray())
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")
