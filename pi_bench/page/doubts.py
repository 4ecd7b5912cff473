"""What makes the online latency of a result uncertain: its spread, and a slower link.

A caution is about the machine, and comes with the result. A result without one is uncertain as well if its
runs differ. The page marks both kinds, each with a sign of its own. A prediction that is far off is no doubt
about the latency, but an error of the model: the section of predictions shows it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pi_bench.report.documents.latency import ProbedLink, Result
from pi_bench.report.quantities import MIN_QUARTILE_RUNS, percent

WIDE_SPREAD = 0.2
"""The runs differ if their middle half spans more than this part of the median."""


def spread_of(result: Result) -> float:
    """Returns the span of the middle half of the online latencies, divided by their median.

    ```python
    def steadiest(results: list[Result]) -> Result:
        return min(results, key=spread_of)
    ```
    """
    latency = result.online.latency_s
    return (latency.q3 - latency.q1) / latency.median if latency.median else 0.0


def is_unsteady(result: Result) -> bool:
    """Tells whether the runs of a result differ so much that its online latency is uncertain.

    One or two runs have no middle half that says so; the caution about few runs marks them.

    ```python
    def steady(results: list[Result]) -> list[Result]:
        return [result for result in results if not is_unsteady(result)]
    ```
    """
    return result.runs >= MIN_QUARTILE_RUNS and spread_of(result) > WIDE_SPREAD


def added_by_trips_s(result: Result) -> float:
    """Returns the online seconds that an emulated link adds because its round trip is longer than asked for.

    A link that kept its round trip, or is not emulated, adds 0.

    ```python
    def print_added(result: Result) -> None:
        print(f"{1e3 * added_by_trips_s(result):.2f} ms")
    ```
    """
    link = result.link
    if not isinstance(link, ProbedLink):
        return 0.0
    return result.online.comm_round_count * max(0.0, link.measured.rtt_s - link.rtt_s)


def added_by_bytes_s(result: Result) -> float:
    """Returns the most online seconds that an emulated link can add because its bandwidth is too low.

    Computing and the other direction may hide some of them.

    ```python
    def print_added(result: Result) -> None:
        print(f"{1e3 * added_by_bytes_s(result):.2f} ms")
    ```
    """
    link, sent = result.link, result.online.wire_bytes
    if not isinstance(link, ProbedLink):
        return 0.0
    up_s = 8 * sent.client_to_server * (1 / link.measured.up_bits_per_s - 1 / link.up_bits_per_s)
    down_s = 8 * sent.server_to_client * (1 / link.measured.down_bits_per_s - 1 / link.down_bits_per_s)
    return max(0.0, up_s) + max(0.0, down_s)


def part_of_latency(result: Result, value_s: float) -> float:
    """Returns a time divided by the online latency, at most 1.

    ```python
    def mostly_emulation(result: Result) -> bool:
        return part_of_latency(result, added_by_trips_s(result)) > 0.5
    ```
    """
    median_s = result.online.latency_s.median
    return min(1.0, value_s / median_s) if median_s else 0.0


def fraction_range(fractions: Sequence[float]) -> str:
    """Writes the smallest and the largest of fractions in percent.

    >>> fraction_range([0.251, 0.007]), fraction_range([0.5])
    ('0.7 to 25 %', '50 %')
    """
    low, high = _short_percent(min(fractions)), _short_percent(max(fractions))
    return high if low == high else f"{low.removesuffix(' %')} to {high}"


def _short_percent(fraction: float) -> str:
    """Writes a fraction in percent, with a decimal between 0 and 1 %."""
    return percent(fraction, 1 if 0.0005 <= fraction < 0.00995 else 0)
