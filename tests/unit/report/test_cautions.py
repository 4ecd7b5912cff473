"""Every circumstance that makes figures doubtful has a sentence with advice, and a quiet machine has none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pi_bench.costs import LIMIT_NAMES
from pi_bench.metrics.machine_use import MachineUse
from pi_bench.prediction.limits import Limits
from pi_bench.report.cautions import machine_cautions, result_cautions
from pi_bench.report.documents.fields import Loopback, MeasuredLink
from pi_bench.report.documents.latency import ProbedLink
from pi_bench.report.documents.micro import Micro
from pi_bench.report.micro import micro_cautions
from tests.unit.report.screens import stored

USUAL = dict.fromkeys(LIMIT_NAMES, 1e-9)
QUIET = MachineUse(other_fraction=0.01, steal_fraction=0.0, frequency_fraction=0.9)
LIMITS = Limits(USUAL, 1, earlier=(USUAL,))


def result(**changes: Any) -> Any:
    """Those parts of a result that cautions depend on."""
    ratios = {phase: SimpleNamespace(times_floor=2.0) for phase in ("online", "offline")}
    fields = {
        "runs": 5,
        "environment": SimpleNamespace(pinned=True, usable_core_count=2, threads=1),
        "server_environment": None,
        "link": Loopback(),
        "floor": SimpleNamespace(**ratios),
    }
    return SimpleNamespace(**{**fields, **changes})


def test_a_quiet_machine_has_none() -> None:
    assert result_cautions(result(), QUIET, LIMITS) == ()
    assert result_cautions(result(floor=None), MachineUse(), None) == ()


@pytest.mark.parametrize(
    ("code", "use", "words", "advice"),
    [
        ("load", MachineUse(other_fraction=0.25), "other programs took 25 %", "close them"),
        ("steal", MachineUse(steal_fraction=0.04), "took 4 % of the processor time", "at another hour"),
        ("throttled", MachineUse(frequency_fraction=0.5), "ran at 50 % of its highest", "cooling"),
        ("throttled", MachineUse(heat_events=3), "slowed down 3 times because of heat", "cooling"),
        ("swap", MachineUse(swapped_pages=5000), "moved 5,000 pages", "use a machine with more of it"),
        (
            "quota",
            MachineUse(quota_cores=3.0, quota_wait_s=0.5),
            "stopped it for 0.50 s",
            "raise the container",
        ),
    ],
)
def test_the_state_of_the_machine_is_worded(code: str, use: MachineUse, words: str, advice: str) -> None:
    (caution,) = machine_cautions(use)
    assert caution.code == code
    assert words in caution.text and advice in caution.text


def test_limits_far_below_the_usual_ones_are_named() -> None:
    (caution,) = machine_cautions(QUIET, Limits({**USUAL, "aes": 2e-9}, 1, earlier=(USUAL,)))
    assert caution.code == "slow-machine"
    assert "AES at 50 % of the usual rate" in caution.text and "relative to the floor" in caution.text
    assert machine_cautions(QUIET, Limits({**USUAL, "aes": 1.5e-9}, 1, earlier=(USUAL,))) == []


def probed(up: float, down: float) -> ProbedLink:
    measured = MeasuredLink(rtt_s=0.04, up_bits_per_s=up, down_bits_per_s=down)
    return ProbedLink(name="wan", rtt_s=0.04, up_bits_per_s=1e8, down_bits_per_s=1e8, measured=measured)


@pytest.mark.parametrize(
    ("code", "changes", "use", "words"),
    [
        ("few-runs", {"runs": 2}, QUIET, "use --runs 5"),
        (
            "shared-cores",
            {"environment": SimpleNamespace(pinned=False, usable_core_count=1, threads=1)},
            QUIET,
            "both parties share 1 core with 1 thread each",
        ),
        ("shared-cores", {}, MachineUse(quota_cores=1.5), "grants both parties 1.5 cores together"),
        ("slow-link", {"link": probed(9e7, 5e7)}, QUIET, "carried 50 Mbit/s to the client, not 100 Mbit/s"),
        ("busy-limits", {"floor": result(times=1).floor}, QUIET, "less than its floor"),
    ],
)
def test_the_circumstances_of_a_run_are_worded(
    code: str, changes: dict[str, Any], use: MachineUse, words: str
) -> None:
    measured = result(**changes)
    if code == "busy-limits":
        measured.floor.offline.times_floor = 0.9
    (caution,) = result_cautions(measured, use, LIMITS)
    assert caution.code == code
    assert words in caution.text


def test_a_link_that_carries_what_was_asked_for_has_none() -> None:
    assert result_cautions(result(link=probed(9.9e7, 9.8e7)), QUIET, LIMITS) == ()


def test_a_case_that_beats_its_limit_is_named_with_its_ratio() -> None:
    (caution,) = micro_cautions(stored("micro", Micro))
    assert caution.code == "busy-limits"
    told = "the case 'add arrays of words' (and 1 other case) took 0.73 times its limit"
    assert told in caution.text and "(memory)" in caution.text
