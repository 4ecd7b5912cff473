"""The result of one `pi-bench latency`, as a document."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from pi_bench.launch.measurement import LatencyOptions, Measurement, Run
from pi_bench.launch.model import LoadedModel, PublicModel
from pi_bench.launch.placement import Placement
from pi_bench.metrics.statistics import summarize
from pi_bench.network.clamps import upper_relu_count
from pi_bench.network.program import Program
from pi_bench.protocol import ProtocolInfo
from pi_bench.protocol.prediction import PredictedBytes
from pi_bench.report.answer import outputs_part
from pi_bench.report.bits import bits_part, quantization_part
from pi_bench.report.directions import directions_by_purpose, predicted_directions
from pi_bench.report.documents import latency as document
from pi_bench.report.documents.fields import PerParty, SecondsPerParty
from pi_bench.report.fusion import fusion_part
from pi_bench.report.link import probed_link_part
from pi_bench.report.operators import network_counts
from pi_bench.report.phases import bytes_of_phase, hidden_offline_s, layer_of, parts_of
from pi_bench.report.security import security_part
from pi_bench.report.weights import weights_of
from pi_bench.session import PhaseRecord


def build_result(
    model: LoadedModel | PublicModel,
    info: ProtocolInfo,
    options: LatencyOptions,
    measurement: Measurement,
    float_logits: np.ndarray | None,
    environment: dict[str, Any],
    inputs_text: str,
    arguments: dict[str, Any],
) -> document.Result:
    """Collects every figure of a measurement with at least one timed run.

    Prediction, explanation and warnings are added by the caller, who has their inputs.

    Args:
        float_logits: those of the float network; None leaves out the verification.

    ```python
    def online_median_s(*measured: Any) -> float:  # model, protocol, options, measurement, ...
        return build_result(*measured).online.latency_s.median
    ```
    """
    runs, program = measurement.runs, model.program
    first, cpu = runs[0], _cpu_time(measurement)
    storage = PerParty(client=first.client.offline.storage_bytes, server=first.server.offline.storage_bytes)
    predicted = info.predict(program, options.protocol)
    offline, online = _offline(runs, predicted), _online(runs, program)
    return document.Result(
        schema_version=2,
        network=_network(model),
        protocol=info.name,
        protocol_title=info.title,
        secure=info.secure,
        mode=options.protocol.mode,
        options=dict(options.protocol.values),
        weight_cache_bytes=measurement.weight_cache_bytes,
        runs=len(runs),
        requested_runs=options.stopping.runs,
        interrupted=_ended_early(measurement) and options.stopping.wants_more(len(runs)),
        warmup=len(measurement.warmup_s),
        warmup_s=tuple(measurement.warmup_s),
        precision=options.stopping.precision,
        link=probed_link_part(options.link, measurement.probed_link),
        input=inputs_text,
        model_load_s=model.load_s,
        server_prepare_s=measurement.prepare_s,
        start_s=measurement.start_s,
        setup=_set_up(measurement),
        offline=offline,
        material_load_s=median(run.client.online.material_load_s for run in runs),
        online=online,
        first_inference_s=measurement.set_up_s + offline.ahead * offline.time_s + online.latency_s.median,
        storage_bytes_per_inference=storage.client + storage.server,
        storage_bytes=storage,
        peak_memory_bytes=_peak_memory(measurement),
        peak_memory_by_phase=measurement.client_set_up.peak_memory_by_phase,
        cpu_time_s=SecondsPerParty(
            client=cpu.client.offline + cpu.client.online, server=cpu.server.offline + cpu.server.online
        ),
        cpu_time_by_phase_s=cpu,
        outputs=outputs_part(measurement.logits, program.labels),
        verification=_verification(options.protocol.mode, runs, measurement.logits, float_logits),
        prediction=None,
        explanation=None,
        environment=_environment(environment, measurement.placement),
        arguments=arguments,
        security=security_part(info, program, options.protocol),
        notes=info.notes_of(program, options.protocol),
        bits=None if model.compiling is None else bits_part(program, model.compiling),
        quantization=None if model.compiling is None else quantization_part(model.graph, model.compiling),
    )


def _ended_early(measurement: Measurement) -> bool:
    return measurement.interruption is not None or measurement.failure is not None


def distribution(samples_s: Sequence[float]) -> document.Distribution:
    """Summarizes times in seconds as a part of a document.

    >>> distribution([0.1, 0.3, 0.2]).median
    0.2
    """
    summary = summarize(samples_s)
    return document.Distribution(
        median=summary.median,
        q1=summary.q1,
        q3=summary.q3,
        min=summary.min,
        max=summary.max,
        samples=list(summary.samples),
        mad=summary.mad,
        interval=summary.interval,
        outliers=summary.outliers,
        percentiles={f"{percent:g}": value for percent, value in summary.percentiles.items()},
    )


def _network(model: LoadedModel | PublicModel) -> document.NetworkCounts:
    program = model.program
    return document.NetworkCounts(
        name=program.name,
        digest=model.digest,
        weights=None if model.graph is None else weights_of(model.graph.meta),
        **network_counts(program),
        weight_bits=program.weight_bits,
        fusion=fusion_part(model.fusion),
        input_shape=list(program.input.shape),
        output_shape=list(program.output.shape),
        upper_relu_count=None if model.graph is None else upper_relu_count(model.graph, program),
    )


def _set_up(measurement: Measurement) -> document.SetUp:
    return document.SetUp(
        time_s=measurement.set_up_s,
        handshake_s=measurement.handshake_s,
        bytes=bytes_of_phase(measurement.client_set_up, "bytes"),
        wire_bytes=bytes_of_phase(measurement.client_set_up, "wire_bytes"),
    )


def _offline(runs: Sequence[Run], predicted: PredictedBytes) -> document.OfflinePhase:
    offline_s, record = [run.offline_s for run in runs], runs[0].record("client", "offline")
    sent = bytes_of_phase(record, "bytes")
    counted = sent == predicted_directions(predicted.offline)
    return document.OfflinePhase(
        time_s=median(offline_s),
        samples_s=offline_s,
        hidden_s=median(hidden_offline_s(run) for run in runs),
        bytes=sent,
        wire_bytes=bytes_of_phase(record, "wire_bytes"),
        parts=parts_of(runs, "offline"),
        ahead=runs[0].client.offline.ahead,
        bytes_by_purpose=directions_by_purpose(predicted.offline_purposes) if counted else {},
    )


def _online(runs: Sequence[Run], program: Program) -> document.OnlinePhase:
    client, server = (runs[0].record(party, "online") for party in ("client", "server"))
    return document.OnlinePhase(
        latency_s=distribution([run.latency_s for run in runs]),
        bytes=bytes_of_phase(client, "bytes"),
        wire_bytes=bytes_of_phase(client, "wire_bytes"),
        parts=parts_of(runs, "online"),
        comm_round_count=max(client.depth, server.depth) / 2,
        layers=[layer_of(op, runs) for op in program.ops],
    )


def _environment(machine: dict[str, Any], placement: Placement) -> document.MeasuringMachine:
    return document.MeasuringMachine(
        **machine,
        threads=placement.threads,
        pinned=placement.pinned,
        cores=document.Cores(client=list(placement.client_cores), server=list(placement.server_cores)),
    )


def _records(measurement: Measurement, party: str) -> dict[str, list[PhaseRecord]]:
    return {
        "set_up": [getattr(measurement, f"{party}_set_up")],
        "offline": [run.record(party, "offline") for run in measurement.runs],
        "online": [run.record(party, "online") for run in measurement.runs],
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


def _verification(
    mode: str, runs: Sequence[Run], logits: np.ndarray, float_logits: np.ndarray | None
) -> document.Verification | None:
    verdicts = [run.verdict for run in runs if run.verdict is not None]
    if float_logits is None or not verdicts:
        return None
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
