"""Settles ``--ot auto``: the construction of OTs that is faster on a link, from public data alone.

The times are those of the busier direction of the link, for all messages of the offline phase, and a price
for the computing that Ferret adds. The price is the same on every machine, so that both parties and every
later run agree.
"""

from __future__ import annotations

from pi_bench.channel.link import Link
from pi_bench.hybrid.modes import OT
from pi_bench.hybrid.offline_schedule import offline_schedule
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import Program
from pi_bench.protocol.options import ProtocolOptions

_ADDED_S_PER_OT = 10e-9
"""The computing that Ferret adds per OT, in the label direction and in the reverse one."""


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
    silent = options.with_value(OT.name, "ferret")
    known = options.with_value(OT.name, "softspoken")
    if link is None:
        return known
    saved_s = _wire_s(program, known, link, uses_tables) - _wire_s(program, silent, link, uses_tables)
    plan = WorkPlan(program, silent, uses_tables=uses_tables)
    return silent if saved_s > link.rtt_s + _ADDED_S_PER_OT * plan.ot_count else known


def _wire_s(program: Program, options: ProtocolOptions, link: Link, uses_tables: bool) -> float:
    exchanges = offline_schedule(WorkPlan(program, options, uses_tables=uses_tables))
    up = link.up.transfer_s(sum(exchange.request_bytes for exchange in exchanges))
    return max(up, link.down.transfer_s(sum(exchange.answer_bytes for exchange in exchanges)))
