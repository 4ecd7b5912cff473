"""Writes a comparison as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pi_bench.report.cautions import caution_lines
from pi_bench.report.documents.comparison import ComparisonResult, Ratio, Side
from pi_bench.report.quantities import byte_count, count, counted, seconds
from pi_bench.report.text_table import render_table


def render_comparison(result: ComparisonResult) -> str:
    """Writes the verdicts first, then the sides.

    ```python
    import msgspec

    def show(path: str) -> None:  # a file of --json
        with open(path, "rb") as file:
            print(render_comparison(msgspec.json.decode(file.read(), type=ComparisonResult)))
    ```
    """
    blocks = []
    if result.interrupted:
        blocks.append(["INTERRUPTED: the finished rounds are compared"])
    if result.differences:
        blocks.append([f"differs: {words}" for words in result.differences])
    blocks.append([_verdict(ratio) for ratio in result.ratios])
    blocks.append(_table(result.sides))
    if result.warnings:
        blocks.append([f"warning: {words}" for words in result.warnings])
    if result.cautions:
        blocks.append(caution_lines(result.cautions))
    return "\n\n".join("\n".join(block) for block in blocks)


def _verdict(ratio: Ratio) -> str:
    relative = " relative to the floor" if ratio.relative_to_floor else ""
    beginning = f"{ratio.phase}{relative}  {ratio.side} against {ratio.base}: "
    if ratio.ratio is None or ratio.interval is None:
        times = "" if ratio.ratio is None else f", {ratio.ratio:.3f} times as long"
        lacking = "a side has no floor" if relative and not times else "too few runs for an interval"
        return f"{beginning}no verdict{times} ({lacking})"
    low, high = ratio.interval
    return f"{beginning}{ratio.verdict}, {ratio.ratio:.3f} times as long ({low:.3f} to {high:.3f})"


def _table(sides: Sequence[Side]) -> list[str]:
    rows = []
    for side in sides:
        online_s = [value for session in side.sessions for value in session.online_s]
        offline_s = [value for session in side.sessions for value in session.offline_s]
        rows.append(
            (
                side.name,
                side.protocol,
                side.link,
                seconds(float(np.median(online_s))),
                _quartiles(online_s),
                seconds(float(np.median(offline_s))),
                byte_count(side.online_bytes),
                byte_count(side.offline_bytes),
                f"{side.rounds:g}",
                count(side.relu_count),
                f"{counted(len(side.sessions), 'session')} of {len(side.sessions[0].online_s)}",
            )
        )
    header = (
        *("side", "protocol", "link", "online", "quartiles", "offline", "online bytes", "offline bytes"),
        *("rounds", "ReLUs", "runs"),
    )
    return render_table(
        header,
        rows,
        left={0, 1, 2},
        drop=("rounds", "ReLUs", "offline bytes", "quartiles", "runs", "online bytes"),
    )


def _quartiles(samples_s: Sequence[float]) -> str:
    q1, q3 = (seconds(float(np.percentile(samples_s, percent))) for percent in (25, 75))
    return f"{q1} to {q3}"
