"""Sends the server's own figures to a client that measures, as typed messages between the phases.

    client                                server
      MEASURE, 1 to verify       ->
                                 <-       the description: machine, threads, preparation, set-up
      RECORDS, inference         ->
                                 <-       the records of both phases of this inference
      SHARES, inference          ->                                                          (INSECURE)
                                 <-       one share per operator, in the order of the program

A description and records are JSON of bounded size. The receiver checks every field. Every time in them is a
duration on the server's clock. So the clocks of two machines are never compared.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from msgspec import Meta

from pi_bench.errors import PeerError
from pi_bench.network.program import LinearOp, Program
from pi_bench.protocol.span import Span
from pi_bench.session.phase_record import Phase, PhaseRecord
from pi_bench.session.session import Session

MAX_DOCUMENT_BYTES = 8 << 20
_PIECE_BYTES = 64 << 10  # memory at the receiver grows with the pieces that have arrived
_LENGTH_BYTES = 4
_MAX_SECONDS = 1e9

_Text = Annotated[str, Meta(max_length=128)]
_Count = Annotated[int, Meta(ge=0, le=1 << 53)]
_Seconds = Annotated[float, Meta(ge=0, le=_MAX_SECONDS)]


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Is the base of the parts of a message."""


class _SpanFields(_Document, frozen=True, kw_only=True):
    op_id: Annotated[int, Meta(ge=-1, le=1 << 32)]
    part: _Text
    compute_s: _Seconds
    send_s: _Seconds
    wait_s: _Seconds
    sent_bytes: _Count
    received_bytes: _Count
    sent_count: _Count
    received_count: _Count
    depth_count: _Count


class _RecordFields(_Document, frozen=True, kw_only=True):
    phase: Phase
    inference_id: _Count
    wall_s: _Seconds
    cpu_s: _Seconds
    peak_memory_bytes: _Count
    peak_memory_by_phase: bool
    depth: _Count
    spans: Annotated[list[_SpanFields], Meta(max_length=100_000)]


class ServerDescription(_Document, frozen=True, kw_only=True):
    """Describes the machine of a server, as `pi_bench.metrics.environment` does, and the server's own work.

    Attributes:
        prepare_s: the work that serves all clients together.
        set_up: the record of this client's set-up.

    ```python
    def processor(session: Session) -> str:
        return receive_description(session)[0].cpu_model
    ```
    """

    time: _Text
    system: _Text
    cpu_model: _Text
    core_count: _Count
    usable_core_count: _Count
    memory_bytes: _Count
    instruction_set: _Text
    versions: Annotated[dict[_Text, _Text], Meta(max_length=64)]
    commit: _Text | None
    threads: _Count
    weight_cache_bytes: _Count
    prepare_s: _Seconds
    set_up: _RecordFields


class _RunFields(_Document, frozen=True, kw_only=True):
    offline: _RecordFields
    online: _RecordFields
    storage_bytes: _Count


def send_description(session: Session, values: dict[str, Any], set_up: PhaseRecord) -> None:
    """Sends the fields of a `ServerDescription`.

    Args:
        values: all of them but `set_up`.

    ```python
    def describe(session: Session, values: dict[str, object], set_up: PhaseRecord) -> None:
        send_description(session, {**values, "threads": 1}, set_up)
    ```
    """
    send_document(session, {**values, "set_up": set_up.as_dict()})


def receive_description(session: Session) -> tuple[ServerDescription, PhaseRecord]:
    """Receives the server's description, and the record of its set-up.

    ```python
    from pi_bench.session.commands import Command, send_command

    def describe(session: Session) -> ServerDescription:
        send_command(session, Command.MEASURE, 0)
        return receive_description(session)[0]
    ```

    Raises:
        PeerError: the server does not measure, or its message is malformed.
        ConnectionFailedError: the server is silent, or the connection was lost.
    """
    found = receive_document(session, ServerDescription)
    _require_printable([found.time, found.system, found.cpu_model, found.instruction_set, found.commit or ""])
    _require_printable([*found.versions, *found.versions.values()])
    return found, _record(found.set_up, Phase.SET_UP, 0)


def send_records(session: Session, offline: PhaseRecord, online: PhaseRecord, storage_bytes: int) -> None:
    """Sends the records of one inference, and the size of its preprocessing at the server.

    ```python
    def report(session: Session, offline: PhaseRecord, online: PhaseRecord) -> None:
        send_records(session, offline, online, storage_bytes=813_000)
    ```
    """
    send_document(
        session,
        {"offline": offline.as_dict(), "online": online.as_dict(), "storage_bytes": storage_bytes},
    )


def receive_records(
    session: Session, program: Program, inference_id: int
) -> tuple[PhaseRecord, PhaseRecord, int]:
    """Receives what `send_records` sends: the records offline and online, and the size.

    Raises:
        PeerError: the message is malformed, or belongs to another inference or program.
        ConnectionFailedError: the server is silent, or the connection was lost.

    ```python
    def server_online_s(session: Session, program: Program) -> float:
        return receive_records(session, program, inference_id=1)[1].wall_s
    ```
    """
    found = receive_document(session, _RunFields)
    known = {-1, *(op.id for op in program.ops)}
    for record in (found.offline, found.online):
        if not known.issuperset(span.op_id for span in record.spans):
            raise PeerError("the server's record names an operator that its program does not have")
    offline = _record(found.offline, Phase.OFFLINE, inference_id)
    return offline, _record(found.online, Phase.ONLINE, inference_id), found.storage_bytes


def share_names(program: Program) -> dict[str, tuple[int, ...]]:
    """Returns the shape of each share that verifies a run, by the names of `ShareTrace`.

    >>> from pi_bench.testing import small_network
    >>> share_names(small_network()[0])
    {'a:0': (1, 2), 'x:1': (1, 4), 'a:2': (1, 4), 'x:3': (1, 1)}
    """
    ops = [op for op in program.ops if op is not program.output]
    return {f"{'x' if isinstance(op, LinearOp) else 'a'}:{op.id}": op.shape for op in ops}


def send_insecure_shares(session: Session, program: Program, shares: dict[str, np.ndarray]) -> None:
    """Sends the server's shares, which reveal its weights to the client: INSECURE.

    ```python
    def reveal(session: Session, program: Program, shares: dict[str, np.ndarray]) -> None:
        send_insecure_shares(session, program, shares)
    ```
    """
    for name in share_names(program):
        session.send(np.ascontiguousarray(shares[name]))
    session.flush()


def receive_insecure_shares(session: Session, program: Program) -> dict[str, np.ndarray]:
    """Receives the server's shares, each uint32 of its operator's shape: INSECURE.

    Raises:
        PeerError: a share has another size.
        ConnectionFailedError: the server is silent, or the connection was lost.

    ```python
    def shares(session: Session, program: Program) -> list[str]:
        return list(receive_insecure_shares(session, program))
    ```
    """
    found = {}
    for name, shape in share_names(program).items():
        found[name] = np.empty(shape, np.uint32)
        session.receive_into(found[name])
    return found


def send_document(session: Session, values: object, what: str = "records") -> None:
    """Sends JSON of bounded size.

    Args:
        what: names the document in the message of the error.

    ```python
    def send_names(session: Session, names: list[str]) -> None:
        send_document(session, names, "names")
    ```

    Raises:
        PeerError: it has more than `MAX_DOCUMENT_BYTES`.
    """
    data = msgspec.json.encode(values)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise PeerError(f"the {what} of an inference have more than {MAX_DOCUMENT_BYTES:,} bytes")
    session.send(len(data).to_bytes(_LENGTH_BYTES, "little"))
    for start in range(0, len(data), _PIECE_BYTES):
        session.send(data[start : start + _PIECE_BYTES])
    session.flush()


_T = TypeVar("_T")


def receive_document(session: Session, kind: type[_T]) -> _T:
    """Receives what `send_document` sends, and checks it against a type.

    ```python
    def receive_names(session: Session) -> list[str]:
        return receive_document(session, list[str])
    ```

    Raises:
        PeerError: it is too large, or not of this type.
        ConnectionFailedError: the server is silent, or the connection was lost.
    """
    length = int.from_bytes(session.receive(_LENGTH_BYTES), "little")
    if not 0 < length <= MAX_DOCUMENT_BYTES:
        raise PeerError(
            f"the server announced a record of {length:,} bytes; 1 to {MAX_DOCUMENT_BYTES:,} are allowed"
        )
    data = bytearray()
    while len(data) < length:
        data += session.receive(min(_PIECE_BYTES, length - len(data)))
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PeerError(f"the server's record is malformed: {error}") from None


def _record(fields: _RecordFields, phase: Phase, inference_id: int) -> PhaseRecord:
    if (fields.phase, fields.inference_id) != (phase, inference_id):
        raise PeerError("the server's record is that of another phase or inference")
    _require_printable(span.part for span in fields.spans)
    values = msgspec.structs.asdict(fields)
    return PhaseRecord(**{**values, "spans": [Span(**msgspec.structs.asdict(span)) for span in fields.spans]})


def _require_printable(texts: Any) -> None:
    """Refuses texts that could control the terminal that shows them."""
    if not all(text.isprintable() for text in texts):
        raise PeerError("the server's record has a text with control characters")
