"""Writes a comparison as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pi_bench.report.bars import bar
from pi_bench.report.cautions import caution_lines
from pi_bench.report.documents.comparison import CONFIDENCE, ComparisonResult, Ratio, Side
from pi_bench.report.quantities import (
    byte_count,
    count,
    counted,
    middle_half_text,
    percent,
    ratio_text,
    seconds,
)
from pi_bench.report.text_table import render_table
from pi_bench.report.text_width import labeled

_BAR_WIDTH = 12


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
    blocks.append(labeled([_verdict(ratio) for ratio in result.ratios]))
    blocks.append([_common(result.sides), *_table(result.sides)])
    if result.warnings:
        blocks.append([f"warning: {words}" for words in result.warnings])
    if result.cautions:
        blocks.append(caution_lines(result.cautions))
    return "\n\n".join("\n".join(block) for block in blocks)


def interval_text(ratio: Ratio) -> str:
    """Writes the interval of a ratio with its confidence; "no interval" where there is none.

    >>> interval_text(Ratio(side="b", base="a", phase="online", ratio=1.02, interval=(1.01, 1.03),
    ...     verdict="slower", method="bootstrap"))
    '99 % interval 1.010 to 1.030'
    """
    if ratio.interval is None:
        return "no interval"
    low, high = map(ratio_text, ratio.interval)
    return f"{percent(CONFIDENCE)} interval {low} to {high}"


def _verdict(ratio: Ratio) -> tuple[str, str]:
    relative = " relative to the floor" if ratio.relative_to_floor else ""
    sides = f"{ratio.side} against {ratio.base}: "
    times = "" if ratio.ratio is None else f", {ratio_text(ratio.ratio)} times as long"
    if ratio.interval is None:
        lacking = "a side has no floor" if relative and not times else "too few runs for an interval"
        return f"{ratio.phase}{relative}", f"{sides}no verdict{times} ({lacking})"
    return f"{ratio.phase}{relative}", f"{sides}{ratio.verdict}{times} ({interval_text(ratio)})"


def _common(sides: Sequence[Side]) -> str:
    """Says in a line what all sides have in common, how they were measured and whether they were verified."""
    words = []
    for write in (_protocol, _link, _threads, _inputs, _runs):
        found = {write(side) for side in sides}
        if len(found) == 1:
            words.append(found.pop())
    return "; ".join(", ".join(filter(None, each)) for each in (words, [_verified(sides)]))


def _protocol(side: Side) -> str:
    return f"protocol {side.protocol}"


def _link(side: Side) -> str:
    return side.link if side.link == "loopback" else f"link {side.link}"


def _threads(side: Side) -> str:
    return f"{counted(side.threads, 'thread')} per party"


def _inputs(side: Side) -> str:
    return f"{side.input_count:,} inputs together" if side.input_count > 1 else ""


def _runs(side: Side) -> str:
    runs = sorted({len(session.online_s) for session in side.sessions})
    each = f"{runs[0]} to {counted(runs[-1], 'run')}" if len(runs) > 1 else counted(runs[0], "run")
    if len(side.sessions) == 1:
        return f"{each} per side"
    return f"{counted(len(side.sessions), 'round')} of {each} per side"


def _verified(sides: Sequence[Side]) -> str:
    """Says that every run was verified, or names the sides whose runs were not."""
    wrong = [side.name for side in sides if side.verified is False]
    unknown = [side.name for side in sides if side.verified is None]
    words = [f"verification FAILED: {', '.join(wrong)}"] if wrong else []
    if unknown:
        words.append(f"NOT VERIFIED: {', '.join(unknown)}")
    return ", ".join(words) or "every run was verified"


def _table(sides: Sequence[Side]) -> list[str]:
    """Writes the sides as a table, without the columns that say the same of every side or repeat its name."""
    medians_s = [float(np.median(_samples_s(side, "online"))) for side in sides]
    words: dict[str, Callable[[Side], str]] = {
        "protocol": lambda side: side.protocol,
        "link": lambda side: side.link,
        "threads": lambda side: str(side.threads),
        "inputs": lambda side: str(side.input_count),
    }
    figures: dict[str, Callable[[Side], str]] = {
        "online": lambda side: seconds(float(np.median(_samples_s(side, "online")))),
        "": lambda side: bar(float(np.median(_samples_s(side, "online"))) / max(medians_s), _BAR_WIDTH),
        "middle half": lambda side: _middle_half(_samples_s(side, "online")),
        "offline": lambda side: seconds(float(np.median(_samples_s(side, "offline")))),
        "sent online": lambda side: byte_count(side.online_bytes),
        "sent offline": lambda side: byte_count(side.offline_bytes),
        "comm. rounds": lambda side: f"{side.rounds:g}",
        "ReLUs": lambda side: count(side.relu_count),
        "runs": _runs_of,
    }
    columns = {"side": lambda side: side.name, **_telling(words, sides), **figures}
    if len({_runs(side) for side in sides}) == 1:
        del columns["runs"]
    header = tuple(columns)
    return render_table(
        header,
        [tuple(write(side) for write in columns.values()) for side in sides],
        left={number for number, name in enumerate(header) if name in ("side", "", *words)},
        whole={header.index("")},
        drop=("middle half", "", "comm. rounds", "sent offline", "ReLUs", "sent online"),
    )


def _telling(
    columns: dict[str, Callable[[Side], str]], sides: Sequence[Side]
) -> dict[str, Callable[[Side], str]]:
    """Selects the columns that tell sides apart and do not repeat their names."""
    return {
        name: write
        for name, write in columns.items()
        if len({write(side) for side in sides}) > 1 and any(write(side) not in side.name for side in sides)
    }


def _samples_s(side: Side, phase: str) -> list[float]:
    return [value for session in side.sessions for value in getattr(session, f"{phase}_s")]


def _runs_of(side: Side) -> str:
    return _runs(side).removesuffix(" per side")


def _middle_half(samples_s: Sequence[float]) -> str:
    q1, q3 = (float(np.percentile(samples_s, percent)) for percent in (25, 75))
    return middle_half_text(q1, q3, len(samples_s))
