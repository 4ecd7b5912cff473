"""The comparison of two clocks, on clocks of our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_bench.errors import PeerError
from pi_bench.session import clock as module
from pi_bench.session.clock import (
    MAX_ROUND_TRIPS,
    ClockComparison,
    ClockReading,
    answer_clock_as_server,
    read_clock_as_client,
)
from pi_bench.session.commands import Command, receive_command, send_ready

from .conftest import Both, Sessions

_DELAYS = st.integers(0, 10**9)


@given(up_ns=_DELAYS, work_ns=_DELAYS, down_ns=_DELAYS, ahead_ns=st.integers(-(10**12), 10**12))
def test_the_offset_is_right_within_its_uncertainty(
    up_ns: int, work_ns: int, down_ns: int, ahead_ns: int
) -> None:
    """Whatever part of the round trip each direction takes."""
    sent = 10**13
    arrived = sent + up_ns
    answered = arrived + work_ns
    reading = ClockReading.of(sent, arrived + ahead_ns, answered + ahead_ns, answered + down_ns)
    assert abs(reading.offset_ns - ahead_ns) <= reading.uncertainty_ns <= (up_ns + down_ns) // 2 + 1


def test_the_shortest_round_trip_counts(
    sessions: Sessions, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, server = sessions
    monkeypatch.setattr(module, "ROUND_TRIPS", 3)
    ahead = 5_000_000
    at_client = iter([0, 900, 1_000, 1_060, 2_000, 2_500])  # the second takes 60
    at_server = iter(ahead + at for at in (100, 110, 1_040, 1_050, 2_300, 2_310))

    def serve() -> None:
        command, count = receive_command(server)
        assert command is Command.CLOCK
        answer_clock_as_server(server, count, lambda: next(at_server))

    reading, error = both(lambda: read_clock_as_client(client, lambda: next(at_client)), serve)
    assert error is None
    assert reading == ClockReading(ahead + 1_045, ahead + 15, 25)


def test_a_drift_is_spread_over_the_inference() -> None:
    """The server's clock is ahead by 10,000 and gains 50 per million."""
    times = (0, 4 * 10**9, 10**10)
    at_server = [time + 10_000 + 50 * time // 10**6 for time in times]
    readings = [ClockReading(at_server[i], at_server[i] - times[i], 20) for i in (0, 2)]
    comparison = ClockComparison(*readings)
    assert abs(comparison.to_client(at_server[1]) - times[1]) <= 20
    assert (comparison.offset_ns, comparison.drift_ns) == (10_000 + 250_000, 500_000)


def test_errors_of_the_readings_are_no_drift() -> None:
    """A reading on a busy machine is wrong by up to 10 ms; the inference took 100 ms."""
    good, bad = ClockReading(10**8, 500, 20_000), ClockReading(0, 6_000_000, 10_000_000)
    comparison = ClockComparison(bad, good)
    assert comparison.to_client(10**7) == 10**7 - 500
    assert (comparison.offset_ns, comparison.drift_ns) == (500, 0)
    assert comparison.uncertainty_ns == 20_000 + 10**8 // 1000


@pytest.mark.parametrize("count", [0, MAX_ROUND_TRIPS + 1])
def test_a_client_cannot_ask_for_more(sessions: Sessions, count: int) -> None:
    with pytest.raises(PeerError, match=f"{count} readings of the clock; 1 to"):
        answer_clock_as_server(sessions[1], count)


@pytest.mark.parametrize("times", [(20, 10), (0, 10**18), (1 << 63, 1 << 63)])
def test_impossible_times_are_refused(sessions: Sessions, both: Both, times: tuple[int, int]) -> None:
    """It leaves before it came, took longer than the round trip, or is beyond every clock."""
    client, server = sessions

    def serve() -> None:
        receive_command(server)
        send_ready(server)
        server.receive(1)
        server.send(module._TIMES.pack(*times))

    error, _ = both(lambda: read_clock_as_client(client), serve)
    assert isinstance(error, PeerError) and "times that cannot be right" in str(error)
