import pytest

from pi_bench.channel.link import LINKS, Link
from pi_bench.errors import PeerError
from pi_bench.session.commands import Command, receive_command
from pi_bench.session.probe import MAX_BYTES, probe_as_client, probe_as_server, probe_bytes

from .conftest import Both, Sessions


def test_rates_follow_from_times(sessions: Sessions, both: Both) -> None:
    """On a clock of our own: five round trips, then a transfer each way, less the shortest round trip."""
    client, server = sessions
    durations = iter([0.05, 0.04, 0.07, 0.04, 0.06, 0.04 + 0.5, 0.04 + 0.25])
    now, started = [0.0], [False]

    def clock() -> float:
        now[0] += next(durations) if started[0] else 1.0
        started[0] = not started[0]
        return now[0]

    def run_server() -> None:
        command, size = receive_command(server)
        assert command is Command.PROBE
        probe_as_server(server, size)

    found, error = both(lambda: probe_as_client(client, 1_000_000, clock), run_server)
    assert error is None
    assert found.rtt_s == pytest.approx(0.04)
    assert found.up_bits_per_s == pytest.approx(8e6 / 0.5)
    assert found.down_bits_per_s == pytest.approx(8e6 / 0.25)


@pytest.mark.parametrize("size", [0, MAX_BYTES + 1])
def test_a_client_cannot_ask_for_more(sessions: Sessions, size: int) -> None:
    with pytest.raises(PeerError, match=f"with {size} bytes; 1 to"):
        probe_as_server(sessions[1], size)


@pytest.mark.parametrize("link", LINKS.values(), ids=lambda link: link.name)
def test_a_probe_is_short_and_within_bounds(link: Link) -> None:
    size = probe_bytes(link)
    assert 32 << 10 <= size <= MAX_BYTES
    assert min(link.up_bits_per_s, link.down_bits_per_s) * 0.2 >= 8 * size or size == 32 << 10
