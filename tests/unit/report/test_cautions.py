"""Every circumstance that makes figures doubtful has a sentence with advice, and a quiet machine has none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pi_bench.costs import LIMIT_NAMES
from pi_bench.metrics.machine_use import MachineUse
from pi_bench.prediction.limits import Limits
from pi_bench.report.cautions import caution_lines, link_cautions, machine_cautions, result_cautions
from pi_bench.report.colors import colored
from pi_bench.report.documents.fields import Directions, Loopback, MeasuredLink
from pi_bench.report.documents.latency import ProbedLink
from pi_bench.report.documents.micro import Micro
from pi_bench.report.micro import micro_cautions
from tests.unit.report.screens import stored

USUAL = dict.fromkeys(LIMIT_NAMES, 1e-9)
QUIET = MachineUse(other_fraction=0.01, steal_fraction=0.0, frequency_fraction=0.9)
LIMITS = Limits(USUAL, 1, earlier=(USUAL,))


def sent(client_to_server: int, server_to_client: int) -> Directions:
    return Directions(client_to_server=client_to_server, server_to_client=server_to_client)


def result(**changes: Any) -> Any:
    """Those parts of a result that cautions depend on."""
    ratios = {phase: SimpleNamespace(times_floor=2.0) for phase in ("online", "offline")}
    fields = {
        "runs": 5,
        "environment": SimpleNamespace(pinned=True, usable_core_count=2, threads=1),
        "server_environment": None,
        "link": Loopback(),
        "floor": SimpleNamespace(**ratios),
        "setup": SimpleNamespace(wire_bytes=sent(10**5, 10**5), time_s=0.5),
        "offline": SimpleNamespace(wire_bytes=sent(10**6, 10**8), time_s=20.0),
        "online": SimpleNamespace(
            wire_bytes=sent(10**6, 10**6), latency_s=SimpleNamespace(median=1.0), comm_round_count=18.0
        ),
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


def probed(up: float = 1e8, down: float = 1e8, rtt_s: float = 0.04) -> ProbedLink:
    measured = MeasuredLink(rtt_s=rtt_s, up_bits_per_s=up, down_bits_per_s=down)
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
        (
            "long-round-trip",
            {"link": probed(rtt_s=0.06)},
            QUIET,
            "took 60.0 ms, not 40.0 ms, which adds about 360 ms to the 18 rounds online",
        ),
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
    assert result_cautions(result(link=probed(9.9e7, 9.8e7, rtt_s=0.049)), QUIET, LIMITS) == ()


def test_missing_bandwidth_concerns_the_phases_that_it_makes_longer() -> None:
    """At half of 100 Mbit/s, a megabyte takes 80 ms more: 8 % of one second, 0.4 % of twenty."""
    (up,), (down,) = (link_cautions(result(link=link)) for link in (probed(up=5e7), probed(down=5e7)))
    assert (up.code, up.phases) == ("slow-link", ("set-up", "online"))
    assert down.phases == ("set-up", "offline", "online")
    little = result(link=probed(up=5e7), **dict.fromkeys(("setup", "offline"), result().offline))
    little.online.wire_bytes = sent(10**4, 10**8)
    assert link_cautions(little) == []


def test_a_phase_below_its_floor_is_named() -> None:
    for phase in ("offline", "online"):
        measured = result()
        getattr(measured.floor, phase).times_floor = 0.9
        (caution,) = result_cautions(measured, QUIET, LIMITS)
        assert caution.phases == (phase,)
        assert caution_lines([caution])[0].startswith(f"caution ({phase}): a phase took less")


def test_a_colored_line_of_a_caution_is_yellow_with_and_without_phases() -> None:
    for words in ("caution", "caution (set-up, offline)"):
        (span,) = colored(f"{words}: the link was slow.").spans
        assert (span.start, span.end, span.style) == (0, len(words) + 1, "yellow")


def test_a_case_that_beats_its_limit_is_named_with_its_ratio() -> None:
    (caution,) = micro_cautions(stored("micro", Micro))
    assert caution.code == "busy-limits"
    told = "the case 'add arrays of words' (and 1 other case) took 0.73 times its limit"
    assert told in caution.text and "(memory)" in caution.text
