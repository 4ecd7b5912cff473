"""Defines the figures that both parties report to the launcher, as typed messages of the control pipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from pi_bench.launch.client import OfflineReport, OnlineReport
from pi_bench.session import PhaseRecord


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """Reports that the server listens: the message ``listening``.

    Attributes:
        prepare_s: the seconds of the work that serves all clients.
        weight_cache_bytes: the bound on the server's cache of transformed weights.

    >>> Listening(host="127.0.0.1", port=7000, prepare_s=0.5, weight_cache_bytes=0).port
    7000
    """

    host: str
    port: int
    prepare_s: float
    weight_cache_bytes: int


class SetUpRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Reports the client's set-up: the message ``ready``, and a part of ``contact``.

    Attributes:
        handshake_s: the seconds until the handshake ended.
        set_up_s: the seconds until the set-up ended.

    ```python
    def keys_s(set_up: SetUpRecord) -> float:
        return set_up.set_up_s - set_up.handshake_s
    ```
    """

    handshake_s: float
    set_up_s: float
    record: PhaseRecord


class ServerPhase(msgspec.Struct, frozen=True, kw_only=True):
    """Reports one phase of the server: the message ``record``.

    Attributes:
        storage_bytes: the size of the preprocessing after an offline phase, else 0.

    ```python
    def wall_s(phase: ServerPhase) -> float:
        return phase.record.wall_s
    ```
    """

    record: PhaseRecord
    storage_bytes: int = 0


class ServerRun(msgspec.Struct, frozen=True, kw_only=True):
    """Holds both phases of one run at the server.

    ```python
    def cpu_s(run: ServerRun) -> float:
        return run.offline.record.cpu_s + run.online.record.cpu_s
    ```
    """

    offline: ServerPhase
    online: ServerPhase


class ClientRun(msgspec.Struct, frozen=True, kw_only=True):
    """Reports one run of the client: the message ``done``, with shares, output and logits.

    Attributes:
        server: the run at a server on another machine, which reports to its client; None where the server
            reports to the launcher itself.
        probed_link: the figures of an emulated link.

    ```python
    def storage_bytes(run: ClientRun) -> int:
        return run.offline.storage_bytes
    ```
    """

    offline: OfflineReport
    online: OnlineReport
    server: ServerRun | None = None
    probed_link: dict[str, float] | None = None


def fields_of(record: msgspec.Struct) -> dict[str, Any]:
    """Returns the fields of a message of the control pipe, as JSON values.

    >>> fields_of(Listening(host="127.0.0.1", port=7000, prepare_s=0.5, weight_cache_bytes=0))
    {'host': '127.0.0.1', 'port': 7000, 'prepare_s': 0.5, 'weight_cache_bytes': 0}
    """
    fields: dict[str, Any] = msgspec.to_builtins(record)
    return fields


_R = TypeVar("_R", bound=msgspec.Struct)


def record_of(kind: type[_R], fields: Mapping[str, Any]) -> _R:
    """Makes the record whose fields `fields_of` gave.

    >>> listening = Listening(host="127.0.0.1", port=7000, prepare_s=0.5, weight_cache_bytes=0)
    >>> record_of(Listening, fields_of(listening)) == listening
    True
    """
    return msgspec.convert(fields, kind)
