"""Delivers the result of `pi-bench latency`, on one machine or on two."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pi_bench.cli import history_option, layer_options
from pi_bench.cli.failures import Failures
from pi_bench.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from pi_bench.launch.measurement import Measurement
    from pi_bench.network.program import Program
    from pi_bench.report.documents.latency import Result


def finish(
    parsed: argparse.Namespace,
    measurement: Measurement,
    result: Result,
    program: Program,
    failures: Failures,
) -> int:
    """Writes the logits and the trace, shows and keeps the result, and reports all failures.

    Returns the exit code. A failure of one output does not keep the others from being written.

    ```python
    def show(parsed: argparse.Namespace, measurement: Measurement, result: Result, program: Program) -> int:
        return finish(parsed, measurement, result, program, failures=Failures())
    ```
    """
    from pi_bench.cli.output import deliver, write_array

    with failures.collected():
        if parsed.output is not None:
            write_array(Path(parsed.output), measurement.logits)
    if parsed.trace is not None and measurement.timelines is not None:
        with failures.collected():
            result = _write_trace(parsed.trace, measurement, result, program)
    elif parsed.trace is not None and measurement.failure is None:
        code = measurement.interruption or VerificationError.exit_code
        failures.add(code, f"no trace is written to {parsed.trace}: no inference was traced before the end")
    with failures.collected():
        words = _words(parsed, result, program.labels)
        as_it_is = parsed.format != "text"
        deliver(words, parsed.json, result, keep=partial(history_option.keep, parsed), as_it_is=as_it_is)
    if measurement.interruption is not None:
        wanted = None if parsed.precision is not None else parsed.runs
        failures.add_interruption(measurement.interruption, len(measurement.runs), wanted, "runs")
    return failures.report()


def add_failure(failures: Failures, measurement: Measurement) -> None:
    """Adds the failure that ended a measurement after its first timed run, if one did.

    >>> from types import SimpleNamespace
    >>> from pi_bench.errors import PeerError
    >>> failures, lost = Failures(), SimpleNamespace(failure=PeerError("the server left"), runs=[1, 2])
    >>> add_failure(failures, lost)
    >>> failures.exit_code == PeerError.exit_code
    True
    """
    if measurement.failure is not None:
        from pi_bench.report.quantities import counted

        runs = counted(len(measurement.runs), "finished run")
        failures.add(measurement.failure.exit_code, f"{measurement.failure}; the result holds {runs}")


def require_files_apart(parsed: argparse.Namespace) -> None:
    """Refuses a trace in a file that gets the result or the logits, or on standard output.

    >>> require_files_apart(argparse.Namespace(trace="a.json", json="a.json", output=None))
    Traceback (most recent call last):
    pi_bench.errors.UsageError: --trace and --json name the same file a.json; give each a file of its own

    Raises:
        UsageError: it is such a file.
    """
    if parsed.trace is None:
        return
    if parsed.trace == "-":
        raise UsageError("--trace writes to a file, not to standard output; give the name of a file")
    for name in ("json", "output"):
        other = getattr(parsed, name)
        if other is not None and Path(other).absolute() == Path(parsed.trace).absolute():
            raise UsageError(f"--trace and --{name} name the same file {other}; give each a file of its own")


def _write_trace(file: str, measurement: Measurement, result: Result, program: Program) -> Result:
    """Writes the trace, and returns the result that says so.

    Raises:
        PeerError: the server's timelines do not have the messages of the client's.
        OutputError: the file cannot be written.
    """
    from msgspec.structs import replace

    from pi_bench.cli.output import write_text
    from pi_bench.report.trace import trace_file, trace_part

    traced = replace(result, trace=trace_part(measurement, file))
    write_text(file, json.dumps(trace_file(measurement, traced, program), allow_nan=False))
    return traced


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
