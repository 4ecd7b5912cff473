"""Predicted times and bytes, alone and with measured ones, as part of a document and as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pi_bench.network.program import Program
from pi_bench.prediction.predicted_phase import PredictedPhase
from pi_bench.prediction.simulated_run import PredictedRun, Setting
from pi_bench.protocol import Party
from pi_bench.protocol.span import Span
from pi_bench.report.directions import directions
from pi_bench.report.documents.fields import BothTimes, Directions, Times
from pi_bench.report.documents.latency import Result
from pi_bench.report.documents.predicted import (
    ComparedPrediction,
    CostSource,
    OverMeasured,
    PredictedLayer,
    PredictedOffline,
    PredictedOnline,
    Prediction,
)
from pi_bench.report.link import link_part, link_text
from pi_bench.report.quantities import byte_count, counted, milliseconds, seconds
from pi_bench.report.text_table import render_table

_SHOWN_LAYERS = 8


def prediction_part(program: Program, run: PredictedRun, setting: Setting) -> Prediction:
    """Describes a predicted run with the field names of a measured result.

    Equal names let a reader compare the two field by field.

    >>> from pi_bench.costs import LINK_UNITS, Costs
    >>> from pi_bench.network.program import InputOp, OutputOp
    >>> from pi_bench.prediction.simulated_run import predict_run
    >>> from pi_bench.protocol.script import PhaseScript, RunScript
    >>> ops = InputOp(0, "input", (1, 2), 4, bound=4.0), OutputOp(1, "output", (1, 2), 0, 4)
    >>> setting = Setting(Costs(dict.fromkeys(LINK_UNITS, 1e-9), 1, {}))
    >>> run = predict_run(RunScript(PhaseScript("offline"), PhaseScript("online")), setting)
    >>> prediction_part(Program("tiny", ops, 10, ()), run, setting).online.comm_round_count
    0.0
    """
    offline, online = run.offline, run.online
    return Prediction(
        link=link_part(setting.link),
        costs=CostSource(threads=setting.costs.threads, machine=dict(setting.costs.machine)),
        offline=PredictedOffline(
            time_s=offline.time_s,
            bytes=directions(offline.spans[Party.CLIENT].values(), "bytes"),
            wire_bytes=directions(offline.spans[Party.CLIENT].values(), "wire_bytes"),
            parts=_all_parts(offline),
        ),
        online=PredictedOnline(
            latency_s=online.time_s,
            bytes=directions(online.spans[Party.CLIENT].values(), "bytes"),
            wire_bytes=directions(online.spans[Party.CLIENT].values(), "wire_bytes"),
            parts=_all_parts(online) if _parts(online) else {},
            comm_round_count=online.depth / 2,
            layers=[_layer(online, op.id, op.name) for op in program.ops],
        ),
    )


def compared(prediction: Prediction, result: Result) -> ComparedPrediction:
    """Adds to a prediction its ratio to the measured medians of `result`.

    ```python
    def online_ratio(prediction: Prediction, result: Result) -> float:
        return compared(prediction, result).over_measured.online
    ```
    """
    return ComparedPrediction(
        **{name: getattr(prediction, name) for name in prediction.__struct_fields__},
        over_measured=OverMeasured(
            offline=prediction.offline.time_s / result.offline.time_s,
            online=prediction.online.latency_s / result.online.latency_s.median,
        ),
    )


def where_text(prediction: Prediction) -> str:
    """Says for which machine and which link a prediction holds.

    ```python
    def show(prediction: Prediction) -> None:
        print("predicted", where_text(prediction))
    ```
    """
    costs = prediction.costs
    return (
        f"on {costs.machine.get('cpu_model', 'the machine of these costs')}, "
        f"{counted(costs.threads, 'thread')} per party, {link_text(prediction.link)}"
    )


def comparison_lines(prediction: ComparedPrediction, result: Result) -> list[str]:
    """Compares predicted with measured figures: phases, offline parts, and the layers that take most.

    ```python
    def show(result: Result) -> None:
        for line in [] if result.prediction is None else comparison_lines(result.prediction, result):
            print(line)
    ```
    """
    online, offline, ratio = prediction.online, prediction.offline, prediction.over_measured
    phases = [
        [
            *_phase_row("online", online.latency_s, result.online.latency_s.median, ratio.online),
            *(_both_ways(online.bytes), _both_ways(result.online.bytes)),
        ],
        [
            *_phase_row("offline", offline.time_s, result.offline.time_s, ratio.offline),
            *(_both_ways(offline.bytes), _both_ways(result.offline.bytes)),
        ],
    ]
    works: list[tuple[str, BothTimes, BothTimes]] = [
        *_common_parts("  {}", offline.parts, result.offline.parts),
        *_common_parts("  {} online", online.parts, result.online.parts),
    ]
    layers = sorted(
        zip(online.layers, result.online.layers, strict=True),
        key=lambda pair: -(pair[1].client.compute_s + pair[1].server.compute_s),
    )
    works += [(own.name, own, other) for own, other in layers[:_SHOWN_LAYERS]]
    return [
        "predicted beside measured (from the measured costs of this machine's primitives)",
        *render_table(
            ("phase", "predicted", "measured", "ratio", "bytes", "bytes measured"), phases, drop=("bytes",)
        ),
        "",
        *render_table(
            ("computing, ms", "client predicted", "measured", "server predicted", "measured"),
            [_work_row(*row) for row in works],
        ),
    ]


def _common_parts(
    title: str, predicted: Mapping[str, BothTimes], measured: Mapping[str, BothTimes]
) -> list[tuple[str, BothTimes, BothTimes]]:
    return [(title.format(part), own, measured[part]) for part, own in predicted.items() if part in measured]


def _phase_row(name: str, predicted_s: float, measured_s: float, ratio: float) -> list[str]:
    return [name, seconds(predicted_s), seconds(measured_s), f"{ratio:.2f}"]


def _work_row(name: str, predicted: BothTimes, measured: BothTimes) -> list[str]:
    return [
        name,
        *(milliseconds(source.client.compute_s) for source in (predicted, measured)),
        *(milliseconds(source.server.compute_s) for source in (predicted, measured)),
    ]


def _both_ways(sent: Directions) -> str:
    return f"{byte_count(sent.client_to_server)} up, {byte_count(sent.server_to_client)} down"


def _parts(phase: PredictedPhase) -> list[str]:
    """Lists every part that either party's script names, in its order."""
    return list(dict.fromkeys(part for party in Party for _, part in phase.spans[party] if part))


def _all_parts(phase: PredictedPhase) -> dict[str, BothTimes]:
    return {part: _part(phase, part) for part in (*_parts(phase), "other")}


def _part(phase: PredictedPhase, part: str) -> BothTimes:
    name = "" if part == "other" else part
    client, server = (list(phase.of_part(party, name)) for party in Party)
    return BothTimes(
        client=_times(client),
        server=_times(server),
        bytes=directions(client, "bytes"),
        wire_bytes=directions(client, "wire_bytes"),
    )


def _layer(phase: PredictedPhase, op_id: int, name: str) -> PredictedLayer:
    client, server = (list(phase.of_step(party, op_id)) for party in Party)
    return PredictedLayer(
        id=op_id,
        name=name,
        client=_times(client),
        server=_times(server),
        bytes=directions(client, "bytes"),
        wire_bytes=directions(client, "wire_bytes"),
        comm_round_count=sum(span.depth_count for span in client) / 2,
    )


def _times(spans: Iterable[Span]) -> Times:
    spans = list(spans)
    return Times(
        compute_s=sum(span.compute_s for span in spans),
        send_s=sum(span.send_s for span in spans),
        wait_s=sum(span.wait_s for span in spans),
    )
