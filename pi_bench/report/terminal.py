"""The result of `pi-bench latency` as text: one screen, and the details of `--layers all` below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pi_bench.report.answer import answer_words
from pi_bench.report.bits import quantization_text
from pi_bench.report.cautions import caution_lines
from pi_bench.report.clamps import clamp_lines
from pi_bench.report.columns import ALL, Shown, costliest
from pi_bench.report.details import detail_blocks
from pi_bench.report.documents.fields import Directions
from pi_bench.report.documents.latency import Result
from pi_bench.report.explanation import Phase, explanation_lines
from pi_bench.report.fidelity import fidelity_line
from pi_bench.report.floor import floor_rows, layer_floors_s
from pi_bench.report.fusion import fusion_lines
from pi_bench.report.layer_table import layer_lines
from pi_bench.report.link import link_text, probe_lines
from pi_bench.report.mode_text import mode_text
from pi_bench.report.operators import counts_text
from pi_bench.report.quantities import (
    MIN_QUARTILE_RUNS,
    byte_count,
    counted,
    difference_text,
    is_shown,
    seconds,
    span_text,
)
from pi_bench.report.text_width import labeled, shortened
from pi_bench.report.trace import trace_rows
from pi_bench.report.two_machines import (
    expected_rows,
    machine_lines,
    threads_text,
    unseen_layers_lines,
    unverified_rows,
    weights_words,
)

_NAME_WIDTH = 40
_SHOWN_FAILURES = 8

Rows = list[tuple[str, str]]
"""Labels and the figures beside them; a row with an empty label continues the one above."""


def render_result(result: Result, labels: Sequence[str], shown: Shown | None = None) -> str:
    """Writes a result as text: the answer and its verdict, the figures of both phases, the costly layers.

    Args:
        shown: the layers and the columns that the user asks for; None for those that cost most.

    Raises:
        UsageError: there is no column of a name in `shown`.

    ```python
    import msgspec

    def show(path: str) -> None:  # a file of --json
        with open(path, "rb") as file:
            result = msgspec.json.decode(file.read(), type=Result)
        print(render_result(result, labels=[]))
    ```
    """
    shown = shown or Shown()
    blocks = [
        _heading(result),
        labeled([*_answer(result, labels), *_verdict(result)]),
        labeled(
            [
                *_phases(result),
                *floor_rows(result.floor),
                *_sent(result),
                *_memory(result),
                *_prediction(result),
                *trace_rows(result),
            ]
        ),
        _layers(result, shown),
    ]
    if shown.layers == ALL:
        blocks += detail_blocks(result)
    if result.explanation is not None:
        measured: dict[Phase, float] = {
            "online": result.online.latency_s.median,
            "offline": result.offline.time_s,
        }
        blocks.append(explanation_lines(result.explanation, measured))
    if result.warnings:
        blocks.append([f"warning: {warning}" for warning in result.warnings])
    if result.cautions:
        blocks.append(caution_lines(result.cautions))
    return "\n\n".join("\n".join(block) for block in blocks)


def _heading(result: Result) -> list[str]:
    """Says what ran: the network, its weights and fixed point, the protocol, the link, the options."""
    network = result.network
    quantization = quantization_text(result.bits, result.quantization)
    count = network.input_count
    return [
        f"{shortened(network.name, _NAME_WIDTH)}: {counts_text(network, count)}",
        *clamp_lines((network.upper_relu_count or 0) // count),
        f"{weights_words(result)}; {quantization}" if quantization else weights_words(result),
        f"protocol {result.protocol_title}, {mode_text(result.mode, result.options)}, "
        f"{link_text(result.link)}, {threads_text(result)}, digest {network.digest[:16]}",
        *probe_lines(result.link),
        *machine_lines(result),
        *fusion_lines(network.fusion),
        *result.notes,
    ]


def _answer(result: Result, labels: Sequence[str]) -> Rows:
    logits = np.atleast_2d(np.asarray(result.outputs.logits))
    first, *others = answer_words(logits, labels)
    return [("answer", f"{first}; input {result.input}"), *(("", words) for words in others)]


def _verdict(result: Result) -> Rows:
    verification = result.verification
    if verification is None:
        return unverified_rows(result)
    fidelity = fidelity_line(result.fidelity, result.network.weights)
    if not verification.passed:
        failures = [("", failure) for failure in verification.failures[:_SHOWN_FAILURES]]
        more = len(verification.failures) - len(failures)
        if more:
            failures.append(("", f"{counted(more, 'more failure')}: --json has every failure"))
        return [("verdict", "verification FAILED"), *failures, ("fidelity", fidelity)]
    same = verification.argmax_agrees_with_float
    differs = "" if same else ", but the answer is NOT the float network's"
    agrees = "agrees" if same else "does NOT agree"
    zeroed = f"{counted(verification.zeroed_count, 'value')} became 0 that a more accurate mode keeps; "
    ulp = verification.max_ulp_error
    right = f"right within {counted(ulp, 'unit')} of the last place" if ulp else "exactly right"
    return [
        (
            "verdict",
            f"verification passed ({verification.mode}){differs}: "
            f"all {counted(verification.compared_count, 'value')} of "
            f"{counted(verification.verified_run_count, 'run')} are {right}; "
            f"{zeroed if verification.zeroed_count else ''}"
            f"the answer {agrees} with the float network "
            f"(largest difference {verification.max_float_error:.4f})",
        ),
        *expected_rows(result),
        ("fidelity", fidelity),
    ]


def _phases(result: Result) -> Rows:
    latency, offline = result.online.latency_s, result.offline
    work_s = offline.time_s + offline.hidden_s
    hidden = f"; the parties work at the same time, {seconds(work_s)} in all"
    each = _for_all(result)
    rows = [
        (
            "online latency",
            f"{seconds(latency.median)}{each(latency.median)}, {_runs_text(result)} after "
            f"{counted(result.warmup, 'warm-up run')}",
        )
    ]
    if latency.interval is not None:
        rows.append(
            (
                "",
                f"the median lies between {' and '.join(map(seconds, latency.interval))} with a confidence "
                "of 95 %",
            )
        )
    return [
        *rows,
        (
            "offline",
            f"{seconds(offline.time_s)}{each(offline.time_s) or ' per inference'}"
            f"{f', {offline.ahead} inferences prepared at once' if offline.ahead > 1 else ''}"
            f"{hidden if is_shown(offline.hidden_s) else ''}",
        ),
        (
            "first inference",
            f"{seconds(result.first_inference_s)}: set-up {seconds(result.setup.time_s)}, then offline and "
            "online",
        ),
    ]


def _for_all(result: Result) -> Callable[[float], str]:
    """Returns the function that says how many inputs share a time, and the part of each; "" for one input."""
    count = result.network.input_count
    if count == 1:
        return lambda time_s: ""
    return lambda time_s: f" for {count:,} inputs together ({seconds(time_s / count)} each)"


def _runs_text(result: Result) -> str:
    latency = result.online.latency_s
    half = ""
    if result.runs >= MIN_QUARTILE_RUNS:
        half = f" (half of them took {span_text(latency.q1, latency.q3)})"
    if not result.interrupted:
        return f"median of {counted(result.runs, 'run')}{half}"
    if result.precision is not None:
        return f"INTERRUPTED: median of {counted(result.runs, 'run')}{half}"
    return f"INTERRUPTED: {result.runs} of {counted(result.requested_runs, 'run')}{half}"


def _sent(result: Result) -> Rows:
    online, offline = result.online, result.offline
    rounds = counted(online.comm_round_count, "communication round")
    return [
        ("sent online", f"{_both_ways(online.bytes)}, in {rounds}"),
        ("sent offline", _both_ways(offline.bytes)),
    ]


def _both_ways(sent: Directions) -> str:
    return (
        f"{byte_count(sent.client_to_server)} client to server, "
        f"{byte_count(sent.server_to_client)} server to client"
    )


def _memory(result: Result) -> Rows:
    peak, stored = result.peak_memory_bytes, result.storage_bytes
    client, server = (max(own.set_up, own.offline, own.online) for own in (peak.client, peak.server))
    return [
        (
            "peak memory",
            f"client {byte_count(client)}, server {byte_count(server)}; stored preprocessing: client "
            f"{byte_count(stored.client)}, server {byte_count(stored.server)}",
        )
    ]


def _prediction(result: Result) -> Rows:
    if result.prediction is None:
        return []
    predicted, ratio = result.prediction, result.prediction.over_measured
    return [
        (
            "predicted",
            f"online {seconds(predicted.online.latency_s)} ({difference_text(ratio.online, 'measured')}), "
            f"offline {seconds(predicted.offline.time_s)} ({difference_text(ratio.offline, 'measured')})",
        )
    ]


def _layers(result: Result, shown: Shown) -> list[str]:
    layers, lines = (
        result.online.layers,
        layer_lines(result.online.layers, shown, layer_floors_s(result.floor)),
    )
    if shown.layers == ALL or len(layers) <= int(shown.layers) + 1:
        return ["online, by layer (medians)", *lines, *unseen_layers_lines(result)]
    return [
        f"online, by layer: {costliest(shown, len(layers), 'layer', 'takes most time', 'take most time')}",
        *lines,
    ]
