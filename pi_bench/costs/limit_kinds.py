"""Lists the kinds of work for which a machine has a limit. All other modules read this list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LimitName = Literal["aes", "cache", "memory", "multiply_add", "ring_multiply_add", "socket", "round_trip"]
"""The names of the kinds, in their order, as a type for documents."""


@dataclass(frozen=True, slots=True)
class LimitKind:
    """One kind of work that a machine does at a limited rate.

    Attributes:
        unit: the counted thing, in the singular.
        words: names the work in a sentence.
        amount: the field of `MinimalWork` that counts the units; "" where no work is counted in them.

    >>> LIMIT_KINDS["socket"].unit
    'byte'
    """

    name: LimitName
    unit: str
    words: str
    amount: str


LIMIT_KINDS: dict[str, LimitKind] = {
    kind.name: kind
    for kind in (
        LimitKind("aes", "block", "AES", "aes_blocks"),
        LimitKind("cache", "byte", "reading a cache", ""),
        LimitKind("memory", "byte", "reading memory", "memory_bytes"),
        LimitKind("multiply_add", "multiply-add", "multiply-adds", "multiply_adds"),
        LimitKind("ring_multiply_add", "multiply-add", "ring multiply-adds", "ring_multiply_adds"),
        LimitKind("socket", "byte", "the loopback socket", "socket_bytes"),
        LimitKind("round_trip", "round trip", "round trips", "round_trips"),
    )
}
"""AES blocks, bytes from a cache and from memory, multiply-adds of two kinds, bytes and round trips of a
loopback connection, by name."""

LIMIT_NAMES = tuple(LIMIT_KINDS)
