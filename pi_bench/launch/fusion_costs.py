"""The costs by which fusion plans for a link."""

from __future__ import annotations

from pi_bench.channel.link import Link
from pi_bench.network.fusion import ONE_MACHINE, CostTable


def costs_on(link: Link | None) -> CostTable:
    """Returns the costs on a link, from its public figures alone; None for one machine.

    >>> costs_on(Link.parse("lan")).round_s > costs_on(None).round_s
    True
    """
    if link is None:
        return ONE_MACHINE
    return CostTable.of_link(link.name, link.rtt_s, link.up_bits_per_s, link.down_bits_per_s)
