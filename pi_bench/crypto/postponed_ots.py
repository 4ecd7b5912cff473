"""Correlated OTs of SoftSpoken whose labels a kernel makes where it uses them.

The labels of a slice then stay in a cache, and no memory that lasts holds them. The messages and counters are
those of `CotSender.extend` and `CotReceiver.extend`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from pi_bench import _native

SenderOts = _native.ot.SenderOts
ReceiverOts = _native.ot.ReceiverOts

Ots = TypeVar("Ots", SenderOts, ReceiverOts)


class PostponedOts(Generic[Ots]):
    """Holds OTs whose counters are taken, until the one kernel that uses them.

    `CotSender.postpone` and `CotReceiver.extend_within` make it. The kernel, too, refuses OTs that have
    served.

    >>> import numpy as np
    >>> from pi_bench.crypto.ot_extension import TREE_MESSAGE_BYTES, CotSender
    >>> with CotSender(bytes(16), np.zeros((128, 16), np.uint8), bytes(TREE_MESSAGE_BYTES)) as sender:
    ...     postponed = sender.postpone(bytes(128), 32)
    ...     ots = postponed.take()
    ...     postponed.take()
    Traceback (most recent call last):
    ValueError: these OTs have served; extend again
    """

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], Ots]) -> None:
        self._make: Callable[[], Ots] | None = make

    def take(self) -> Ots:
        """Returns the argument of the kernel. Call it in the argument list of the kernel.

        Raises:
            ValueError: the OTs have served, or their instance is closed.
        """
        make, self._make = self._make, None
        if make is None:
            raise ValueError("these OTs have served; extend again")
        return make()
