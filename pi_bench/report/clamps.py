"""Sentences on clamps with two bounds, such as ReLU6, for reports."""

from __future__ import annotations

from pi_bench.report.quantities import counted


def export_clamp_lines(clamped_count: int) -> list[str]:
    """Says how `pi-bench export` counts clamps; says nothing where there are none.

    >>> export_clamp_lines(0)
    []
    """
    if not clamped_count:
        return []
    return [
        f"{clamped_count:,} of them are clamps with two bounds, such as ReLU6: each counts as one ReLU here, "
        "and runs as two ReLUs where its values may reach the upper bound (`pi-bench inspect` counts both)"
    ]


def clamp_lines(upper_relu_count: int | None) -> list[str]:
    """Says which of a program's ReLUs serve the upper bounds of clamps; says nothing where none do.

    >>> print(*clamp_lines(3))
    3 ReLUs of these serve the upper bounds of clamps such as ReLU6, which run as two ReLUs each; ...
    """
    if not upper_relu_count:
        return []
    verb = "serves" if upper_relu_count == 1 else "serve"
    return [
        f"{counted(upper_relu_count, 'ReLU')} of these {verb} the upper bounds of clamps such as ReLU6, "
        "which run as two ReLUs each; a network with ReLU in their place needs none of them"
    ]
