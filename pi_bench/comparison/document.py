"""Collects a comparison in a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from pi_bench.comparison.ratios import MIN_ROUNDS, ratio_of
from pi_bench.comparison.sides import differences
from pi_bench.metrics.environment import describe_environment
from pi_bench.report.documents.cautions import Caution
from pi_bench.report.documents.comparison import ComparisonResult, Side
from pi_bench.report.documents.fields import Machine
from pi_bench.report.documents.latency import Result


def build_comparison(
    sides: Sequence[Side],
    results: Sequence[Result],
    arguments: dict[str, Any],
    *,
    interrupted: bool,
    relative_to_floor: bool = False,
    cautions: Sequence[Caution] = (),
) -> ComparisonResult:
    """Compares every side with the first one, online and offline.

    Args:
        results: the results of stored sides, in order; empty where the sides were measured together.
        relative_to_floor: whether times are compared as multiples of the floors of their sides.
        cautions: those of the measurement; stored results have theirs.

    ```python
    def online_ratio(sides: Sequence[Side]) -> float | None:
        return build_comparison(sides, [], {}, interrupted=False).ratios[0].ratio
    ```
    """
    base, *others = sides
    environment = describe_environment()
    return ComparisonResult(
        schema_version=1,
        sides=list(sides),
        ratios=[
            ratio_of(side, base, phase, relative_to_floor=relative_to_floor)
            for side in others
            for phase in ("online", "offline")
        ],
        differences=differences(sides, results) if results else (),
        interrupted=interrupted,
        environment=Machine(**environment),
        arguments=arguments,
        warnings=tuple(_warnings(sides, results, interrupted)),
        cautions=(*cautions, *_stored_cautions(sides, results)),
    )


def _stored_cautions(sides: Sequence[Side], results: Sequence[Result]) -> list[Caution]:
    """Returns the cautions of stored results, each with the name of its side."""
    return [
        replace(caution, text=f"{side.name}: {caution.text}")
        for side, result in zip(sides, results, strict=False)
        for caution in result.cautions
    ]


def _warnings(sides: Sequence[Side], results: Sequence[Result], interrupted: bool) -> list[str]:
    found = []
    if results:
        found.append(
            "each kept run is one session of two processes, and the interval says nothing about how far "
            "another session would be off; compare the model files for a verdict that covers this."
        )
    elif len(sides[0].sessions) < MIN_ROUNDS:
        remedy = "let all rounds run" if interrupted else "use --rounds 10"
        found.append(f"fewer than {MIN_ROUNDS} whole rounds give no interval; {remedy}.")
    found += [
        f"{side.name}: {result_warning}"
        for side, result in zip(sides, results, strict=False)
        for result_warning in result.warnings
        if result_warning.startswith(("INSECURE", "the runs differ"))
    ]
    found += [
        f"INSECURE: protocol {name} protects nothing; it is for testing and for measuring the harness."
        for name in sorted({side.protocol for side in sides} if not results else set())
        if not _secure(name)
    ]
    return found


def _secure(protocol: str) -> bool:
    from pi_bench.registry import find_protocol

    return find_protocol(protocol).secure
