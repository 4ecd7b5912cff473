from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest

from pi_bench.report.documents.fields import Emulated, Loopback, MeasuredLink
from pi_bench.report.documents.latency import RealLink
from pi_bench.report.warnings import find_warnings

QUIET: dict[str, Any] = {
    "secure": True,
    "network": {"weights": "given", "fusion": {"planned_link": None}},
    "protocol": "delphi",
    "link": Loopback(),
    "runs": 5,
    "precision": None,
    "warmup": 1,
    "outputs": {"argmax": 3},
    "verification": {"passed": True, "argmax_agrees_with_float": True, "float_argmax": 3},
    "online": {"latency_s": {"median": 1.0, "q1": 0.95, "q3": 1.05, "interval": (0.98, 1.02)}},
    "environment": {"instruction_set": "aesni", "pinned": True, "usable_core_count": 2, "threads": 1},
    "server_environment": None,
    "peak_memory_by_phase": True,
    "fidelity": {"of_this_program": True, "met": True, "source": "calibration inputs", "sample_count": 64},
    "prediction": {"over_measured": {"offline": 0.7, "online": 1.4}},
}


def warnings_of(fields: dict[str, Any]) -> list[str]:
    """The warnings of a result of which only these fields matter."""

    def part(value: Any) -> Any:
        if isinstance(value, dict):
            return SimpleNamespace(**{name: part(inner) for name, inner in value.items()})
        return value

    return find_warnings(part(fields))


def test_a_good_result_has_none() -> None:
    assert warnings_of(QUIET) == []


@pytest.mark.parametrize(
    ("path", "value", "advice"),
    [
        ("secure", False, "Use --protocol delphi"),
        ("network.weights", "random", "weights are random: latency and bytes are those of a trained network"),
        (
            "verification.argmax_agrees_with_float",
            False,
            "larger --weight-bits and --activation-bits, let `pi-bench export --fidelity`",
        ),
        ("online.latency_s.q3", 1.5, "raise --runs"),
        ("fidelity", None, "export it again"),
        ("fidelity.of_this_program", False, "pi-bench accuracy"),
        ("fidelity.source", "example input", "real inputs as calibration"),
        ("network.fusion.planned_link", "lan", "add --link lan"),
        ("online.latency_s.q3", 21.78, "spans 20.8 times the median"),
        ("warmup", 0, "use --warmup 1"),
        ("environment.instruction_set", "portable", "unset PI_BENCH_ISA"),
        ("peak_memory_by_phase", False, "not of the phase alone"),
        ("prediction.over_measured.online", 1.6, "--measure-costs"),
        ("prediction.over_measured.offline", 0.6, "--measure-costs"),
    ],
)
def test_each_cause_is_told_with_advice(path: str, value: object, advice: str) -> None:
    result = deepcopy(QUIET)
    *folders, key = path.split(".")
    place = result
    for folder in folders:
        place = place[folder]
    place[key] = value
    (warning,) = warnings_of(result)
    assert advice in warning


def test_without_a_prediction_nothing_is_far_off() -> None:
    assert warnings_of({**QUIET, "prediction": None}) == []


LAN = MeasuredLink(rtt_s=0.001, up_bits_per_s=1e9, down_bits_per_s=1e9)
"""The figures of a link between two machines."""


@pytest.mark.parametrize(
    ("link", "warned"),
    [
        (Emulated(name="100Mbit,40ms", rtt_s=0.04, up_bits_per_s=1e8, down_bits_per_s=1e8), False),
        (Emulated(name="lan", rtt_s=0.001, up_bits_per_s=1e9, down_bits_per_s=1e9), True),
        (RealLink(name="real", measured=LAN), False),  # it has no name that --fuse or --link could take
    ],
)
def test_a_network_fused_for_another_link_than_that_of_the_runs_is_warned_of(
    link: Emulated | RealLink, warned: bool
) -> None:
    network = {"weights": "given", "fusion": {"planned_link": "100Mbit,40ms"}}
    assert bool(warnings_of({**QUIET, "network": network, "link": link})) is warned


def test_insecurity_comes_first() -> None:
    assert warnings_of({**QUIET, "secure": False, "runs": 1})[0].startswith("INSECURE")


@pytest.mark.parametrize(
    ("precision", "interval", "advice"),
    [
        (0.02, (0.98, 1.02), None),
        (0.01, (0.98, 1.02), "known within 2.00 % of itself, not within the 1.00 %"),
        (0.01, None, "raise --max-time"),
    ],
)
def test_a_precision_that_was_not_reached_is_warned_of(
    precision: float, interval: tuple[float, float] | None, advice: str | None
) -> None:
    result = deepcopy(QUIET)
    result["precision"] = precision
    result["online"]["latency_s"]["interval"] = interval
    found = warnings_of(result)
    assert len(found) == (advice is not None)
    assert all(str(advice) in warning for warning in found)
