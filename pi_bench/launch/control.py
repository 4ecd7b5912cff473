"""The pipe between the launcher and a party: containers of metadata and arrays, never pickles.

A message is a u64 length (little endian) and a container of `pi_bench.codec`. Both ends are of one
user and one program, so the length is trusted; what travels is public, or goes to the party that owns it.
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
    """The other end of the pipe is gone."""


class ControlStalledError(Exception):
    """The other end has stopped in the middle of a message, or takes none."""


class ControlPipe:
    """One end of the pipe."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    @classmethod
    def from_fd(cls, fd: int) -> ControlPipe:
        return cls(socket.socket(fileno=fd))

    def fileno(self) -> int:
        return self._connection.fileno()

    def set_stall(self, seconds: float) -> None:
        """How long the other end may stop within a message; for ever, unless this is called."""
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._connection.setsockopt(socket.SOL_SOCKET, option, timeval(seconds))

    def send(
        self, kind: str, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Raises: ControlClosedError, ControlStalledError."""
        data = codec.encode({"kind": kind, **meta}, arrays or {})
        try:
            self._connection.sendall(len(data).to_bytes(_LENGTH_BYTES, "little"))
            self._connection.sendall(data)
        except BlockingIOError as error:
            raise ControlStalledError from error
        except OSError as error:
            raise ControlClosedError from error

    def receive(self) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
        """Kind, metadata and arrays of the next message.

        Raises:
            ControlClosedError: the other end is gone.
            ControlStalledError: it stopped within the message.
            PiBenchError: the other end reports this error.
        """
        length = int.from_bytes(self._read(_LENGTH_BYTES), "little")
        meta, arrays = codec.decode(self._read(length))
        kind = meta.pop("kind")
        if kind == "error":
            raise error_from_fields(meta)
        return kind, meta, arrays

    def close(self) -> None:
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
    """An error as metadata of a message of kind ``error``."""
    return {"error": type(error).__name__, "message": str(error)}


def error_from_fields(fields: Mapping[str, Any]) -> Exception:
    found = getattr(errors, fields["error"], None)
    if isinstance(found, type) and issubclass(found, errors.PiBenchError):
        return found(fields["message"])
    return RuntimeError(f"{fields['error']}: {fields['message']}")
