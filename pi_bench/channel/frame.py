"""Defines frames: the header before every message and the values that it may have.

Layout (little endian, 36 bytes): magic ``PIBF`` | u16 frame version | u16 kind | u64 session |
u32 inference | u16 step | u16 slice | u32 depth | u64 payload bytes. Magic and version stay where
they are in every version, so that two versions can name each other.

`step` is the operator's id, or 0xFFFF for none. `slice` is the number of the message within that step and
direction, mod 2^16. `depth` is the length of the longest chain of dependent messages that ends here.
"""

from __future__ import annotations

import enum
import struct
from typing import NamedTuple

from pi_bench.channel.foreign_protocol import foreign_protocol
from pi_bench.errors import PeerError

MAGIC = b"PIBF"
FRAME_VERSION = 1
NO_STEP = 0xFFFF

_HEADER = struct.Struct("<4sHHQIHHIQ")
_SHARED = struct.Struct("<4sHHQI")  # what all headers of a phase begin with
_OWN = struct.Struct("<HHIQ")
HEADER_BYTES = _HEADER.size
OWN_BYTES = _OWN.size


class FrameKind(enum.IntEnum):
    """Lists the kinds of frames: the parts of a session to which a frame belongs, and an abort.

    >>> FrameKind(5).name
    'ONLINE'
    """

    HANDSHAKE = 1
    COMMAND = 2
    SET_UP = 3
    OFFLINE = 4
    ONLINE = 5
    ABORT = 6


_KIND_OF = {kind.value: kind for kind in FrameKind}


class FrameHeader(NamedTuple):
    """Holds the fields of a header, in the order of the wire.

    >>> header = FrameHeader(FrameKind.ONLINE, 1, 7, 12, 0, 1, payload_bytes=4096)
    >>> FrameHeader.decode(header.encode()) == header
    True
    >>> header.wire_bytes
    4132
    """

    kind: FrameKind
    session_id: int
    inference_id: int
    step: int
    slice: int
    depth: int
    payload_bytes: int

    @property
    def wire_bytes(self) -> int:
        """The size of the whole frame."""
        return HEADER_BYTES + self.payload_bytes

    def encode(self) -> bytes:
        """Writes the header, in `HEADER_BYTES` bytes."""
        return _HEADER.pack(MAGIC, FRAME_VERSION, *self)

    @classmethod
    def decode(cls, data: bytes | bytearray | memoryview) -> FrameHeader:
        """Reads a header of exactly `HEADER_BYTES` bytes.

        Raises:
            PeerError: the bytes are not a header, or have another frame version or an unknown kind.
        """
        magic, version, kind, *fields = _HEADER.unpack(data)
        require_magic(magic)
        if version != FRAME_VERSION:
            raise PeerError(
                f"the other party speaks frame version {version}, this one version {FRAME_VERSION}; "
                "install the same pi-bench at both parties"
            )
        known = _KIND_OF.get(kind)
        if known is None:
            raise PeerError(f"the other party sent a frame of unknown kind {kind}")
        return cls(known, *fields)

    def require_depth(self, depth: int) -> None:
        """Compares the depth, where only one is possible.

        Raises:
            PeerError: the depth differs.
        """
        if self.depth != depth:
            raise PeerError(
                f"the other party counts {self.depth} dependent messages where only {depth} is possible"
            )

    def require(self, expected: FrameHeader) -> None:
        """Compares everything but the depth, which `Session` bounds and `require_depth` compares.

        Raises:
            PeerError: a field differs. The message names the field, its value and the expected value.
        """
        if self[:_DEPTH] == expected[:_DEPTH] and self[_DEPTH + 1 :] == expected[_DEPTH + 1 :]:
            return
        for field in _WORDS:
            came, due = getattr(self, field), getattr(expected, field)
            if came != due:
                raise PeerError(
                    f"the other party is out of step: {_WORDS[field]} {_show(field, came)} came where "
                    f"{_WORDS[field]} {_show(field, due)} was due "
                    f"(inference {expected.inference_id}, step {_show('step', expected.step)}, "
                    f"message {expected.slice})"
                )


class PhaseHeaders:
    """Writes the headers of one phase of an inference, faster than by a `FrameHeader` each.

    >>> headers = PhaseHeaders(FrameKind.ONLINE, session_id=1, inference_id=7)
    >>> FrameHeader.decode(headers.encode(step=12, number=3, depth=2, payload_bytes=4096))[3:]
    (12, 3, 2, 4096)
    """

    def __init__(self, kind: FrameKind, session_id: int, inference_id: int) -> None:
        self.shared = _SHARED.pack(MAGIC, FRAME_VERSION, kind, session_id, inference_id)
        """The bytes with which all headers of the phase begin. `own_part` follows."""

    def encode(self, step: int, number: int, depth: int, payload_bytes: int) -> bytes:
        """Writes the header of message `number` of a step."""
        return self.shared + _OWN.pack(step, number, depth, payload_bytes)


def own_part(step: int, number: int, depth: int, payload_bytes: int) -> bytes:
    """Writes the part of a header that differs within a phase, in `OWN_BYTES` bytes.

    >>> headers = PhaseHeaders(FrameKind.ONLINE, session_id=1, inference_id=7)
    >>> headers.shared + own_part(12, 3, 2, 4096) == headers.encode(12, 3, 2, 4096)
    True
    """
    return _OWN.pack(step, number, depth, payload_bytes)


def require_magic(first: bytes) -> None:
    """Refuses a peer that speaks another protocol. `first` has at least the first 4 bytes of its message.

    >>> require_magic(b"SSH-2.0-OpenSSH")
    Traceback (most recent call last):
    pi_bench.errors.PeerError: the other party speaks SSH, not pi-bench ...

    Raises:
        PeerError: no frame begins with these bytes. The message names the protocol if it is well known.
    """
    if first[: len(MAGIC)] == MAGIC:
        return
    name = foreign_protocol(first)
    what = f"speaks {name}, not pi-bench" if name else "does not speak pi-bench"
    begins = first[: len(MAGIC)].hex()
    raise PeerError(
        f"the other party {what} (its message begins with {begins}, a frame with {MAGIC.hex()}); "
        "check the host and the port"
    )


_WORDS = {
    "kind": "a frame of kind",
    "session_id": "session",
    "inference_id": "inference",
    "step": "step",
    "slice": "message number",
    "payload_bytes": "a payload in bytes of",
}
_DEPTH = FrameHeader._fields.index("depth")


def _show(field: str, value: int) -> str:
    if field == "kind":
        return FrameKind(value).name.lower()
    if field == "session_id":
        return f"{value:016x}"
    if field == "step" and value == NO_STEP:
        return "none"
    return str(value)
