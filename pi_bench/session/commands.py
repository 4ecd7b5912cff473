"""What the client asks of the server between phases: the client leads."""

from __future__ import annotations

import enum
import struct

from pi_bench.errors import PeerError
from pi_bench.session.session import Session

_COMMAND = struct.Struct("<II")
_READY = b"go"


class Command(enum.IntEnum):
    PREPROCESS = 1
    INFER = 2
    END = 3
    PROBE = 4


def send_command(session: Session, command: Command, inference_id: int) -> None:
    session.send(_COMMAND.pack(command, inference_id))


def receive_command(session: Session) -> tuple[Command, int]:
    """Raises: PeerError, ConnectionFailedError."""
    number, inference_id = _COMMAND.unpack(session.receive(_COMMAND.size))
    try:
        return Command(number), inference_id
    except ValueError:
        raise PeerError(f"the client sent the unknown command {number}") from None


def send_ready(session: Session) -> None:
    """The server stands in the online phase: the client's clock may start."""
    session.send(_READY)


def receive_ready(session: Session) -> None:
    """Raises: PeerError, ConnectionFailedError."""
    if bytes(session.receive(len(_READY))) != _READY:
        raise PeerError("the server did not say that it is ready")
