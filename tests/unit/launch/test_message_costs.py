"""The costs of messages come from the runs that other programs have disturbed least."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pi_bench.launch.two_party_costs import _message_costs
from pi_bench.protocol.span import Span


class _Record:
    depth = 10
    spans = (Span(0, "", compute_s=1e-3, send_s=100e-6, sent_count=10),)


class _Run:
    """Takes 3 ms, and the time for which other programs have displaced a party."""

    def __init__(self, displaced_s: float) -> None:
        self.latency_s = 3e-3 + displaced_s

    def record(self, party: str, phase: str) -> Any:
        return _Record()


@pytest.mark.parametrize("quiet_count", [1, 7])
def test_one_quiet_run_of_seven_shows_the_costs_of_messages(quiet_count: int) -> None:
    runs = [_Run(0.1)] * (7 - quiet_count) + [_Run(0.0)] * quiet_count
    found = _message_costs(cast(Any, runs))
    assert found["message"] == pytest.approx(10e-6)
    assert found["hop"] == pytest.approx((3e-3 - 2.2e-3) / 10 - 10e-6)
