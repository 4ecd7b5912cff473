"""The channel between the parties, over loopback TCP to another process.

Most of its units show only between two parties that run a protocol, where `pi_bench.launch.cached_costs`
measures them. One process can measure the waking of a receiver alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from pi_bench.channel.frame import HEADER_BYTES
from pi_bench.costs import LINK_UNITS, CostUnits
from pi_bench.primitives.loopback import FrameEcho
from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork, Primitive, TimedCase

_FRAME_BYTES = 1 << 20
_FRAMES = 32
_ROUND_TRIPS = 100
_ROUND_TRIP = "round trip"


def cases(settings: CaseSettings) -> Iterator[Case]:
    """Sends large frames in one direction, then small frames there and back.

    >>> [(case.unit, case.unit_count) for case in cases(CaseSettings())]
    [('byte', 33554432), ('round trip', 100)]
    """
    del settings
    with FrameEcho(_FRAME_BYTES) as echo:
        yield Case(
            "frames of 1 MiB",
            "byte",
            _FRAMES * _FRAME_BYTES,
            1,
            MinimalWork(socket_bytes=1 + HEADER_BYTES / _FRAME_BYTES),
            lambda: echo.send(_FRAMES),
        )
        yield Case(
            "small frame there and back",
            _ROUND_TRIP,
            _ROUND_TRIPS,
            1,
            MinimalWork(round_trips=1),
            lambda: echo.round_trips(_ROUND_TRIPS),
        )


def timed_cases(settings: CaseSettings) -> Iterator[TimedCase]:
    """Yields the cases that the cost of waking a receiver is fitted to: round trips, which wake two each.

    >>> [timed.work.units for timed in timed_cases(CaseSettings())]
    [{'wake': 200.0}]
    """
    for case in cases(settings):
        if case.unit == _ROUND_TRIP:
            yield TimedCase(CostUnits({"wake": 2.0 * case.unit_count}), case)


CHANNEL = Primitive("messages over loopback", LINK_UNITS, {"channel": cases}, timed_cases)
