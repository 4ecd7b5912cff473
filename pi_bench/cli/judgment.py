"""Judges the ratio of two sides by the slowdown that the user allows, for exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pi_bench.cli import limits_option

if TYPE_CHECKING:
    from pi_bench.report.documents.comparison import Ratio


def refusal(ratio: Ratio, allowed: float, flag: str, *, remedy: str = "more runs") -> str:
    """Says in a line why a side has not passed; "" if it has.

    A side passes if its interval lies below the limit, or contains the limit and is precise: its ends differ
    by at most twice the allowed slowdown. A wider interval could hide a slowdown larger than the allowed one,
    so it decides nothing and the side has not passed.

    Args:
        allowed: the slowdown that `flag` allows, as a fraction.
        remedy: the things that narrow the interval.

    >>> from pi_bench.report.documents.comparison import Ratio
    >>> def judged(low: float, high: float) -> str:
    ...     ratio = Ratio(side="run", base="old", phase="online", ratio=1.0, interval=(low, high),
    ...         verdict="no difference shown", method="bootstrap")
    ...     return refusal(ratio, 0.1, "--max-slowdown")
    >>> judged(0.98, 1.12)
    ''
    >>> judged(1.2, 1.3)
    'run takes at least 1.200 times as long as old, and --max-slowdown allows 1.1 times'
    >>> print(judged(0.05, 20.0))
    undecided: run against old has the 99 % interval 0.0500 to 20.0, which is too wide for
    --max-slowdown 10 %; use more runs
    """
    from pi_bench.report.comparison import interval_text
    from pi_bench.report.quantities import ratio_text

    if ratio.interval is None:
        lacking = limits_option.lacking_floor(ratio) or f"too few runs for {flag}"
        return f"{ratio.side} could not be compared with {ratio.base}: {lacking}"
    low, high = ratio.interval
    if low > 1 + allowed:
        return (
            f"{ratio.side} takes at least {ratio_text(low)} times as long as {ratio.base}, and {flag} allows "
            f"{1 + allowed:.3g} times"
        )
    if high > 1 + allowed and high - low > 2 * allowed:
        return (
            f"undecided: {ratio.side} against {ratio.base} has the {interval_text(ratio)}, which is too wide "
            f"for {flag} {100 * allowed:.3g} %; use {remedy}"
        )
    return ""


def passed_text(ratio: Ratio, allowed: float, flag: str) -> str:
    """Says that a side has passed, with its interval.

    >>> from pi_bench.report.documents.comparison import Ratio
    >>> ratio = Ratio(side="run", base="old", phase="online", ratio=1.0, interval=(0.97, 1.04),
    ...     verdict="no difference shown", method="bootstrap")
    >>> print(passed_text(ratio, 0.1, "--max-slowdown"))
    passed: run is not shown to be slower than old by more than --max-slowdown 10 % (99 % interval 0.970 to
    1.040)
    """
    from pi_bench.report.comparison import interval_text

    return (
        f"passed: {ratio.side} is not shown to be slower than {ratio.base} by more than {flag} "
        f"{100 * allowed:.3g} % ({interval_text(ratio)})"
    )
