"""Lists one party's messages and the work between them, in the order in which it carries them out.

A schedule whose buffers stay the same from one inference to the next is made once. Native code then carries
it out without returning to Python between two items (`pi_bench.channel.Channel.carry_out`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pi_bench import _native
from pi_bench.arithmetic.convolution import Task
from pi_bench.crypto.checksum import Checksum


@dataclass(frozen=True, slots=True, eq=False)
class SendItem:
    """Sends one message made of `buffers`.

    `step` and `part` are those of `SessionLike.step`, here and in the other items.

    >>> SendItem(0, "", (memoryview(b"ab"), memoryview(b"c"))).byte_count
    3
    """

    step: int
    part: str
    buffers: tuple[memoryview, ...]

    @property
    def byte_count(self) -> int:
        """The size of the message."""
        return sum(buffer.nbytes for buffer in self.buffers)


@dataclass(frozen=True, slots=True, eq=False)
class ReceiveItem:
    """Receives one message that fills `buffer`.

    >>> ReceiveItem(0, "", memoryview(bytearray(3))).byte_count
    3
    """

    step: int
    part: str
    buffer: memoryview

    @property
    def byte_count(self) -> int:
        """The size of the message."""
        return self.buffer.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class WorkItem:
    """Calls `work`, which reads the arrays `reads` among others.

    A `Task` runs without Python. Another function is called with Python's lock held.

    >>> done = []
    >>> WorkItem(1, "", lambda: done.append("something")).work()
    >>> done
    ['something']
    """

    step: int
    part: str
    work: Task | Callable[[], object]
    reads: tuple[np.ndarray, ...] = ()


Item = SendItem | ReceiveItem | WorkItem


class Stop(NamedTuple):
    """Says where `Channel.carry_out` has ended: every item before `item` is done.

    If `begun`, that item is a message, and `sent` or `arrived` goes to `Channel.send_encoded` or
    `Channel.receive_encoded`, which complete it.

    >>> Stop(3, False, (0, 0), (0, False)).item
    3
    """

    item: int
    begun: bool
    sent: tuple[int, int]
    arrived: tuple[int, bool]


class Schedule:
    """Holds the items of one party, in order, and their native form.

    The arrays that work reads are read ahead in this order while messages are awaited, as far as they fit the
    cache. Buffers are those of the items, and none is copied.

    Attributes:
        ends_ns: the times at which the items were done, int64 (items,), in nanoseconds since the last call of
            `Channel.carry_out`.
        first_headers: the headers of this schedule at the beginning of a phase, if a session has kept them.

    >>> schedule = Schedule([SendItem(0, "", (memoryview(b"four"),)), WorkItem(1, "", lambda: None)])
    >>> len(schedule.items), schedule.ends_ns.shape
    (2, (2,))

    Raises:
        TypeError, BufferError: a buffer has a gap between its items, or is received into and is read-only.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = tuple(items)
        self.ends_ns = np.zeros(len(self.items), np.int64)
        self.first_headers: bytes | None = None
        work = [item for item in self.items if isinstance(item, WorkItem)]
        self._native = _native.schedule.Schedule([array for item in work for array in item.reads])
        read_count = 0
        for item in self.items:
            match item:
                case SendItem():
                    self._native.send(*item.buffers)
                case ReceiveItem():
                    self._native.receive(item.buffer)
                case WorkItem():
                    read_count += len(item.reads)
                    if isinstance(item.work, Task):
                        self._native.work(item.work, read_count)
                    else:
                        self._native.call(item.work, read_count)

    def run(
        self,
        first: int,
        socket: int,
        poll_s: float,
        shared: bytes,
        own: bytes,
        header: bytearray,
        checksums: tuple[Checksum, Checksum] | None,
    ) -> Stop:
        """Carries out the items from `first` on over a socket. `Channel.carry_out` says how.

        `header` gets the header of each received frame. `checksums` cover the sent and the received bytes.

        >>> import socket
        >>> ours, theirs = socket.socketpair()
        >>> schedule = Schedule([SendItem(0, "", (memoryview(b"four"),))])
        >>> schedule.run(0, ours.fileno(), 0.001, b"head", b"er", bytearray(6), None)
        Stop(item=1, begun=False, sent=(0, 0), arrived=(0, False))
        >>> theirs.recv(10)
        b'headerfour'
        >>> ours.close()
        >>> theirs.close()

        Raises:
            OSError: a frame could not be sent.
        """
        sent, received = (None, None) if checksums is None else (sums.native for sums in checksums)
        return Stop(
            *self._native.run(first, socket, poll_s, shared, own, header, sent, received, self.ends_ns)
        )
