"""The interface between the harness and the protocols that it measures."""

from pi_bench.protocol.interface import OtherSettings, PartyProtocol, ProtocolInfo
from pi_bench.protocol.options import Mode, Option, ProtocolOptions
from pi_bench.protocol.preprocessing import Preprocessing
from pi_bench.protocol.security import Estimate, Security
from pi_bench.protocol.session import Party, SessionLike, ShareTrace

__all__ = [
    "Estimate",
    "Mode",
    "Option",
    "OtherSettings",
    "Party",
    "PartyProtocol",
    "Preprocessing",
    "ProtocolInfo",
    "ProtocolOptions",
    "Security",
    "SessionLike",
    "ShareTrace",
]
