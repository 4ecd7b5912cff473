"""The result of one `pi-bench latency`, as a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import msgspec
import numpy as np

from pi_bench.launch.latency import LatencyOptions, Measurement, Run
from pi_bench.launch.model import LoadedModel
from pi_bench.measure.spans import Span
from pi_bench.measure.statistics import summarize
from pi_bench.network.program import ActivationOp, Op, Program
from pi_bench.protocol import ProtocolInfo
from pi_bench.report.documents import latency as document
from pi_bench.report.documents.fields import BothTimes, Directions, PerParty, SecondsPerParty, Times
from pi_bench.report.fusion import fusion_part
from pi_bench.report.link import probed_link_part
from pi_bench.report.operators import network_counts, operator_counts, operator_words
from pi_bench.report.weights import weights_of
from pi_bench.session import PhaseRecord


def build_result(
    model: LoadedModel,
    info: ProtocolInfo,
    options: LatencyOptions,
    measurement: Measurement,
    float_logits: np.ndarray,
    environment: dict[str, Any],
    inputs_words: str,
    arguments: dict[str, Any],
) -> document.Result:
    """Collects every figure of a measurement with at least one timed run.

    Prediction, explanation and warnings are added by the caller, who has what they need.

    ```python
    def online_median_s(*measured: Any) -> float:  # model, protocol, options, measurement, ...
        return build_result(*measured).online.latency_s.median
    ```
    """
    runs, program = measurement.runs, model.program
    first, placement = runs[0], measurement.placement
    online_s, offline_s = median(run.latency_s for run in runs), [run.offline_s for run in runs]
    cpu = _cpu_time(measurement)
    return document.Result(
        schema_version=2,
        network=_network(model),
        protocol=info.name,
        protocol_title=info.title,
        secure=info.secure,
        mode=options.protocol.mode,
        options=dict(options.protocol.values),
        weight_cache_bytes=options.protocol.weight_cache_bytes,
        runs=len(runs),
        requested_runs=options.runs,
        interrupted=measurement.interruption is not None and len(runs) < options.runs,
        warmup=options.warmup,
        link=probed_link_part(options.link, measurement.probed_link),
        input=inputs_words,
        model_load_s=model.load_s,
        server_prepare_s=measurement.prepare_s,
        start_s=measurement.start_s,
        setup=document.SetUp(
            time_s=measurement.set_up_s,
            handshake_s=measurement.handshake_s,
            bytes=_directions([measurement.client_set_up], "bytes"),
            wire_bytes=_directions([measurement.client_set_up], "wire_bytes"),
        ),
        offline=document.OfflinePhase(
            time_s=median(offline_s),
            samples_s=offline_s,
            hidden_s=median(_hidden_offline_s(run) for run in runs),
            bytes=_directions([first.client_offline], "bytes"),
            wire_bytes=_directions([first.client_offline], "wire_bytes"),
            parts=_parts(runs, "offline"),
        ),
        material_load_s=0.0,  # material stays in memory between the phases
        online=document.OnlinePhase(
            latency_s=msgspec.convert(summarize([run.latency_s for run in runs]), document.Distribution),
            bytes=_directions([first.client_online], "bytes"),
            wire_bytes=_directions([first.client_online], "wire_bytes"),
            parts=_parts(runs, "online"),
            comm_round_count=max(first.client_online.depth, first.server_online.depth) / 2,
            layers=[_layer(op, runs) for op in program.ops],
        ),
        first_inference_s=measurement.set_up_s + median(offline_s) + online_s,
        storage_bytes_per_inference=first.client_storage_bytes + first.server_storage_bytes,
        storage_bytes=PerParty(client=first.client_storage_bytes, server=first.server_storage_bytes),
        peak_memory_bytes=_peak_memory(measurement),
        peak_memory_by_phase=measurement.client_set_up.peak_memory_by_phase,
        cpu_time_s=SecondsPerParty(
            client=cpu.client.offline + cpu.client.online, server=cpu.server.offline + cpu.server.online
        ),
        cpu_time_by_phase_s=cpu,
        outputs=_outputs(program, measurement.logits),
        verification=_verification(options.protocol.mode, runs, measurement.logits, float_logits),
        prediction=None,
        explanation=None,
        environment=document.Placement(
            **environment,
            threads=placement.threads,
            pinned=placement.pinned,
            cores=document.Cores(client=list(placement.client_cores), server=list(placement.server_cores)),
        ),
        arguments=arguments,
    )


def _network(model: LoadedModel) -> document.NetworkCounts:
    program = model.program
    return document.NetworkCounts(
        name=program.name,
        digest=model.digest,
        weights=weights_of(model.graph.meta),
        **network_counts(program),
        weight_bits=program.weight_bits,
        fusion=fusion_part(model.fusion),
        input_shape=list(program.input.shape),
        output_shape=list(program.output.shape),
    )


def _directions(records: Iterable[PhaseRecord], unit: str) -> Directions:
    """Sums bytes of a phase from the client's records; unit: "bytes" of payload or "wire_bytes"."""
    return _span_directions([span for record in records for span in record.spans], unit)


def _span_directions(client_spans: Iterable[Span], unit: str) -> Directions:
    spans = list(client_spans)
    return Directions(
        client_to_server=sum(getattr(span, f"sent_{unit}") for span in spans),
        server_to_client=sum(getattr(span, f"received_{unit}") for span in spans),
    )


def _times(spans_of_runs: Sequence[Sequence[Span]]) -> Times:
    """Takes the median over runs of the sum over the spans of each run."""

    def over_runs(name: str) -> float:
        return float(median(sum(getattr(span, name) for span in spans) for spans in spans_of_runs))

    return Times(compute_s=over_runs("compute_s"), send_s=over_runs("send_s"), wait_s=over_runs("wait_s"))


def _busy_s(spans: Iterable[Span]) -> float:
    return sum(span.compute_s + span.send_s for span in spans)


def _hidden_offline_s(run: Run) -> float:
    """Subtracts the time that passed from the work of both parties."""
    busy_s = _busy_s(run.client_offline.spans) + _busy_s(run.server_offline.spans)
    return max(0.0, busy_s - run.offline_s)


def _hidden_online_s(client: Iterable[Span], server: Iterable[Span]) -> float:
    """Subtracts the client's waiting time from the server's work."""
    return max(0.0, _busy_s(server) - sum(span.wait_s for span in client))


def _chosen(record: PhaseRecord, choose: Callable[[Span], bool]) -> list[Span]:
    return [span for span in record.spans if choose(span)]


def _parts(runs: Sequence[Run], phase: str, op_id: int | None = None) -> dict[str, BothTimes]:
    """Divides a phase, or one operator of it, by the parts that the protocol names, in its order.

    Spans that name no part are "other". Online, the result is empty where the protocol names no part.
    """
    parties = {
        party: [
            _chosen(getattr(run, f"{party}_{phase}"), lambda span: op_id in (None, span.op_id))
            for run in runs
        ]
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
        bytes=_span_directions(own["client"][0], "bytes"),
        wire_bytes=_span_directions(own["client"][0], "wire_bytes"),
    )


def _layer(op: Op, runs: Sequence[Run]) -> document.Layer:
    def of_layer(span: Span) -> bool:
        return span.op_id == op.id

    client = [_chosen(run.client_online, of_layer) for run in runs]
    server = [_chosen(run.server_online, of_layer) for run in runs]
    return document.Layer(
        id=op.id,
        name=op.name,
        operator=operator_words(op),
        shape=list(op.shape),
        **operator_counts(op),
        client=_times(client),
        server=_times(server),
        hidden_s=median(_hidden_online_s(*both) for both in zip(client, server, strict=True)),
        bytes=_span_directions(client[0], "bytes"),
        wire_bytes=_span_directions(client[0], "wire_bytes"),
        parts=_parts(runs, "online", op.id),
        comm_round_count=sum(span.depth_count for span in client[0]) / 2,
        headroom_bits=op.headroom_bits if isinstance(op, ActivationOp) else None,
    )


def _records(measurement: Measurement, party: str) -> dict[str, list[PhaseRecord]]:
    return {
        "set_up": [getattr(measurement, f"{party}_set_up")],
        "offline": [getattr(run, f"{party}_offline") for run in measurement.runs],
        "online": [getattr(run, f"{party}_online") for run in measurement.runs],
    }


def _peak_memory(measurement: Measurement) -> document.PeakMemory:
    def of(party: str) -> document.BytesPerPhase:
        phases = _records(measurement, party).items()
        return document.BytesPerPhase(
            **{phase: max(record.peak_memory_bytes for record in records) for phase, records in phases}
        )

    return document.PeakMemory(client=of("client"), server=of("server"))


def _cpu_time(measurement: Measurement) -> document.CpuTime:
    def of(party: str) -> document.SecondsPerPhase:
        phases = _records(measurement, party).items()
        return document.SecondsPerPhase(
            **{phase: median(record.cpu_s for record in records) for phase, records in phases}
        )

    return document.CpuTime(client=of("client"), server=of("server"))


def _outputs(program: Program, logits: np.ndarray) -> document.Outputs:
    """Returns logits and argmax of the sample, or of each sample where the batch is larger than one."""
    rows = logits.reshape(logits.shape[0], -1)
    best = [int(index) for index in rows.argmax(axis=1)]
    labels = [program.labels[index] for index in best] if len(program.labels) == rows.shape[1] else None
    single = rows.shape[0] == 1
    return document.Outputs(
        logits=rows[0].tolist() if single else rows.tolist(),
        argmax=best[0] if single else best,
        label=None if labels is None else (labels[0] if single else labels),
    )


def _verification(
    mode: str, runs: Sequence[Run], logits: np.ndarray, float_logits: np.ndarray
) -> document.Verification:
    verdicts = [run.verdict for run in runs]
    rows, float_rows = (array.reshape(logits.shape[0], -1) for array in (logits, float_logits))
    float_best = [int(index) for index in float_rows.argmax(axis=1)]
    return document.Verification(
        passed=all(verdict.passed for verdict in verdicts),
        mode=mode,
        max_ulp_error=max(verdict.max_ulp_error for verdict in verdicts),
        zeroed_count=max(verdict.zeroed_count for verdict in verdicts),
        mismatch_count=sum(verdict.mismatch_count for verdict in verdicts),
        out_of_range_count=sum(verdict.out_of_range_count for verdict in verdicts),
        compared_count=sum(verdict.compared_count for verdict in verdicts),
        verified_run_count=len(verdicts),
        failures=list(dict.fromkeys(failure for verdict in verdicts for failure in verdict.failures)),
        argmax_agrees_with_float=float_best == [int(index) for index in rows.argmax(axis=1)],
        float_argmax=float_best[0] if len(float_best) == 1 else float_best,
        max_float_error=float(np.abs(rows - float_rows).max()),
    )
