"""Sends and receives a protocol's messages, and records the time, waiting and bytes of each step."""

from __future__ import annotations

import contextlib
import gc
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from pi_bench.channel.channel import Channel
from pi_bench.channel.frame import NO_STEP, OWN_BYTES, FrameKind, PhaseHeaders
from pi_bench.channel.schedule import Item, ReceiveItem, Schedule, SendItem, WorkItem
from pi_bench.errors import PeerError
from pi_bench.metrics.resources import PeakMemoryMeter, cpu_time_s
from pi_bench.metrics.spans import SpanRecorder
from pi_bench.metrics.timeline import Activity, IntervalLog, PhaseTimeline
from pi_bench.protocol.item_by_item import carry_out_item
from pi_bench.protocol.script import NO_OP
from pi_bench.protocol.session import Party, ReadableBuffer, ShareTrace
from pi_bench.protocol.span import Span
from pi_bench.session.phase_record import Phase, PhaseRecord
from pi_bench.session.schedule_headers import following_number, frame_step, schedule_headers

_log = logging.getLogger(__name__)


_KINDS = {Phase.SET_UP: FrameKind.SET_UP, Phase.OFFLINE: FrameKind.OFFLINE, Phase.ONLINE: FrameKind.ONLINE}


class Session:
    """Implements `pi_bench.protocol.SessionLike` on a `Channel`.

    Both parties must send and receive a message within the same step. Frames carry the step, and a mismatch
    is an error. `binding` is 32 bytes that both parties share and that name this session. They hash both
    parties' randomness, the program, the protocol and its options, and keys are derived with them as
    context. One thread uses a session.

    Attributes:
        timelines: gets the timeline of each phase, by phase. None, the default, keeps none, since that takes
            time within the phase.

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
        self.timelines: dict[Phase, PhaseTimeline] | None = None
        self._headers = PhaseHeaders(FrameKind.COMMAND, session_id, 0)
        self._recorder = SpanRecorder()
        self._spare_steps = 0  # as many as a phase used
        self._memory = PeakMemoryMeter()
        self._sent_slices: dict[int, int] = {}
        self._received_slices: dict[int, int] = {}
        self._depth_sent = 0
        self._depth_received = 0
        self._unsettled: _CarriedOut | None = None
        self._logs_messages = _log.isEnabledFor(logging.DEBUG)  # asked once: messages are in timed phases

    @contextlib.contextmanager
    def phase(self, phase: Phase, inference_id: int) -> Iterator[list[PhaseRecord]]:
        """Counts the messages inside for `phase` of `inference_id`.

        Yields a list that gets the record when the phase ends without an error.
        """
        records: list[PhaseRecord] = []
        self._settle()  # what was carried out outside of a phase belongs to none
        self._headers = PhaseHeaders(_KINDS[phase], self.session_id, inference_id)
        self._reset_counters()
        self._memory.reset()
        cpu_s = cpu_time_s()
        log = None if self.timelines is None else IntervalLog()
        recorder = self._recorder = SpanRecorder(self._spare_steps, log)
        begun = recorder.since
        # The collector of cycles would run at a random message. An online phase is short and makes few.
        collects = phase is Phase.ONLINE and gc.isenabled()
        if collects:
            gc.disable()
        started = time.perf_counter()
        try:
            yield records
            recorder.pause()
            ended = time.perf_counter()
            wall_s = ended - started
            self._settle()
        finally:
            self._unsettled = None
            if collects:
                gc.enable()
            self._headers = PhaseHeaders(FrameKind.COMMAND, self.session_id, inference_id)
            self._recorder = SpanRecorder()  # commands between phases belong to none
        self._spare_steps = max(self._spare_steps, len(recorder.spans))
        _log.info("%s of inference %d: %.4f s", phase, inference_id, wall_s)
        if self.timelines is not None and log is not None:
            self.timelines[phase] = log.timeline(begun, ended)
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
        self._send([view for view in map(byte_view, buffers) if view])

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
        view = byte_view(buffer)
        if view.readonly:
            raise ValueError("cannot receive into a read-only buffer")
        self._receive(view, meanwhile)

    def carry_out(self, schedule: Schedule) -> None:
        """Sends, receives and computes what a schedule says, as `SessionLike.carry_out` says.

        Raises:
            ConnectionFailedError: a message could not be sent, or none came in time.
            PeerError: a message is of another step, size or depth, or the peer gave up.
        """
        items, position = schedule.items, 0
        own = self._first_headers(schedule)
        while position < len(items):
            if self._logs_messages or not self.channel.can_carry_out:
                carry_out_item(self, items[position])
                position, own = position + 1, None
                continue
            if own is None:
                own = bytes(position * OWN_BYTES) + self._headers_of(items[position:])
            position, as_expected = self._carry_out_from(schedule, position, own)
            own = own if as_expected else None

    def _carry_out_from(self, schedule: Schedule, first: int, own: bytes) -> tuple[int, bool]:
        """Carries out items natively, and the one that they stop at with sleep.

        Returns the number of the next item, and whether the headers in `own` still hold for it.
        """
        self._settle()
        recorder = self._recorder
        recorder.pause()
        stop = self.channel.carry_out(schedule, first, self._headers.shared, own)
        if stop.item > first:
            # Counted when the phase is over, or something else is sent or received.
            self._unsettled = _CarriedOut(schedule, first, stop.item, recorder.step_count, recorder.since)
            recorder.resume(recorder.since + 1e-9 * int(schedule.ends_ns[stop.item - 1]))
        if not stop.begun:
            return stop.item, True
        self._settle()
        item, expected_depth = schedule.items[stop.item], self._depth_sent + 1
        span = recorder.step(item.step, item.part)
        if isinstance(item, SendItem):
            recorder.book_send(span.span)
            with span:
                self._send([byte_view(buffer) for buffer in item.buffers], stop.sent)
            return stop.item + 1, True
        assert isinstance(item, ReceiveItem)
        recorder.book_wait(span.span)
        with span:
            depth = self._receive(byte_view(item.buffer), None, stop.arrived)
        return stop.item + 1, depth == expected_depth

    def _first_headers(self, schedule: Schedule) -> bytes | None:
        """Returns the headers of a schedule with which a phase begins. None: other messages came before."""
        if self._unsettled is not None or self._sent_slices or self._received_slices:
            return None
        if schedule.first_headers is None:
            schedule.first_headers = self._headers_of(schedule.items)
        return schedule.first_headers

    def _headers_of(self, items: Sequence[Item]) -> bytes:
        self._settle()
        numbers = self._sent_slices, self._received_slices
        return schedule_headers(items, *numbers, self._depth_sent, self._depth_received)

    def _settle(self) -> None:
        """Counts the messages and the times of what was carried out natively."""
        carried, self._unsettled = self._unsettled, None
        if carried is None:
            return
        recorder, before = self._recorder, 0
        items = carried.schedule.items[carried.first : carried.stop]
        recorder.insert(carried.place, ((item.step, item.part) for item in items))
        for item, end in zip(items, carried.schedule.ends_ns[carried.first :].tolist(), strict=False):
            span, seconds = recorder.step(item.step, item.part).span, 1e-9 * (end - before)
            if recorder.log is not None:
                times_s = carried.since + 1e-9 * before, carried.since + 1e-9 * end
                _log_item(recorder.log, span, item, *times_s)
            before = end
            match item:
                case SendItem():
                    self._next_number(item.step, self._sent_slices)
                    self.channel.sent.count(item.byte_count)
                    self._count_sent(span, item.byte_count)
                    span.send_s += seconds
                case ReceiveItem():
                    self._next_number(item.step, self._received_slices)
                    self.channel.received.count(item.byte_count)
                    self._count_received(span, item.byte_count, self._depth_sent + 1)
                    span.wait_s += seconds
                case WorkItem():
                    span.compute_s += seconds

    def _send(self, views: list[memoryview], sent: tuple[int, int] | None = None) -> None:
        """Sends one message, or the rest of one that `Channel.carry_out` has begun."""
        self._settle()
        recorder = self._recorder
        recorder.pause()
        span, size = recorder.current, sum(view.nbytes for view in views)
        header = self._header(span.op_id, self._sent_slices, self._depth_received + 1, size)
        self.channel.send_encoded(header, views, size, sent)
        self._count_sent(span, size)
        if self._logs_messages:
            _log.debug("step %d %s: sent %d bytes", span.op_id, span.part, size)
        recorder.book_send(message_bytes=size)

    def _count_sent(self, span: Span, size: int) -> None:
        depth = self._depth_received + 1
        if depth > self._depth_sent:
            span.depth_count += max(0, depth - max(self._depth_sent, self._depth_received))
            self._depth_sent = depth
        span.sent_bytes += size
        span.sent_count += 1

    def _receive(
        self,
        view: memoryview,
        meanwhile: Iterator[None] | None,
        arrived: tuple[int, bool] | None = None,
    ) -> int:
        """Receives one message, or the rest of one that `Channel.carry_out` has begun. Returns its depth."""
        self._settle()
        recorder = self._recorder
        recorder.pause()
        span, size = recorder.current, view.nbytes
        expected = self._header(span.op_id, self._received_slices, self._depth_sent + 1, size)
        other = self.channel.receive_encoded(expected, view, meanwhile, arrived)
        depth = self._depth_sent + 1 if other is None else other.depth
        # The peer has received nothing deeper than the messages sent from here.
        if not 1 <= depth <= self._depth_sent + 1:
            raise PeerError(
                f"the other party counts {depth} dependent messages "
                f"where at most {self._depth_sent + 1} are possible"
            )
        self._count_received(span, size, depth)
        if self._logs_messages:
            _log.debug("step %d %s: received %d bytes", span.op_id, span.part, size)
        recorder.book_wait(message_bytes=size)
        return depth

    def _count_received(self, span: Span, size: int, depth: int) -> None:
        if depth > self._depth_received:
            span.depth_count += max(0, depth - max(self._depth_sent, self._depth_received))
            self._depth_received = depth
        span.received_bytes += size
        span.received_count += 1

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
        number = self._next_number(op_id, slices)
        return self._headers.encode(frame_step(op_id), number, depth, payload_bytes)

    @staticmethod
    def _next_number(op_id: int, slices: dict[int, int]) -> int:
        step = frame_step(op_id)
        number = slices.get(step, 0)
        slices[step] = following_number(number)
        return number


@dataclass(frozen=True, slots=True)
class _CarriedOut:
    """Items `first` to `stop` of a schedule, whose messages and times are not counted yet.

    There were `place` spans before, and everything up to `since` was counted.
    """

    schedule: Schedule
    first: int
    stop: int
    place: int
    since: float


def _log_item(log: IntervalLog, span: Span, item: Item, start_s: float, end_s: float) -> None:
    match item:
        case SendItem():
            log.add(span, Activity.SEND, start_s, end_s, item.byte_count)
        case ReceiveItem():
            log.add(span, Activity.WAIT, start_s, end_s, item.byte_count)
        case WorkItem():
            log.add(span, Activity.COMPUTE, start_s, end_s)


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
