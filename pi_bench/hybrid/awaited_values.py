"""Which linear values the client knows once a product of the offline phase is complete.

Products run in an order of their own (`pi_bench.hybrid.product_order`). A value is known as soon as all its
products are complete and the values that it reads without weights are known. The schedule and the client
count alike, so they agree on when that is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from pi_bench.hybrid.products import ProductJob
from pi_bench.network.program import Program, derived_values


class AwaitedValues:
    """Tells which linear values become known as products are complete.

    Attributes:
        known_at_once: the ids of the linear values that need no product, in the program's order.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> plan = WorkPlan(small_network()[0], ProtocolOptions("exact"))
    >>> awaited = AwaitedValues(plan.program, plan.products)
    >>> [awaited.complete(job) for job in reversed(plan.products)]
    [[3], [1]]
    """

    def __init__(self, program: Program, jobs: Iterable[ProductJob]) -> None:
        derived = derived_values(program)
        self.known_at_once = [op.id for op in program.linear_ops if op.id in derived]
        awaited = {op.id for op in program.linear_ops} - derived
        self._missing = Counter(part.op_id for job in jobs for part in job.parts)
        self._readers: defaultdict[int, list[int]] = defaultdict(list)
        for op in program.linear_ops:
            for term in op.terms:
                if term.weighted is None and term.source in awaited:
                    self._missing[op.id] += 1
                    self._readers[term.source].append(op.id)

    def complete(self, job: ProductJob) -> list[int]:
        """Returns the ids of the values that are known from now on, each one after those that it reads."""
        known: list[int] = []
        arrived = [part.op_id for part in job.parts]
        while arrived:
            op_id = arrived.pop()
            self._missing[op_id] -= 1
            if not self._missing[op_id]:
                known.append(op_id)
                arrived += self._readers[op_id]
        return known
