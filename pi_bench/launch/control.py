"""Connects the launcher and a party by a pipe of containers of metadata and arrays, never pickles.

A message is a u64 length (little endian) and a container of `pi_bench.codec`. Both ends belong to one user
and one program, so the length is trusted. The contents are public, or go to the party that owns them.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import numpy as np

from pi_bench import codec, errors
from pi_bench.channel.sender import timeval

_LENGTH_BYTES = 8


class ControlClosedError(Exception):
    """Error of a pipe whose other end is gone.

    >>> here, there = map(ControlPipe, socket.socketpair())
    >>> there.close()
    >>> here.receive()
    Traceback (most recent call last):
    pi_bench.launch.control.ControlClosedError
    >>> here.close()
    """


class ControlStalledError(Exception):
    """Error of a pipe whose other end has stopped within a message, or takes none.

    >>> here, there = map(ControlPipe, socket.socketpair())
    >>> here.set_stall(0.001)
    >>> here.receive()
    Traceback (most recent call last):
    pi_bench.launch.control.ControlStalledError
    >>> here.close()
    >>> there.close()
    """


class ControlPipe:
    """One end of the pipe between the launcher and a party.

    >>> here, there = map(ControlPipe, socket.socketpair())
    >>> here.send("ready", {"set_up_s": 0.5}, {"input": np.float32([1, 2])})
    >>> there.receive()
    ('ready', {'set_up_s': 0.5}, {'input': array([1., 2.], dtype=float32)})
    >>> here.close()
    >>> there.close()
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    @classmethod
    def from_fd(cls, fd: int) -> ControlPipe:
        """Makes the end of a pipe from the file descriptor that the launcher has passed on."""
        return cls(socket.socket(fileno=fd))

    def fileno(self) -> int:
        """Returns the file descriptor, so that a selector can wait for a message."""
        return self._connection.fileno()

    def set_stall(self, seconds: float) -> None:
        """Sets how long the other end may stop within a message. Without a call it may stop for ever."""
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._connection.setsockopt(socket.SOL_SOCKET, option, timeval(seconds))

    def send(
        self, kind: str, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Sends a message of a `kind`, with metadata and arrays.

        Raises:
            ControlClosedError: the other end is gone.
            ControlStalledError: the other end takes nothing.
        """
        data = codec.encode({"kind": kind, **meta}, arrays or {})
        try:
            self._connection.sendall(len(data).to_bytes(_LENGTH_BYTES, "little"))
            self._connection.sendall(data)
        except BlockingIOError as error:
            raise ControlStalledError from error
        except OSError as error:
            raise ControlClosedError from error

    def receive(self) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
        """Receives kind, metadata and arrays of the next message.

        Raises:
            ControlClosedError: the other end is gone.
            ControlStalledError: the other end stopped within the message.
            PiBenchError: the other end reports this error.
        """
        length = int.from_bytes(self._read(_LENGTH_BYTES), "little")
        meta, arrays = codec.decode(self._read(length))
        kind = meta.pop("kind")
        if kind == "error":
            raise error_from_fields(meta)
        return kind, meta, arrays

    def close(self) -> None:
        """Closes this end. The other end then receives a ControlClosedError."""
        self._connection.close()

    def _read(self, length: int) -> bytearray:
        data = bytearray(length)
        view, position = memoryview(data), 0
        while position < length:
            try:
                count = self._connection.recv_into(view[position:], 0, socket.MSG_WAITALL)
            except BlockingIOError as error:
                raise ControlStalledError from error
            except OSError as error:
                raise ControlClosedError from error
            if count == 0:
                raise ControlClosedError
            position += count
        return data


def error_fields(error: BaseException) -> dict[str, str]:
    """Describes an error as the metadata of a message of kind ``error``.

    >>> error_fields(errors.InputError("the input is empty"))
    {'error': 'InputError', 'message': 'the input is empty'}
    """
    return {"error": type(error).__name__, "message": str(error)}


def error_from_fields(fields: Mapping[str, Any]) -> Exception:
    """Makes the error that `error_fields` has described: a `PiBenchError` if it was one, else a
    RuntimeError.

    >>> error_from_fields({"error": "InputError", "message": "the input is empty"})
    InputError('the input is empty')
    """
    found = getattr(errors, fields["error"], None)
    if isinstance(found, type) and issubclass(found, errors.PiBenchError):
        return found(fields["message"])
    return RuntimeError(f"{fields['error']}: {fields['message']}")
