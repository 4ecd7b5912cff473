"""What a protocol sees of one run of one party: messages and spans, never a clock or a socket."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol as StructuralType

import numpy as np

ReadableBuffer = bytes | bytearray | memoryview | np.ndarray


class Party(enum.StrEnum):
    CLIENT = "client"
    SERVER = "server"


class ShareTrace:
    """References to a party's shares, kept for verification under `latency` alone.

    ``x:ID`` is the party's share of linear value ID (bias included, offset of the activation not);
    ``a:ID`` its share of activation (or input) ID. All uint32, of the value's shape. The shares of
    the two parties add up to the value mod 2^32.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def keep_linear(self, value_id: int, share: np.ndarray) -> None:
        self.arrays[f"x:{value_id}"] = share

    def keep_activation(self, value_id: int, share: np.ndarray) -> None:
        self.arrays[f"a:{value_id}"] = share


class SessionLike(StructuralType):
    """One connection, one party. The harness implements it (`pi_bench.session`)."""

    party: Party
    trace: ShareTrace | None
    binding: bytes
    """32 bytes that name this session: randomness of both parties, program, protocol, options."""

    def step(self, op_id: int, part: str = "") -> AbstractContextManager[None]:
        """Time, bytes and waiting inside belong to operator `op_id` (-1: none) and to `part` of the phase.

        The protocol names its parts, in either phase; "" belongs to none.
        """

    def send(self, *buffers: ReadableBuffer) -> None:
        """One message made of `buffers`; they must stay unchanged until `flush` returns."""

    def receive(self, byte_count: int) -> bytearray:
        """The next message, which must have exactly `byte_count` payload bytes.

        Raises: PeerError, ConnectionFailedError.
        """

    def receive_into(
        self, buffer: bytearray | memoryview | np.ndarray, *, meanwhile: Iterator[None] | None = None
    ) -> None:
        """As `receive`, into a writable buffer whose size is the expected size.

        `meanwhile`: steps of some microseconds that may be taken until the message comes, such as
        `pi_bench.arithmetic.prefetch`; none has to be.
        """

    def flush(self) -> None:
        """Returns when every message sent so far has left this process."""
