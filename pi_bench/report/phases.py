"""Times and bytes of phases, their parts and their layers, from the records of both parties."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from pi_bench.launch.measurement import Run
from pi_bench.network.program import ActivationOp, Op
from pi_bench.protocol.span import Span
from pi_bench.report.directions import directions
from pi_bench.report.documents.fields import BothTimes, Directions, Times
from pi_bench.report.documents.latency import MeasuredLayer
from pi_bench.report.operators import operator_counts, operator_text
from pi_bench.session import PhaseRecord


def bytes_of_phase(client_record: PhaseRecord, unit: str) -> Directions:
    """Sums the bytes of a phase per direction. `unit` is "bytes" for payloads, or "wire_bytes".

    ```python
    def uploaded_bytes(client_record: PhaseRecord) -> int:
        return bytes_of_phase(client_record, "bytes").client_to_server
    ```
    """
    return directions(client_record.spans, unit)


def _times(spans_of_runs: Sequence[Sequence[Span]]) -> Times:
    """Takes the median over runs of the sum over the spans of each run."""

    def over_runs(name: str) -> float:
        return float(median(sum(getattr(span, name) for span in spans) for spans in spans_of_runs))

    return Times(compute_s=over_runs("compute_s"), send_s=over_runs("send_s"), wait_s=over_runs("wait_s"))


def _busy_s(spans: Iterable[Span]) -> float:
    return sum(span.compute_s + span.send_s for span in spans)


def hidden_offline_s(run: Run) -> float:
    """Subtracts the time that passed offline from the work of both parties.

    ```python
    def overlapped(run: Run) -> bool:
        return hidden_offline_s(run) > 0.1 * run.offline_s
    ```
    """
    busy_s = sum(_busy_s(run.record(party, "offline").spans) for party in ("client", "server"))
    return max(0.0, busy_s - run.offline_s)


def _hidden_online_s(client: Iterable[Span], server: Iterable[Span]) -> float:
    """Subtracts the client's waiting time from the server's work."""
    return max(0.0, _busy_s(server) - sum(span.wait_s for span in client))


def _chosen(record: PhaseRecord, choose: Callable[[Span], bool]) -> list[Span]:
    return [span for span in record.spans if choose(span)]


def parts_of(runs: Sequence[Run], phase: str, op_id: int | None = None) -> dict[str, BothTimes]:
    """Divides a phase, or one operator of it, by the parts that the protocol names, in its order.

    Spans that name no part are "other". Online, the result is empty where the protocol names no part.

    ```python
    def encryption_s(runs: Sequence[Run]) -> float:
        return parts_of(runs, "offline")["he"].client.compute_s
    ```
    """
    parties = {
        party: [_chosen(run.record(party, phase), lambda span: op_id in (None, span.op_id)) for run in runs]
        for party in ("client", "server")
    }
    names = dict.fromkeys(span.part for spans in parties.values() for span in spans[0] if span.part)
    shown = [*names, ""] if names or phase == "offline" else []
    return {name or "other": _part(parties, name) for name in shown}


def _part(parties: Mapping[str, Sequence[Sequence[Span]]], name: str) -> BothTimes:
    own = {
        party: [[span for span in spans if span.part == name] for spans in runs]
        for party, runs in parties.items()
    }
    return BothTimes(
        client=_times(own["client"]),
        server=_times(own["server"]),
        bytes=directions(own["client"][0], "bytes"),
        wire_bytes=directions(own["client"][0], "wire_bytes"),
    )


def layer_of(op: Op, runs: Sequence[Run]) -> MeasuredLayer:
    """Describes an operator of the program and the time and bytes of its online phase.

    ```python
    from pi_bench.network.program import Program

    def slowest(program: Program, runs: Sequence[Run]) -> MeasuredLayer:
        return max((layer_of(op, runs) for op in program.ops), key=lambda layer: layer.client.wait_s)
    ```
    """

    def of_layer(span: Span) -> bool:
        return span.op_id == op.id

    client = [_chosen(run.record("client", "online"), of_layer) for run in runs]
    server = [_chosen(run.record("server", "online"), of_layer) for run in runs]
    return MeasuredLayer(
        id=op.id,
        name=op.name,
        operator=operator_text(op),
        shape=list(op.shape),
        **operator_counts(op),
        client=_times(client),
        server=_times(server),
        hidden_s=median(_hidden_online_s(*both) for both in zip(client, server, strict=True)),
        bytes=directions(client[0], "bytes"),
        wire_bytes=directions(client[0], "wire_bytes"),
        parts=parts_of(runs, "online", op.id),
        comm_round_count=sum(span.depth_count for span in client[0]) / 2,
        headroom_bits=op.headroom_bits if isinstance(op, ActivationOp) else None,
    )
