"""Writes the result of `pi-bench micro` as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pi_bench.costs import LIMIT_KINDS
from pi_bench.report.bars import bar
from pi_bench.report.cautions import caution_lines
from pi_bench.report.documents.cautions import Caution
from pi_bench.report.documents.micro import MachineLimit, Micro
from pi_bench.report.quantities import counted
from pi_bench.report.text_table import render_table

_MIN_REPETITIONS = 3
_BAR = ""  # no header: the line below the table explains it
_BAR_WIDTH = 8
_SCALES = ((1e-6, 1e9, "ns"), (1e-3, 1e6, "us"), (1.0, 1e3, "ms"))


def build_micro(measured: Mapping[str, Any], environment: Mapping[str, Any]) -> Micro:
    """Makes the document from the result of `run_micro` and the description of the machine.

    ```python
    from pi_bench.metrics.environment import describe_environment
    from pi_bench.metrics.micro import run_micro
    from pi_bench.primitives import CaseSettings
    from pi_bench.primitives.symmetric import prg_cases

    def measured() -> Micro:
        return build_micro(run_micro({"prg": prg_cases}, CaseSettings()), describe_environment())
    ```
    """
    return msgspec.convert({**measured, "environment": environment}, Micro)


def micro_cautions(result: Micro) -> list[Caution]:
    """Words too few repetitions, more threads than cores, and cases that beat the machine's limit.

    ```python
    def codes(result: Micro) -> list[str]:
        return [caution.code for caution in micro_cautions(result)]
    ```
    """
    found = []
    if result.repetitions < _MIN_REPETITIONS:
        found.append(
            Caution(
                code="few-runs",
                text=f"so few calls show no spread; use --repetitions {_MIN_REPETITIONS} or more.",
            )
        )
    cores = result.environment.usable_core_count
    if max(result.threads) > cores:
        found.append(
            Caution(
                code="shared-cores",
                text=f"{counted(max(result.threads), 'thread')} share {counted(cores, 'core')}: their times "
                "include each other's. Use fewer --threads.",
            )
        )
    faster = [row for row in result.results if row.ratio < 1]
    if faster:
        row, more = faster[0], len(faster) - 1
        others = f" (and {counted(more, 'other case')})" if more else ""
        found.append(
            Caution(
                code="busy-limits",
                text=f"the case {row.case!r}{others} took {row.ratio:.2f} times its limit, and none can be "
                f"faster than its limit ({_words(row.limit.name)}): other programs slowed the measurement of "
                "the limit, or the data of the case stayed in a cache. Its `times limit` says nothing. "
                "Close other programs or give a larger --count, and measure again.",
            )
        )
    return found


def render_micro(result: Micro) -> str:
    """Writes a measurement of primitives as text.

    ```python
    def show(path: str) -> None:  # a file of --json
        with open(path, "rb") as file:
            result = msgspec.json.decode(file.read(), type=Micro)
        print(render_micro(result))
    ```
    """
    environment = result.environment
    rows = [
        (
            row.primitive,
            row.case,
            row.unit,
            str(row.threads),
            _time(row.unit_s.median),
            _time(row.unit_s.q1),
            _time(row.unit_s.q3),
            _time(row.limit.unit_s),
            _words(row.limit.name),
            f"{row.ratio:.2f}",
            bar(1 / row.ratio, _BAR_WIDTH),
        )
        for row in result.results
    ]
    header = (
        "primitive",
        "case",
        "unit",
        "threads",
        "median",
        "q1",
        "q3",
        "limit",
        "by",
        "times limit",
        _BAR,
    )
    return "\n".join(
        [
            f"{environment.cpu_model}, {environment.usable_core_count} cores, "
            f"instruction set {environment.instruction_set}",
            *(["INTERRUPTED: these are the cases that were finished"] if result.interrupted else []),
            "",
            *render_table(
                header,
                rows,
                left=(0, 1, 2, header.index(_BAR)),
                whole=(1, header.index(_BAR)),
                drop=("q1", "q3", "by", "limit", "unit", _BAR, "threads"),
            ),
            "A long bar: the case is near the limit of this machine. A full bar: it has reached the limit.",
            "",
            "this machine at its best, measured in this run",
            *render_table(
                ("limit", "threads", "rate"),
                [(_words(row.name), str(row.threads), _rate(row)) for row in result.limits],
            ),
            *(["", *caution_lines(result.cautions)] if result.cautions else []),
        ]
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _rate(row: MachineLimit) -> str:
    """Writes the rate of one entry of `limits` in its usual unit."""
    value = row.value
    if row.name == "multiply_add":
        return f"{2e-9 / value:.1f} GFLOP/s"
    match LIMIT_KINDS[row.name].unit:
        case "byte":
            return f"{1e-9 / value:.1f} GB/s"
        case "multiply-add":
            return f"{1e-9 / value:.1f} G/s"
        case "block":
            return f"{1e-9 / value:.2f} G blocks/s, {_time(value)} per block"
        case _:
            return _time(value)


def _time(value_s: float) -> str:
    """Returns three significant digits; times of primitives are below those that `quantities` shows."""
    for limit, factor, unit in _SCALES:
        if value_s < limit:
            return f"{value_s * factor:.3g} {unit}"
    return f"{value_s:.3g} s"
