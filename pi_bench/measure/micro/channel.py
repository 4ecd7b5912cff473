"""The channel between the parties, over loopback TCP to another process."""

from __future__ import annotations

from collections.abc import Iterator

from pi_bench.channel.frame import HEADER_BYTES
from pi_bench.measure.micro.case import Case, MinimalWork, Settings
from pi_bench.measure.micro.loopback import FrameEcho

_FRAME_BYTES = 1 << 20
_FRAMES = 32
_ROUND_TRIPS = 100


def cases(settings: Settings) -> Iterator[Case]:
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
            "round trip",
            _ROUND_TRIPS,
            1,
            MinimalWork(round_trips=1),
            lambda: echo.round_trips(_ROUND_TRIPS),
        )
