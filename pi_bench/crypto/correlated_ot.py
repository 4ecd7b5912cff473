"""The interface of every construction of correlated OT: SoftSpoken (`ot_extension`) and Ferret (`ferret`).

The receiver chooses bits, and its message makes both parties' labels of the same OTs. So the parties extend
by the same counts in the same order. The size of a message follows from the construction and the count.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pi_bench.crypto.secret import SecretBytes
from pi_bench.errors import PeerError

Message = bytes | bytearray | memoryview | np.ndarray


class OtSender(Protocol):
    """Holds delta and gets zero labels.

    >>> from pi_bench.crypto.ot_extension import CotSender
    >>> def delta_of(sender: OtSender) -> int:
    ...     return len(sender.delta)
    >>> with CotSender(bytes(16), np.zeros((128, 16), np.uint8), bytes(4096)) as sender:
    ...     delta_of(sender)
    16
    """

    @property
    def delta(self) -> SecretBytes:
        """The delta for kernels that make both labels of an OT. It is wiped with the instance."""

    def extend(self, message: Message, count: int, out_zero_labels: np.ndarray, *, threads: int = 1) -> None:
        """Writes the zero labels of `count` OTs, uint8 of 16 `count` bytes, from the receiver's message."""

    def close(self) -> None:
        """Wipes the secrets; the instance cannot be used afterwards."""


class OtReceiver(Protocol):
    """Chooses bits and gets active labels: zero_label xor choice delta.

    >>> from pi_bench.crypto.ot_extension import CotReceiver
    >>> def message_size(receiver: OtReceiver) -> int:
    ...     return len(receiver.extend(np.zeros(4, np.uint8), 32, np.empty((32, 16), np.uint8)))
    >>> with CotReceiver(np.zeros((128, 2, 16), np.uint8)) as receiver:
    ...     message_size(receiver)
    128
    """

    def extend(
        self, choice_bits: np.ndarray, count: int, out_labels: np.ndarray, *, threads: int = 1
    ) -> bytearray:
        """Makes the message for the sender and writes the active labels of `count` OTs."""

    def close(self) -> None:
        """Wipes the secrets; the instance cannot be used afterwards."""


def check_size(message: Message, expected: int, what: str) -> None:
    """Refuses a message of another size than both parties know.

    >>> check_size(bytes(3), 4, "silent OT: the message of choices")
    Traceback (most recent call last):
    ...
    pi_bench.errors.PeerError: silent OT: the message of choices has 3 bytes, not 4

    Raises:
        PeerError: the size differs; names `what`.
    """
    size = message.nbytes if isinstance(message, memoryview | np.ndarray) else len(message)
    if size != expected:
        raise PeerError(f"{what} has {size} bytes, not {expected}")
