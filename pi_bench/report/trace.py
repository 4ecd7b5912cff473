"""Says what the trace of one inference holds: a part of the result, and a row of its text."""

from __future__ import annotations

from typing import Any

import msgspec

import pi_bench
from pi_bench.launch.measurement import Measurement
from pi_bench.network.program import Program
from pi_bench.protocol import Party
from pi_bench.report.documents.latency import Fractions, Result, TracedInference, TracedPhase
from pi_bench.report.link import link_text
from pi_bench.report.quantities import percent, seconds
from pi_bench.report.trace_events import messages, outside_layers, trace_document, unaccounted
from pi_bench.session import Phase

VIEWER = "https://ui.perfetto.dev"


def trace_part(measurement: Measurement, file: str) -> TracedInference | None:
    """Returns the part of a result about its traced inference; None where none was traced.

    Raises:
        PeerError: the server's timelines do not have the messages of the client's.

    ```python
    def uncertainty_s(measurement: Measurement) -> float | None:
        part = trace_part(measurement, "trace.json")
        return None if part is None else part.clock_uncertainty_s
    ```
    """
    timelines, run = measurement.timelines, measurement.traced
    if timelines is None or run is None:
        return None

    def phase(phase: Phase, time_s: float) -> TracedPhase:
        client, server = (timelines.on_client_clock(party, phase) for party in (Party.CLIENT, Party.SERVER))
        return TracedPhase(
            time_s=time_s,
            message_count=len(messages(client, server)),
            unaccounted=Fractions(client=unaccounted(client), server=unaccounted(server)),
            outside_layers=Fractions(client=outside_layers(client), server=outside_layers(server)),
        )

    clock = timelines.clock
    return TracedInference(
        file=file,
        clock_offset_s=clock.offset_ns / 1e9,
        clock_uncertainty_s=clock.uncertainty_ns / 1e9,
        offline=phase(Phase.OFFLINE, run.client.offline.phase_s),
        online=phase(Phase.ONLINE, run.latency_s),
    )


def trace_file(measurement: Measurement, result: Result, program: Program) -> dict[str, Any]:
    """Returns the JSON object of the trace file of a measurement that has timelines.

    ```python
    def event_count(measurement: Measurement, result: Result, program: Program) -> int:
        return len(trace_file(measurement, result, program)["traceEvents"])
    ```
    """
    assert measurement.timelines is not None, "no inference was traced"
    facts = {
        "pi_bench": pi_bench.__version__,
        "network": result.network.name,
        "digest": result.network.digest,
        "protocol": result.protocol,
        "mode": result.mode,
        "link": link_text(result.link),
        "inference": "one more than the timed ones, which counts for nothing",
        "summary": msgspec.to_builtins(result.trace),
    }
    return trace_document(measurement.timelines, {op.id: op.name for op in program.ops}, facts)


def trace_rows(result: Result) -> list[tuple[str, str]]:
    """Returns the row about the trace file; none where no inference was traced.

    ```python
    def print_trace(result: Result) -> None:
        for label, words in trace_rows(result):
            print(label, words)
    ```
    """
    trace = result.trace
    if trace is None:
        return []
    parts = (trace.offline.unaccounted, trace.online.unaccounted)
    most = max(max(part.client, part.server) for part in parts)
    return [
        (
            "trace",
            f"{trace.file}, to open in {VIEWER}: one more inference, which counts for nothing (offline "
            f"{seconds(trace.offline.time_s)}, online {seconds(trace.online.time_s)}); the server's times "
            f"are on the client's clock within {seconds(trace.clock_uncertainty_s)}; "
            f"at most {percent(most, 1)} of a phase is unaccounted",
        )
    ]
