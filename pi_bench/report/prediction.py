"""Predicted times and bytes, alone and beside what was measured, as JSON values and as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pi_bench.network.program import Program
from pi_bench.prediction.predicted_phase import PredictedPhase, PredictedSpan
from pi_bench.prediction.simulated_run import PredictedRun, Setting
from pi_bench.protocol import Party
from pi_bench.report.link import link_fields, link_words
from pi_bench.report.quantities import byte_count, milliseconds, seconds
from pi_bench.report.text_table import render_table

_SHOWN_LAYERS = 8


def prediction_fields(program: Program, run: PredictedRun, setting: Setting) -> dict[str, Any]:
    """As the fields of a result that it stands beside, so that they can be compared name by name."""
    return {
        "link": link_fields(setting.link),
        "costs": {"threads": setting.costs.threads, "machine": dict(setting.costs.machine)},
        "offline": {
            "time_s": run.offline.time_s,
            **_bytes(run.offline.spans[Party.CLIENT].values()),
            "parts": _all_parts(run.offline),
        },
        "online": {
            "latency_s": run.online.time_s,
            **_bytes(run.online.spans[Party.CLIENT].values()),
            "parts": _all_parts(run.online) if _parts(run.online) else {},
            "comm_round_count": run.online.depth / 2,
            "layers": [_layer(run.online, op.id, op.name) for op in program.ops],
        },
    }


def compared(prediction: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The prediction with what it is of the measured medians; `result` as in result.schema.json."""
    return {
        **prediction,
        "over_measured": {
            "offline": prediction["offline"]["time_s"] / result["offline"]["time_s"],
            "online": prediction["online"]["latency_s"] / result["online"]["latency_s"]["median"],
        },
    }


def prediction_lines(prediction: Mapping[str, Any]) -> list[str]:
    """Of a prediction that stands alone."""
    online, offline = prediction["online"], prediction["offline"]
    return [
        f"predicted on {prediction['costs']['machine'].get('cpu_model', 'the machine of these costs')}, "
        f"{prediction['costs']['threads']} thread(s) a party, {link_words(prediction['link'])}",
        f"  online  {seconds(online['latency_s'])}, {online['comm_round_count']:g} rounds, "
        f"{_both_ways(online['wire_bytes'])}",
        f"  offline {seconds(offline['time_s'])}, {_both_ways(offline['wire_bytes'])}",
    ]


def comparison_lines(prediction: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    """Predicted beside measured: phases, offline parts, and the layers that take most."""
    online, offline, ratio = prediction["online"], prediction["offline"], prediction["over_measured"]
    phases = [
        _phase_row("online", online["latency_s"], result["online"]["latency_s"]["median"], ratio["online"]),
        _phase_row("offline", offline["time_s"], result["offline"]["time_s"], ratio["offline"]),
    ]
    for row, phase in zip(phases, ("online", "offline"), strict=True):
        row += [_both_ways(prediction[phase]["bytes"]), _both_ways(result[phase]["bytes"])]
    works = [
        (f"  {part}" if phase == "offline" else f"  {part} online", own, result[phase]["parts"][part])
        for phase in ("offline", "online")
        for part, own in prediction[phase]["parts"].items()
        if part in result[phase]["parts"]
    ]
    layers = sorted(
        zip(online["layers"], result["online"]["layers"], strict=True),
        key=lambda pair: -sum(pair[1][party]["compute_s"] for party in ("client", "server")),
    )
    works += [(own["name"], own, other) for own, other in layers[:_SHOWN_LAYERS]]
    return [
        "predicted beside measured (from the measured costs of this machine's primitives)",
        *render_table(("phase", "predicted", "measured", "ratio", "bytes", "bytes measured"), phases),
        "",
        *render_table(
            ("computing, ms", "client predicted", "measured", "server predicted", "measured"),
            [_work_row(*row) for row in works],
        ),
    ]


def _phase_row(name: str, predicted_s: float, measured_s: float, ratio: float) -> list[str]:
    return [name, seconds(predicted_s), seconds(measured_s), f"{ratio:.2f}"]


def _work_row(name: str, predicted: Mapping[str, Any], measured: Mapping[str, Any]) -> list[str]:
    return [
        name,
        *(
            milliseconds(source[party]["compute_s"])
            for party in ("client", "server")
            for source in (predicted, measured)
        ),
    ]


def _both_ways(sent: Mapping[str, int]) -> str:
    return f"{byte_count(sent['client_to_server'])} up, {byte_count(sent['server_to_client'])} down"


def _parts(phase: PredictedPhase) -> list[str]:
    """Lists every part that either party's script names, in its order."""
    return list(dict.fromkeys(part for party in Party for _, part in phase.spans[party] if part))


def _all_parts(phase: PredictedPhase) -> dict[str, Any]:
    return {part: _part(phase, part) for part in (*_parts(phase), "other")}


def _part(phase: PredictedPhase, part: str) -> dict[str, Any]:
    name = "" if part == "other" else part
    return {
        "client": _times(phase.of_part(Party.CLIENT, name)),
        "server": _times(phase.of_part(Party.SERVER, name)),
        **_bytes(phase.of_part(Party.CLIENT, name)),
    }


def _layer(phase: PredictedPhase, op_id: int, name: str) -> dict[str, Any]:
    client, server = (phase.of_step(party, op_id) for party in Party)
    return {
        "id": op_id,
        "name": name,
        "client": _times(client),
        "server": _times(server),
        **_bytes(client),
        "comm_round_count": sum(span.depth_count for span in client) / 2,
    }


def _times(spans: Iterable[PredictedSpan]) -> dict[str, float]:
    spans = list(spans)
    return {name: sum(getattr(span, name) for span in spans) for name in ("compute_s", "send_s", "wait_s")}


def _bytes(client_spans: Iterable[PredictedSpan]) -> dict[str, dict[str, int]]:
    spans = list(client_spans)
    return {
        unit: {
            "client_to_server": sum(getattr(span, f"sent_{unit}") for span in spans),
            "server_to_client": sum(getattr(span, f"received_{unit}") for span in spans),
        }
        for unit in ("bytes", "wire_bytes")
    }
