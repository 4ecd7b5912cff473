"""Lists warnings about a result, each with advice."""

from __future__ import annotations

from pi_bench.registry import default_protocol
from pi_bench.report.documents.latency import RealLink, Result
from pi_bench.report.documents.predicted import ComparedPrediction
from pi_bench.report.fidelity import fidelity_warnings
from pi_bench.report.quantities import MIN_QUARTILE_RUNS, part_text
from pi_bench.report.weights import random_warnings

_WIDE_SPREAD = 0.25
_NARROW_HEADROOM_BITS = 0.5
_FAR_OFF = 1.5


def find_warnings(result: Result, *, goal_is_asked: bool = False) -> list[str]:
    """Lists what a reader must know, the gravest first; each sentence says what to do next.

    Args:
        goal_is_asked: true if the user of the model file set the goal of its fidelity.

    ```python
    def insecure(result: Result) -> bool:
        return any(warning.startswith("INSECURE") for warning in find_warnings(result))
    ```
    """
    found = []
    if not result.secure:
        found.append(
            f"INSECURE: protocol {result.protocol!r} protects nothing; it is for testing and for "
            f"measuring the harness. Use --protocol {default_protocol().name} with real data."
        )
    found += random_warnings(result.network.weights)
    if result.server_environment is not None and result.verification is not None:
        found.append(
            "INSECURE: the server gave this client its shares, which reveal its weights; use "
            "--insecure-verify only with weights that are no secret."
        )
    if result.fidelity is not None or result.server_environment is None:
        found += fidelity_warnings(result.fidelity, result.network.weights, asked=goal_is_asked)
    verification = result.verification
    if verification is not None and verification.passed and not verification.argmax_agrees_with_float:
        found.append(
            f"the private answer is class {result.outputs.argmax}, the float network says "
            f"{verification.float_argmax}: the arithmetic is right, so the fixed point is too coarse "
            "for this input; try larger --weight-bits and --activation-bits, let `pi-bench export "
            "--fidelity` choose the bits, or calibrate with more inputs."
        )
    spread = _spread(result)
    if spread > _WIDE_SPREAD and result.runs >= MIN_QUARTILE_RUNS:
        found.append(
            f"the runs differ (their middle half spans {part_text(spread, 'the median')}): close other "
            "programs or raise --runs."
        )
    if contradicts_prediction(result):
        found.append(
            "predicted and measured are far apart. The machine was busy, now or when its costs were "
            "measured; measure them again on a quiet machine with --measure-costs."
        )
    found += _other_link(result)
    found += _imprecise(result)
    if result.warmup == 0:
        found.append("without a warm-up the first run pays for cold caches; use --warmup 1.")
    environment = result.environment
    if environment.instruction_set == "portable":
        found.append(
            "the kernels ran on the portable path, some twenty times slower than with AES instructions; "
            "unset PI_BENCH_ISA or use a processor that has them for figures that you publish."
        )
    if not result.peak_memory_by_phase:
        found.append(
            "this system cannot reset the memory peak: each peak is that of the process so far, "
            "not of the phase alone."
        )
    return found


def _other_link(result: Result) -> list[str]:
    """Warns of a network that was fused for another link than that of the runs."""
    fusion, link = result.network.fusion, result.link
    planned = None if fusion is None else fusion.planned_link
    if planned is None or isinstance(link, RealLink):  # of a real link nobody knows which name would fit
        return []
    if planned == link.name:
        return []
    return [
        f"the network was fused for the link {planned}, and the runs were on {link.name}; add "
        f"--link {planned} to measure them there."
    ]


def contradicts_prediction(result: Result) -> bool:
    """Tells whether runs that agree with each other are far from their prediction.

    ```python
    def costs_are_old(result: Result) -> bool:
        return contradicts_prediction(result)
    ```
    """
    return _spread(result) <= _WIDE_SPREAD and _far_off(result.prediction)


def _spread(result: Result) -> float:
    latency = result.online.latency_s
    return (latency.q3 - latency.q1) / latency.median


def _imprecise(result: Result) -> list[str]:
    """Warns of a precision that was asked for and not reached."""
    if result.precision is None:
        return []
    interval, median_s = result.online.latency_s.interval, result.online.latency_s.median
    if interval is None:
        return [
            f"so few runs show no interval of the median, so the precision of {result.precision:.3g} that "
            "was asked for is not shown; raise --max-time."
        ]
    reached = (interval[1] - interval[0]) / 2 / median_s
    if reached <= result.precision * (1 + 1e-9):
        return []
    return [
        f"the median is known within {part_text(reached, 'itself', 2)}, not "
        f"within the {100 * result.precision:.2f} % that "
        "--precision asks for; raise --max-time, or close other programs."
    ]


def _far_off(prediction: ComparedPrediction | None) -> bool:
    if prediction is None:
        return False
    ratios = (prediction.over_measured.offline, prediction.over_measured.online)
    return any(not 1 / _FAR_OFF <= ratio <= _FAR_OFF for ratio in ratios)
