"""Settles ``--ot auto``: the construction of OTs that is faster on a link, from public data alone.

The times are those of the busier direction of the link, for all messages of the offline phase, and a price
for the computing that a construction adds to that of SoftSpoken. The price is the same on every machine, so
that both parties and every later run agree.
"""

from __future__ import annotations

from pi_bench.channel.link import Link
from pi_bench.hybrid.modes import OT
from pi_bench.hybrid.offline_schedule import offline_schedule
from pi_bench.hybrid.ot_construction import CONSTRUCTIONS
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import Program
from pi_bench.protocol.options import ProtocolOptions


def settle_ot(
    program: Program, options: ProtocolOptions, link: Link | None, *, uses_tables: bool = False
) -> ProtocolOptions:
    """Returns the options with ``auto`` replaced. `link` is None on one machine, whose bytes are cheap.

    `uses_tables` is that of `WorkPlan`.

    >>> from pi_bench.testing import small_network
    >>> options = ProtocolOptions("exact", values={"ot": "auto"})
    >>> settle_ot(small_network()[0], options, Link.parse("wan")).values["ot"]  # 4 ReLUs
    'softspoken'
    """
    if OT.of(options) != "auto":
        return options
    settings = [options.with_value(OT.name, name) for name in CONSTRUCTIONS]
    if link is None:
        return settings[0]
    return min(settings, key=lambda one: _seconds(program, one, link, uses_tables))


def _seconds(program: Program, options: ProtocolOptions, link: Link, uses_tables: bool) -> float:
    """Returns the part of the offline phase that depends on the construction, by public prices."""
    plan = WorkPlan(program, options, uses_tables=uses_tables)
    exchanges = offline_schedule(plan)
    up = link.up.transfer_s(sum(exchange.request_bytes for exchange in exchanges))
    down = link.down.transfer_s(sum(exchange.answer_bytes for exchange in exchanges))
    set_up_s = link.rtt_s if plan.construction.begins_with_set_up else 0.0
    return max(up, down) + set_up_s + plan.construction.added_s_per_ot * plan.ahead * plan.ot_count
