"""Compares measurements: sides that are measured in turns, and sides that were measured before.

A ratio has an interval and a verdict. Sides that are measured in turns share the machine's state, so the
rounds of the measurement give the interval. Stored sides are compared as they are.
"""

from pi_bench.comparison.document import build_comparison
from pi_bench.comparison.interleaved import measure_sides
from pi_bench.comparison.ratios import ratio_of
from pi_bench.comparison.sides import differences, side_of_result
from pi_bench.comparison.stored import read_results
from pi_bench.report.documents.comparison import CONFIDENCE

__all__ = [
    "CONFIDENCE",
    "build_comparison",
    "differences",
    "measure_sides",
    "ratio_of",
    "read_results",
    "side_of_result",
]
