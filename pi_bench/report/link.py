"""The link between the parties, as part of a document and as text."""

from __future__ import annotations

from dataclasses import asdict

from pi_bench.channel.link import Link
from pi_bench.report.documents.fields import Emulated, Loopback, MeasuredLink
from pi_bench.report.documents.latency import ProbedLink, RealLink
from pi_bench.report.quantities import rate, seconds


def link_part(link: Link | None) -> Loopback | Emulated:
    """Describes a link as it was asked for; None is loopback, unshaped.

    >>> link_part(None)
    Loopback()
    """
    return Loopback() if link is None else Emulated(**asdict(link))


def probed_link_part(link: Link | None, probed: dict[str, float] | None) -> Loopback | ProbedLink:
    """Describes a link as it was asked for and, where it is emulated, as it was probed.

    >>> probed_link_part(None, None)
    Loopback()
    """
    if link is None:
        return Loopback()
    assert probed is not None, "the client probes every emulated link"
    return ProbedLink(**asdict(link), measured=MeasuredLink(**probed))


def real_link_part(probed: dict[str, float]) -> RealLink:
    """Describes the link between two machines as it was probed.

    >>> real_link_part({"rtt_s": 0.04, "up_bits_per_s": 1e8, "down_bits_per_s": 1e8}).measured.rtt_s
    0.04
    """
    return RealLink(name="real", measured=MeasuredLink(**probed))


def link_text(link: Loopback | Emulated | RealLink) -> str:
    """Names a link and its figures.

    >>> link_text(Emulated(name="wan", rtt_s=0.04, up_bits_per_s=1e8, down_bits_per_s=1e8))
    'emulated link wan (100 Mbit/s, round trip 40.0 ms)'
    """
    if isinstance(link, Loopback):
        return "loopback"
    if isinstance(link, RealLink):
        return "real link between two machines"
    up, down = rate(link.up_bits_per_s), rate(link.down_bits_per_s)
    rates = up if up == down else f"{up} up, {down} down"
    return f"emulated link {link.name} ({rates}, round trip {seconds(link.rtt_s)})"


def probe_lines(link: Loopback | ProbedLink | RealLink) -> list[str]:
    """States the probed figures of an emulated or real link; no line for loopback.

    >>> probe_lines(Loopback())
    []
    """
    if isinstance(link, Loopback):
        return []
    measured = link.measured
    return [
        f"the link as probed: round trip {seconds(measured.rtt_s)}, "
        f"{rate(measured.up_bits_per_s)} to the server, {rate(measured.down_bits_per_s)} to the client"
    ]
