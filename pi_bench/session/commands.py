"""Sends and receives the commands of the client to the server, between phases."""

from __future__ import annotations

import enum
import struct

from pi_bench.errors import PeerError
from pi_bench.session.session import Session

_COMMAND = struct.Struct("<II")
_READY = b"go"


class Command(enum.IntEnum):
    """Lists the commands of a client.

    >>> Command(3).name
    'END'
    """

    PREPROCESS = 1
    INFER = 2
    END = 3
    PROBE = 4
    MEASURE = 5  # these three: `pi_bench.session.server_figures`
    RECORDS = 6
    SHARES = 7
    CLOCK = 8  # `pi_bench.session.clock`
    TRACE = 9  # these two: `pi_bench.session.timeline_messages`
    TIMELINES = 10


def send_command(session: Session, command: Command, inference_id: int) -> None:
    """Sends a command to the server, with the number of the inference that it concerns.

    >>> import socket
    >>> from pi_bench.channel import Channel
    >>> from pi_bench.protocol import Party
    >>> client, server = (
    ...     Session(Channel(end), party, session_id=1, binding=bytes(32))
    ...     for end, party in zip(socket.socketpair(), Party)
    ... )
    >>> send_command(client, Command.PREPROCESS, 1)
    >>> receive_command(server)
    (<Command.PREPROCESS: 1>, 1)
    >>> client.close()
    >>> server.close()
    """
    session.send(_COMMAND.pack(command, inference_id))


def receive_command(session: Session) -> tuple[Command, int]:
    """Receives a command of the client, and the number of the inference that it concerns.

    >>> import socket
    >>> from pi_bench.channel import Channel
    >>> from pi_bench.protocol import Party
    >>> client, server = (
    ...     Session(Channel(end), party, session_id=1, binding=bytes(32))
    ...     for end, party in zip(socket.socketpair(), Party)
    ... )
    >>> client.send((99).to_bytes(8, "little"))
    >>> receive_command(server)
    Traceback (most recent call last):
    pi_bench.errors.PeerError: the client sent the unknown command 99
    >>> client.close()
    >>> server.close()

    Raises:
        PeerError: the command is unknown, or the client gave up.
        ConnectionFailedError: the client is silent, or the connection was lost.
    """
    number, inference_id = _COMMAND.unpack(session.receive(_COMMAND.size))
    try:
        return Command(number), inference_id
    except ValueError:
        raise PeerError(f"the client sent the unknown command {number}") from None


def send_ready(session: Session) -> None:
    """Tells the client that the server is ready, so that the client's clock may start.

    >>> import socket
    >>> from pi_bench.channel import Channel
    >>> from pi_bench.protocol import Party
    >>> client, server = (
    ...     Session(Channel(end), party, session_id=1, binding=bytes(32))
    ...     for end, party in zip(socket.socketpair(), Party)
    ... )
    >>> send_ready(server)
    >>> receive_ready(client)
    >>> client.close()
    >>> server.close()
    """
    session.send(_READY)


def receive_ready(session: Session) -> None:
    """Waits until the server says that it is ready.

    >>> import socket
    >>> from pi_bench.channel import Channel
    >>> from pi_bench.protocol import Party
    >>> client, server = (
    ...     Session(Channel(end), party, session_id=1, binding=bytes(32))
    ...     for end, party in zip(socket.socketpair(), Party)
    ... )
    >>> server.send(b"no")
    >>> receive_ready(client)
    Traceback (most recent call last):
    pi_bench.errors.PeerError: the server did not say that it is ready
    >>> client.close()
    >>> server.close()

    Raises:
        PeerError: the server sent something else, or gave up.
        ConnectionFailedError: the server is silent, or the connection was lost.
    """
    if bytes(session.receive(len(_READY))) != _READY:
        raise PeerError("the server did not say that it is ready")
