"""Settles the options that a user leaves to the link (``auto``), from public data alone.

A choice saves bytes and costs computing, or the other way round. The offline phase takes about as long as
the busiest of three: each direction of the link, and the products under encryption, which are computed
meanwhile. The extra computing of a construction of OTs or of a garbling is added. Computing has prices that
are the same on every machine, so that both parties and every later run agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from pi_bench.channel.link import Link
from pi_bench.crypto.gadget_spec import THREE_HALVES
from pi_bench.hybrid.modes import AUTO, BY_LINK
from pi_bench.hybrid.offline_schedule import offline_schedule
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import Program
from pi_bench.protocol.options import Option, OptionValue, ProtocolOptions

_THREE_HALVES_S = 20e-9
"""The computing of both parties and phases per AND beyond that of half-gates, 11.8 ns to garble and 6.8 ns to
evaluate with AES-NI on one thread (docs/performance.md, garbled material), rounded up."""


def settle_by_link(
    program: Program, options: ProtocolOptions, link: Link | None, *, uses_tables: bool = False
) -> ProtocolOptions:
    """Returns the options with each ``auto`` replaced by the choice that is faster on a link.

    `link` is None on one machine, whose bytes are cheap. `uses_tables` is that of `WorkPlan`.

    >>> from pi_bench.testing import small_network
    >>> options = ProtocolOptions("exact", values={"ot": "auto", "garbling": "auto"})
    >>> settle_by_link(small_network()[0], options, Link.parse("wan")).as_fields()["values"]  # 4 ReLUs
    {'ot': 'softspoken', 'garbling': 'half-gates'}
    """
    settings = list(_settings(options))
    if len(settings) == 1:
        return settings[0]
    return min(settings, key=lambda one: _seconds(program, one, link, uses_tables))


def _settings(options: ProtocolOptions) -> Iterator[ProtocolOptions]:
    """Yields every setting that the options allow, the defaults first."""
    left = {one.name: one for one in BY_LINK if options.values.get(one.name) == AUTO}
    for chosen in product(*(_choices(option) for option in left.values())):
        settled = options
        for name, value in zip(left, chosen, strict=True):
            settled = settled.with_value(name, value)
        yield settled


def _choices(option: Option[str]) -> list[OptionValue]:
    assert option.default is not None
    return [option.default, *(value for value in option.values if value not in (AUTO, option.default))]


def _seconds(program: Program, options: ProtocolOptions, link: Link | None, uses_tables: bool) -> float:
    """Returns about how long the offline phase takes, by public prices, without what no choice changes."""
    plan = WorkPlan(program, options, uses_tables=uses_tables)
    exchanges = offline_schedule(plan)
    busy_s = [sum(job.plan.computing_ns for job in plan.products) * 1e-9]
    added_s = plan.construction.added_s_per_ot * plan.ahead * plan.ot_count
    halves = [job for job in plan.gadget_jobs if job.table is None and job.spec.garbling == THREE_HALVES]
    added_s += _THREE_HALVES_S * plan.ahead * sum(job.padded_count * job.spec.gate_count for job in halves)
    if link is not None:
        busy_s.append(link.up.transfer_s(sum(exchange.request_bytes for exchange in exchanges)))
        busy_s.append(link.down.transfer_s(sum(exchange.answer_bytes for exchange in exchanges)))
        added_s += link.rtt_s if plan.construction.begins_with_set_up else 0.0
    return max(busy_s) + added_s
