"""The result of `pi-bench latency` as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from pi_bench.report.answer import answer_lines
from pi_bench.report.clamps import clamp_lines
from pi_bench.report.documents.fields import BothTimes
from pi_bench.report.documents.latency import Distribution, Result
from pi_bench.report.explanation import Phase, explanation_lines
from pi_bench.report.fidelity import fidelity_line
from pi_bench.report.fusion import fusion_lines
from pi_bench.report.link import link_text, probe_lines
from pi_bench.report.operators import counts_text, shape_text
from pi_bench.report.prediction import comparison_lines
from pi_bench.report.quantities import (
    byte_count,
    bytes_or_dash,
    count,
    counted,
    is_shown,
    milliseconds,
    seconds,
    seconds_or_dash,
)
from pi_bench.report.settings import mode_text
from pi_bench.report.text_table import render_table
from pi_bench.report.two_machines import expected_lines, machine_lines, threads_text, unverified_lines
from pi_bench.report.weights import weights_text


def render_result(result: Result, labels: Sequence[str]) -> str:
    """Writes a result as text, the answer and the latency first.

    ```python
    def show(path: str) -> None:  # a file of --json
        with open(path, "rb") as file:
            result = msgspec.json.decode(file.read(), type=Result)
        print(render_result(result, labels=[]))
    ```
    """
    blocks = [
        _heading(result),
        _answer(result, labels),
        _latency(result),
        _layers(result),
        _offline(result),
        _cost(result),
        *_prediction(result),
        _verdict(result),
    ]
    if result.warnings:
        blocks.append([f"warning: {warning}" for warning in result.warnings])
    return "\n\n".join("\n".join(block) for block in blocks)


def _heading(result: Result) -> list[str]:
    network = result.network
    return [
        f"{network.name}: {counts_text(network)}, {weights_text(network.weights)}",
        *clamp_lines(network.upper_relu_count),
        f"protocol {result.protocol_title}, {mode_text(result.mode, result.options)}, "
        f"{link_text(result.link)}, {threads_text(result)}, digest {network.digest[:16]}",
        *probe_lines(result.link),
        *machine_lines(result),
        *fusion_lines(network.fusion),
        *result.notes,
    ]


def _answer(result: Result, labels: Sequence[str]) -> list[str]:
    logits = np.atleast_2d(np.asarray(result.outputs.logits))
    return [f"answer ({result.input})", *answer_lines(logits, labels)]


def _latency(result: Result) -> list[str]:
    online, latency = result.online, result.online.latency_s
    return [
        f"online latency  {seconds(latency.median)}  "
        f"(quartiles {seconds(latency.q1)} to {seconds(latency.q3)}, "
        f"{_runs_text(result)} after {counted(result.warmup, 'warm-up run')})",
        *_interval(latency),
        f"  {byte_count(online.bytes.client_to_server)} client to server, "
        f"{byte_count(online.bytes.server_to_client)} server to client, "
        f"{counted(online.comm_round_count, 'communication round')}",
    ]


def _interval(latency: Distribution) -> list[str]:
    """Returns the interval of the median, where there are enough runs for one."""
    if latency.interval is None:
        return []
    low, high = (seconds(value) for value in latency.interval)
    return [f"  the median lies between {low} and {high} with a confidence of 95 %"]


def _runs_text(result: Result) -> str:
    if not result.interrupted:
        return counted(result.runs, "run")
    if result.precision is not None:
        return f"INTERRUPTED after {counted(result.runs, 'run')}"
    return f"INTERRUPTED: {result.runs} of {counted(result.requested_runs, 'run')}"


def _layers(result: Result) -> list[str]:
    header = [
        *("layer", "operator", "shape", "ReLUs", "trunc.", "squares"),
        *("client ms", "server ms", "send ms", "wait ms", "hidden ms", "to server", "to client", "rounds"),
    ]
    rows, parts = [], result.online.parts
    for layer in result.online.layers:
        client, server = layer.client, layer.server
        rows.append(
            (
                layer.name,
                layer.operator,
                shape_text(tuple(layer.shape)),
                count(layer.relu_count),
                count(layer.truncation_count),
                count(layer.square_count + layer.product_count),
                milliseconds(client.compute_s),
                milliseconds(server.compute_s),
                milliseconds(client.send_s + server.send_s),
                milliseconds(client.wait_s),
                milliseconds(layer.hidden_s),
                bytes_or_dash(layer.bytes.client_to_server),
                bytes_or_dash(layer.bytes.server_to_client),
                f"{layer.comm_round_count:g}" if layer.comm_round_count else "-",
            )
        )
    return [
        "online, by layer (medians; wait: the client's; hidden: the server's work that it did not wait for)",
        *render_table(header, rows, left=3, whole=(1, 2), drop=_LAYER_DROP),
        *(["", "online, by part", *_part_table(parts)] if parts else []),
    ]


_LAYER_DROP = (
    *("squares", "shape", "hidden ms", "send ms", "trunc.", "operator", "rounds", "to server"),
    *("wait ms", "to client"),
)


def _offline(result: Result) -> list[str]:
    offline = result.offline
    hidden = f" ({seconds(offline.hidden_s)} more of both parties' work hidden by overlap)"
    return [
        f"offline  {seconds(offline.time_s)} per inference{hidden if is_shown(offline.hidden_s) else ''}, "
        f"{byte_count(offline.bytes.client_to_server)} client to server, "
        f"{byte_count(offline.bytes.server_to_client)} server to client",
        *_part_table(offline.parts),
    ]


def _part_table(parts: Mapping[str, BothTimes]) -> list[str]:
    rows = [
        (
            name,
            milliseconds(part.client.compute_s),
            milliseconds(part.server.compute_s),
            milliseconds(part.client.wait_s),
            milliseconds(part.server.wait_s),
            bytes_or_dash(part.bytes.client_to_server),
            bytes_or_dash(part.bytes.server_to_client),
        )
        for name, part in parts.items()
    ]
    header = ("part", "client ms", "server ms", "client waits", "server waits", "to server", "to client")
    return render_table(header, rows, drop=("server waits", "client waits"))


def _prediction(result: Result) -> list[list[str]]:
    """Returns predicted beside measured figures, and their explanation where that was asked for."""
    blocks = []
    if result.prediction is not None:
        blocks.append(comparison_lines(result.prediction, result))
    if result.explanation is not None:
        measured: dict[Phase, float] = {
            "online": result.online.latency_s.median,
            "offline": result.offline.time_s,
        }
        blocks.append(explanation_lines(result.explanation, measured))
    return blocks


def _cost(result: Result) -> list[str]:
    cpu, peak, stored = result.cpu_time_by_phase_s, result.peak_memory_bytes, result.storage_bytes
    rows = [
        (
            party,
            *(seconds_or_dash(value) for value in msgspec.structs.astuple(cpu_s)),
            *(byte_count(value) for value in msgspec.structs.astuple(peak_bytes)),
            byte_count(stored_bytes),
        )
        for party, cpu_s, peak_bytes, stored_bytes in (
            ("client", cpu.client, peak.client, stored.client),
            ("server", cpu.server, peak.server, stored.server),
        )
    ]
    header = (
        "party",
        *(f"cpu {phase}" for phase in _WORDS),
        *(f"peak {phase}" for phase in _WORDS),
        "stored",
    )
    return [
        f"load model {seconds(result.model_load_s)}, "
        f"prepare server {seconds(result.server_prepare_s)}, start {seconds(result.start_s)}, "
        f"set-up {seconds(result.setup.time_s)}; "
        f"first inference {seconds(result.first_inference_s)} (set-up + offline + online)",
        *render_table(header, rows, drop=("peak set-up", "cpu set-up")),
    ]


_WORDS = ("set-up", "offline", "online")


def _verdict(result: Result) -> list[str]:
    verification = result.verification
    if verification is None:
        return unverified_lines(result)
    fidelity = fidelity_line(result.fidelity, result.network.weights)
    if not verification.passed:
        return ["verification FAILED", *(f"  {failure}" for failure in verification.failures), fidelity]
    same = verification.argmax_agrees_with_float
    differs = "" if same else ", but the answer is NOT the float network's"
    agrees = "agrees" if same else "does NOT agree"
    zeroed = f"{counted(verification.zeroed_count, 'value')} became 0 that a more accurate mode keeps; "
    return [
        f"verification passed ({verification.mode}){differs}: "
        f"{counted(verification.compared_count, 'value')} of "
        f"{counted(verification.verified_run_count, 'run')} follow their law, "
        f"largest distance {verification.max_ulp_error} ulp; "
        f"{zeroed if verification.zeroed_count else ''}"
        f"the answer {agrees} with the float network "
        f"(largest difference {verification.max_float_error:.4f})",
        f"verified against the integer network; {fidelity}",
        *expected_lines(result),
    ]
