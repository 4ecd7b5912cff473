"""A keyed checksum of everything that crosses a connection in one direction.

It detects faults. A network that changes messages on purpose can also change the greetings from
which the key is derived.
`native/checksum/checksum.h` defines the value and bounds the probability of a missed difference: at most
2**-64 + n / 2**128 for n blocks of 8,192 bytes.
"""

from __future__ import annotations

from pi_bench import _native

DIGEST_BYTES = 16

ReadableBuffer = bytes | bytearray | memoryview


class Checksum:
    """Sums up a stream of frames. Equal streams under equal seeds give equal digests.

    How a payload is divided into parts does not matter:

    >>> whole, parts = Checksum(bytes(16)), Checksum(bytes(16))
    >>> whole.add_frame(b"header", b"payload")
    >>> parts.add_header(b"header")
    >>> parts.add_part(b"pay")
    >>> parts.add_part(b"load")
    >>> parts.end_payload()
    >>> whole.digest() == parts.digest()
    True
    """

    def __init__(self, seed: bytes, *, isa: str = "") -> None:
        self.native = _native.checksum.Checksum(seed, isa)
        """The kernel's own object, for native code that sums what it receives."""

    def add_frame(self, header: ReadableBuffer, *parts: ReadableBuffer) -> None:
        """Adds a header and its whole payload, which may lie in several contiguous buffers."""
        self.native.items(header, *parts)

    def add_header(self, header: ReadableBuffer) -> None:
        """Adds a header whose payload follows in parts."""
        self.native.items(header)

    def add_part(self, part: ReadableBuffer) -> None:
        """Adds the next bytes of the payload."""
        self.native.update(part)

    def end_payload(self) -> None:
        """Marks the payload as complete."""
        self.native.end_item()

    def digest(self) -> bytes:
        """Returns the 16 bytes that stand for all complete frames so far."""
        digest: bytes = self.native.digest()
        return digest
