"""The order in which the offline phase computes its products, from the public program alone.

A product needs only masks, which are drawn before the phase, so any order gives the same shares. The order
decides how long the link has nothing to carry. The server computes the products of a value, and then the
link carries the garbled tables that need the value. That is a flow shop of two machines, for which
Johnson's rule is optimal (S. M. Johnson, "Optimal two- and three-stage production schedules with setup
times included", Naval Research Logistics Quarterly 1, 1954): values whose tables take longer than their
products come first, beginning with the quickest products. The others follow, beginning with the longest
tables.

Both times are public prices (`pi_bench.crypto.he.layout`), the second one those of a slow link, so that
both parties find the same order on every machine. The tables of a value that reads several products count
for the last of these in the program, which need not be the last one in the order: then the order may not be
the best. On faster links the order makes no difference. Shared tables have several exchanges, which
`pi_bench.hybrid.table_queue` puts between all others. They do not count here.
"""

from __future__ import annotations

from pi_bench.crypto.he import SLOW_LINK_BYTE_NS
from pi_bench.hybrid.awaited_values import AwaitedValues
from pi_bench.hybrid.exchanges import Garble
from pi_bench.hybrid.products import ProductJob
from pi_bench.hybrid.work_plan import WorkPlan


def product_order(plan: WorkPlan) -> list[list[ProductJob]]:
    """Returns the products in their order, in groups that belong to the same value.

    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> plan = WorkPlan(small_network()[0], ProtocolOptions("exact"))
    >>> [[job.op_id for job in group] for group in product_order(plan)]
    [[1], [3]]
    """
    awaited = AwaitedValues(plan.program, plan.products)
    quick: list[tuple[int, list[ProductJob]]] = []
    others: list[tuple[int, list[ProductJob]]] = []
    for op in plan.program.linear_ops:
        if products := plan.products_of(op.id):
            computing_ns = sum(job.plan.computing_ns for job in products)
            known = [op_id for job in products for op_id in awaited.complete(job)]
            sending_ns = SLOW_LINK_BYTE_NS * sum(_table_bytes(plan, op_id) for op_id in known)
            if computing_ns < sending_ns:
                quick.append((computing_ns, products))
            else:
                others.append((-sending_ns, products))
    return [products for group in (quick, others) for _, products in sorted(group, key=lambda one: one[0])]


def _table_bytes(plan: WorkPlan, op_id: int) -> int:
    """Returns the bytes of the garbled tables that need a value."""
    return sum(
        Garble.of(job, groups, needs=0).answer_bytes
        for job in plan.gadgets_of_source(op_id)
        if job.table is None
        for groups in job.offline_slices
    )
