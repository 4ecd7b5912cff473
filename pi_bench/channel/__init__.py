"""The byte pipe between the two parties: frames over TCP. Only this package touches a socket."""

from pi_bench.channel.channel import Channel
from pi_bench.channel.frame import FRAME_VERSION, FrameHeader, FrameKind
from pi_bench.channel.tcp import Address, accept, connect, listen

__all__ = [
    "FRAME_VERSION",
    "Address",
    "Channel",
    "FrameHeader",
    "FrameKind",
    "accept",
    "connect",
    "listen",
]
