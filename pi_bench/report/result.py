"""One `pi-bench latency` as a versioned JSON value; `schema/result.schema.json` describes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from pi_bench.launch.latency import LatencyOptions, Measurement, Run
from pi_bench.launch.model import LoadedModel
from pi_bench.measure.spans import Span
from pi_bench.measure.statistics import summarize
from pi_bench.network.program import ActivationOp, Op, Program
from pi_bench.protocol import ProtocolInfo
from pi_bench.report.link import link_fields
from pi_bench.report.merging import merging_fields
from pi_bench.report.operators import network_counts, operator_counts, operator_words
from pi_bench.report.weights import weights_of
from pi_bench.session import PhaseRecord

SCHEMA_VERSION = 1


def build_result(
    model: LoadedModel,
    info: ProtocolInfo,
    options: LatencyOptions,
    measurement: Measurement,
    float_logits: np.ndarray,
    environment: dict[str, Any],
    inputs_words: str,
) -> dict[str, Any]:
    """Every figure of a measurement with at least one timed run."""
    runs, program = measurement.runs, model.program
    first = runs[0]
    latency_s = [run.latency_s for run in runs]
    offline_s = [run.offline_s for run in runs]
    return {
        "schema_version": SCHEMA_VERSION,
        "network": _network(model),
        "protocol": info.name,
        "protocol_title": info.title,
        "secure": info.secure,
        "mode": options.protocol.mode,
        "options": dict(options.protocol.values),
        "weight_cache_bytes": options.protocol.weight_cache_bytes,
        "runs": len(runs),
        "requested_runs": options.runs,
        "interrupted": measurement.interruption is not None and len(runs) < options.runs,
        "warmup": options.warmup,
        "link": _probed(link_fields(options.link), measurement.probed_link),
        "input": inputs_words,
        "model_load_s": model.load_s,
        "server_prepare_s": measurement.prepare_s,
        "start_s": measurement.start_s,
        "setup": {
            "time_s": measurement.set_up_s,
            "handshake_s": measurement.handshake_s,
            **_bytes([measurement.client_set_up]),
        },
        "offline": {
            "time_s": median(offline_s),
            "samples_s": offline_s,
            "hidden_s": median(_hidden_offline_s(run) for run in runs),
            **_bytes([first.client_offline]),
            "parts": _parts(runs, "offline"),
        },
        "material_load_s": 0.0,  # material stays in memory between the phases
        "online": {
            "latency_s": summarize(latency_s),
            **_bytes([first.client_online]),
            "parts": _parts(runs, "online"),
            "comm_round_count": max(first.client_online.depth, first.server_online.depth) / 2,
            "layers": [_layer(op, runs) for op in program.ops],
        },
        "first_inference_s": measurement.set_up_s + median(offline_s) + median(latency_s),
        "storage_bytes_per_inference": first.client_storage_bytes + first.server_storage_bytes,
        "storage_bytes": {"client": first.client_storage_bytes, "server": first.server_storage_bytes},
        **_resources(measurement),
        "outputs": _outputs(program, measurement.logits),
        "verification": _verification(options.protocol.mode, runs, measurement.logits, float_logits),
        "prediction": None,  # where costs are known, and what explains it where that was asked for
        "explanation": None,
        "environment": {
            **environment,
            "threads": measurement.placement.threads,
            "pinned": measurement.placement.pinned,
            "cores": {
                "client": list(measurement.placement.client_cores),
                "server": list(measurement.placement.server_cores),
            },
        },
    }


def _probed(link: dict[str, Any], measured: dict[str, float] | None) -> dict[str, Any]:
    return link if measured is None else {**link, "measured": measured}


def _network(model: LoadedModel) -> dict[str, Any]:
    program = model.program
    return {
        "name": program.name,
        "digest": model.digest,
        "weights": weights_of(model.graph.meta),
        **network_counts(program),
        "weight_bits": program.weight_bits,
        "merging": merging_fields(model.merging),
        "input_shape": list(program.input.shape),
        "output_shape": list(program.output.shape),
    }


def _bytes(records: Iterable[PhaseRecord]) -> dict[str, Any]:
    """Payload and wire bytes of the phase, from the client's records."""
    spans = [span for record in records for span in record.spans]
    return {
        "bytes": _directions(spans, "bytes"),
        "wire_bytes": _directions(spans, "wire_bytes"),
    }


def _directions(client_spans: Iterable[Span], unit: str) -> dict[str, int]:
    spans = list(client_spans)
    return {
        "client_to_server": sum(getattr(span, f"sent_{unit}") for span in spans),
        "server_to_client": sum(getattr(span, f"received_{unit}") for span in spans),
    }


def _times(spans_of_runs: Sequence[Sequence[Span]]) -> dict[str, float]:
    """Median over runs of what the spans of one run add up to."""
    return {
        name: median(sum(getattr(span, name) for span in spans) for spans in spans_of_runs)
        for name in ("compute_s", "send_s", "wait_s")
    }


def _busy_s(spans: Iterable[Span]) -> float:
    return sum(span.compute_s + span.send_s for span in spans)


def _hidden_offline_s(run: Run) -> float:
    """What both parties did beyond the time that passed."""
    busy_s = _busy_s(run.client_offline.spans) + _busy_s(run.server_offline.spans)
    return max(0.0, busy_s - run.offline_s)


def _hidden_online_s(client: Iterable[Span], server: Iterable[Span]) -> float:
    """What the server did while the client did not wait."""
    return max(0.0, _busy_s(server) - sum(span.wait_s for span in client))


def _chosen(record: PhaseRecord, choose: Callable[[Span], bool]) -> list[Span]:
    return [span for span in record.spans if choose(span)]


def _parts(runs: Sequence[Run], phase: str, op_id: int | None = None) -> dict[str, Any]:
    """A phase, or one operator of it, by the parts that the protocol names, in its order.

    What no step names is ``other``. Online, the result is empty where the protocol names no part.
    """
    parties = {
        party: [
            _chosen(getattr(run, f"{party}_{phase}"), lambda span: op_id in (None, span.op_id))
            for run in runs
        ]
        for party in ("client", "server")
    }
    names = dict.fromkeys(span.part for spans in parties.values() for span in spans[0] if span.part)
    return {
        name or "other": _part(parties, name)
        for name in ([*names, ""] if names or phase == "offline" else ())
    }


def _part(parties: Mapping[str, Sequence[Sequence[Span]]], name: str) -> dict[str, Any]:
    """Times and bytes of one part, from the spans of each run."""
    own = {
        party: [[span for span in spans if span.part == name] for spans in runs]
        for party, runs in parties.items()
    }
    return {
        **{party: _times(runs) for party, runs in own.items()},
        "bytes": _directions(own["client"][0], "bytes"),
        "wire_bytes": _directions(own["client"][0], "wire_bytes"),
    }


def _layer(op: Op, runs: Sequence[Run]) -> dict[str, Any]:
    def of_layer(span: Span) -> bool:
        return span.op_id == op.id

    client = _chosen(runs[0].client_online, of_layer)
    return {
        "id": op.id,
        "name": op.name,
        "operator": operator_words(op),
        "shape": list(op.shape),
        **operator_counts(op),
        "client": _times([_chosen(run.client_online, of_layer) for run in runs]),
        "server": _times([_chosen(run.server_online, of_layer) for run in runs]),
        "hidden_s": median(
            _hidden_online_s(_chosen(run.client_online, of_layer), _chosen(run.server_online, of_layer))
            for run in runs
        ),
        "bytes": _directions(client, "bytes"),
        "wire_bytes": _directions(client, "wire_bytes"),
        "parts": _parts(runs, "online", op.id),
        "comm_round_count": sum(span.depth_count for span in client) / 2,
        "headroom_bits": op.headroom_bits if isinstance(op, ActivationOp) else None,
    }


def _resources(measurement: Measurement) -> dict[str, Any]:
    runs = measurement.runs
    peak: dict[str, Any] = {}
    cpu: dict[str, Any] = {}
    for party in ("client", "server"):
        records = {
            "set_up": [getattr(measurement, f"{party}_set_up")],
            "offline": [getattr(run, f"{party}_offline") for run in runs],
            "online": [getattr(run, f"{party}_online") for run in runs],
        }
        peak[party] = {
            name: max(record.peak_memory_bytes for record in found) for name, found in records.items()
        }
        cpu[party] = {name: median(record.cpu_s for record in found) for name, found in records.items()}
    return {
        "peak_memory_bytes": peak,
        "peak_memory_by_phase": measurement.client_set_up.peak_memory_by_phase,
        "cpu_time_s": {party: cpu[party]["offline"] + cpu[party]["online"] for party in cpu},
        "cpu_time_by_phase_s": cpu,
    }


def _outputs(program: Program, logits: np.ndarray) -> dict[str, Any]:
    """Logits and argmax of the sample; of each sample where the batch is larger than one."""
    rows = logits.reshape(logits.shape[0], -1)
    best = [int(index) for index in rows.argmax(axis=1)]
    labels = [program.labels[index] for index in best] if len(program.labels) == rows.shape[1] else None
    single = rows.shape[0] == 1
    return {
        "logits": rows[0].tolist() if single else rows.tolist(),
        "argmax": best[0] if single else best,
        "label": None if labels is None else (labels[0] if single else labels),
    }


def _verification(
    mode: str, runs: Sequence[Run], logits: np.ndarray, float_logits: np.ndarray
) -> dict[str, Any]:
    verdicts = [run.verdict for run in runs]
    rows, float_rows = (array.reshape(logits.shape[0], -1) for array in (logits, float_logits))
    float_best = [int(index) for index in float_rows.argmax(axis=1)]
    return {
        "passed": all(verdict.passed for verdict in verdicts),
        "mode": mode,
        "max_ulp_error": max(verdict.max_ulp_error for verdict in verdicts),
        "zeroed_count": max(verdict.zeroed_count for verdict in verdicts),
        "mismatch_count": sum(verdict.mismatch_count for verdict in verdicts),
        "out_of_range_count": sum(verdict.out_of_range_count for verdict in verdicts),
        "compared_count": sum(verdict.compared_count for verdict in verdicts),
        "verified_run_count": len(verdicts),
        "failures": list(dict.fromkeys(failure for verdict in verdicts for failure in verdict.failures)),
        "argmax_agrees_with_float": float_best == [int(index) for index in rows.argmax(axis=1)],
        "float_argmax": float_best[0] if len(float_best) == 1 else float_best,
        "max_float_error": float(np.abs(rows - float_rows).max()),
    }
