"""The view that a protocol has of one run of one party: messages and spans, never a clock or a socket."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol as StructuralType

import numpy as np

from pi_bench.channel.schedule import Schedule

ReadableBuffer = bytes | bytearray | memoryview | np.ndarray


class Party(enum.StrEnum):
    """Names the two parties. The client holds the input, the server holds the weights.

    >>> [str(party) for party in Party]
    ['client', 'server']
    """

    CLIENT = "client"
    SERVER = "server"


class ShareTrace:
    """Keeps references to a party's shares, from which a run is verified.

    In `arrays`, ``x:ID`` is the party's share of linear value ID, with the bias and without the offset of
    the activation. ``a:ID`` is its share of activation or input ID. All are uint32 of the value's shape. The
    shares of the two parties add up to the value mod 2^32. A session has a trace only where both parties
    belong to the same user, as in ``pi-bench latency``.

    >>> client, server = ShareTrace(), ShareTrace()
    >>> client.keep_activation(0, np.array([2**32 - 5], np.uint32))
    >>> server.keep_activation(0, np.array([12], np.uint32))
    >>> client.arrays["a:0"] + server.arrays["a:0"]
    array([7], dtype=uint32)
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def keep_linear(self, value_id: int, share: np.ndarray) -> None:
        """Keeps the share of a linear value."""
        self.arrays[f"x:{value_id}"] = share

    def keep_activation(self, value_id: int, share: np.ndarray) -> None:
        """Keeps the share of an activation or of the input."""
        self.arrays[f"a:{value_id}"] = share


class SessionLike(StructuralType):
    """Carries the messages of one party over one connection. The harness implements it.

    `pi_bench.session` has the implementation over TCP, `pi_bench.testing` the one in memory.

    >>> from pi_bench.testing import memory_sessions
    >>> client, server = memory_sessions().values()
    >>> with client.step(0, "masks"):
    ...     client.send(np.array([1, 2], np.uint32))
    >>> with server.step(0, "masks"):
    ...     np.frombuffer(server.receive(8), np.uint32)
    array([1, 2], dtype=uint32)
    """

    party: Party
    trace: ShareTrace | None
    binding: bytes
    """32 bytes that name this session. They hash randomness of both parties, the program and the options."""

    def step(self, op_id: int, part: str = "") -> AbstractContextManager[None]:
        """Counts the time, bytes and waiting inside for operator `op_id` and for `part` of the phase.

        With `op_id` -1 they belong to no operator. The protocol names its parts, in either phase. With ""
        they belong to no part.
        """

    def send(self, *buffers: ReadableBuffer) -> None:
        """Sends one message made of `buffers`, which must stay unchanged until `flush` returns."""

    def receive(self, byte_count: int) -> bytearray:
        """Receives the next message, which must have exactly `byte_count` payload bytes.

        Raises:
            PeerError: the message is of another step or size.
            ConnectionFailedError: no message came in time, or the connection was lost.
        """

    def receive_into(
        self, buffer: bytearray | memoryview | np.ndarray, *, meanwhile: Iterator[None] | None = None
    ) -> None:
        """Receives the next message into a writable buffer whose size is the expected one.

        `meanwhile` yields steps of some microseconds, such as those of `pi_bench.arithmetic.prefetch`. Any
        number of them, or none, are taken until the message comes. Raises as `receive` does.
        """

    def carry_out(self, schedule: Schedule) -> None:
        """Sends, receives and computes what a schedule says, in its order and each within its step.

        The times, bytes and waiting of the items count as if each had been done by the other methods. No step
        is entered meanwhile. Where the parties poll, nothing returns to Python between two items, apart from
        work that is written in Python. Raises as the other methods do.
        """

    def flush(self) -> None:
        """Returns when every message sent so far has left this process."""
