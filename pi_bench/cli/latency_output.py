"""Delivers the result of `pi-bench latency`, on one machine or on two."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pi_bench.cli import history_option, layer_options
from pi_bench.cli.failures import Failures

if TYPE_CHECKING:
    from pi_bench.launch.measurement import Measurement
    from pi_bench.report.documents.latency import Result


def finish(
    parsed: argparse.Namespace,
    measurement: Measurement,
    result: Result,
    labels: Sequence[str],
    failures: Failures,
) -> int:
    """Writes the logits, shows and keeps the result, and reports all failures. Returns the exit code.

    A failure of one output does not keep the others from being written.

    ```python
    def show(parsed: argparse.Namespace, measurement: Measurement, result: Result) -> int:
        return finish(parsed, measurement, result, labels=[], failures=Failures())
    ```
    """
    from pi_bench.cli.output import deliver, write_array

    with failures.collected():
        if parsed.output is not None:
            write_array(Path(parsed.output), measurement.logits)
    with failures.collected():
        words = _words(parsed, result, labels)
        as_it_is = parsed.format != "text"
        deliver(words, parsed.json, result, keep=partial(history_option.keep, parsed), as_it_is=as_it_is)
    if measurement.interruption is not None:
        wanted = None if parsed.precision is not None else parsed.runs
        failures.add_interruption(measurement.interruption, len(measurement.runs), wanted, "runs")
    return failures.report()


def _words(parsed: argparse.Namespace, result: Result, labels: Sequence[str]) -> str:
    """Writes the result in the format that the user asks for."""
    from pi_bench.cli.output import json_text
    from pi_bench.report.result_table import result_row, result_table
    from pi_bench.report.table_formats import write_table
    from pi_bench.report.terminal import render_result

    if parsed.format == "text":
        return render_result(result, labels, layer_options.shown_of(parsed))
    if parsed.format == "json":
        return json_text(result)
    table = result_table([result_row(result)], f"Private inference of {result.network.name}")
    return write_table(table, parsed.format)
