"""The link between the parties, as JSON values and as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pi_bench.channel.link import Link
from pi_bench.report.quantities import rate, seconds


def link_fields(link: Link | None) -> dict[str, Any]:
    """None: loopback as it is."""
    return {"kind": "loopback"} if link is None else {"kind": "emulated", **asdict(link)}


def link_words(fields: Mapping[str, Any]) -> str:
    """Such as ``emulated link wan: 100 Mbit/s, round trip 40.0 ms``."""
    if fields["kind"] == "loopback":
        return "loopback"
    up, down = rate(fields["up_bits_per_s"]), rate(fields["down_bits_per_s"])
    rates = up if up == down else f"{up} up, {down} down"
    return f"emulated link {fields['name']} ({rates}, round trip {seconds(fields['rtt_s'])})"


def probe_lines(fields: Mapping[str, Any]) -> list[str]:
    """What a probe measured of an emulated link."""
    measured = fields.get("measured")
    if measured is None:
        return []
    return [
        f"the link as probed: round trip {seconds(measured['rtt_s'])}, "
        f"{rate(measured['up_bits_per_s'])} to the server, {rate(measured['down_bits_per_s'])} to the client"
    ]
