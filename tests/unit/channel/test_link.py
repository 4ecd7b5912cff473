import math

import pytest

from pi_bench.channel.link import LINKS, ArrivalClock, Link, Pace
from pi_bench.errors import UsageError


@pytest.mark.parametrize(
    ("text", "rtt_s", "up", "down"),
    [
        ("lan", 0.2e-3, 1e9, 1e9),
        ("wan", 40e-3, 1e8, 1e8),
        ("100Mbit,40ms", 0.04, 1e8, 1e8),
        ("40ms,100mbit", 0.04, 1e8, 1e8),
        ("bandwidth=2.5Gbit,rtt=250us", 0.25e-3, 2.5e9, 2.5e9),
        ("rtt=1s,up=10Mbit,down=.04Gbit", 1.0, 1e7, 4e7),
        ("1000kbit,0us", 0.0, 1e6, 1e6),
    ],
)
def test_a_link_is_read(text: str, rtt_s: float, up: float, down: float) -> None:
    link = Link.parse(text)
    assert link.name == text
    assert (link.rtt_s, link.up_bits_per_s, link.down_bits_per_s) == pytest.approx((rtt_s, up, down))
    assert link.up == Pace(rtt_s / 2, pytest.approx(up))
    assert link.down == Pace(rtt_s / 2, pytest.approx(down))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("moon", "cannot be read"),
        ("", "cannot be read"),
        ("100Mbit", "lacks a round trip"),
        ("40ms", "lacks a bandwidth"),
        ("40ms,up=10Mbit", "lacks a bandwidth"),
        ("100Mbit,40", "cannot be read"),
        ("100MB,40ms", "cannot be read"),
        ("-5ms,100Mbit", "cannot be read"),
        ("nanms,100Mbit", "cannot be read"),
        ("rtt=100Mbit,40ms", "cannot be read"),
        ("speed=100Mbit,40ms", "cannot be read"),
        ("100Mbit,200Mbit,40ms", "two values of bandwidth"),
        ("100Mbit,3s", "at most 2 s"),
        ("10kbit,40ms", "1Mbit to 100Gbit"),
        ("0Mbit,40ms", "1Mbit to 100Gbit"),
        ("101Gbit,40ms", "1Mbit to 100Gbit"),
        ("٣Mbit,40ms", "cannot be read"),
    ],
)
def test_what_is_no_link_is_named(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        Link.parse(text)
    assert repr(text) in str(caught.value)


def test_the_error_names_every_link() -> None:
    with pytest.raises(UsageError) as caught:
        Link.parse("moon")
    assert all(name in str(caught.value) for name in (*LINKS, "loopback", "100Mbit,40ms"))


def test_an_idle_direction_takes_a_message_at_once() -> None:
    clock = ArrivalClock(Pace(delay_s=0.02, bits_per_s=8e6))  # a byte a microsecond
    assert clock.arrival(1000, now=5.0) == pytest.approx(5.0 + 0.001 + 0.02)
    assert clock.arrival(500, now=9.0) == pytest.approx(9.0 + 0.0005 + 0.02)


def test_messages_queue_for_the_rate_and_share_the_delay() -> None:
    clock = ArrivalClock(Pace(delay_s=0.02, bits_per_s=8e6))
    arrivals = [clock.arrival(1000, now=1.0) for _ in range(5)]
    assert arrivals == pytest.approx([1.02 + 0.001 * k for k in range(1, 6)])


def test_pieces_arrive_with_the_whole() -> None:
    """Cutting a message does not change when its last byte is there."""
    pace = Pace(delay_s=0.003, bits_per_s=1e9)
    whole, cut = ArrivalClock(pace), ArrivalClock(pace)
    last = [cut.arrival(pace.piece_bytes, now=2.0) for _ in range(64)][-1]
    assert last == pytest.approx(whole.arrival(64 * pace.piece_bytes, now=2.0))


@pytest.mark.parametrize("link", LINKS.values(), ids=lambda link: link.name)
def test_pieces_are_short_in_time_or_small(link: Link) -> None:
    for pace in (link.up, link.down):
        assert pace.piece_bytes == 16 << 10 or pace.transfer_s(pace.piece_bytes) == pytest.approx(
            1e-4, rel=1e-3
        )
        assert math.isfinite(pace.transfer_s(1 << 40))
