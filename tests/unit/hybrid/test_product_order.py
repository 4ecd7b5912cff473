"""The order of products, and the values that they make known."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from pi_bench.crypto.he import SLOW_LINK_BYTE_NS
from pi_bench.hybrid.awaited_values import AwaitedValues
from pi_bench.hybrid.exchanges import Garble
from pi_bench.hybrid.product_order import product_order
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.protocol import ProtocolOptions
from tests.contract.conftest import compiled
from tests.contract.term_program import term_program


@pytest.fixture(scope="module", params=["network", "terms"])
def plan(request) -> WorkPlan:
    program = compiled(1)[0] if request.param == "network" else term_program()[0]
    return WorkPlan(program, ProtocolOptions("exact"))


def test_every_product_is_there_once_and_those_of_a_value_together(plan) -> None:
    groups = product_order(plan)
    assert all(group == plan.products_of(group[0].op_id) for group in groups)
    assert sorted(job.number for group in groups for job in group) == [job.number for job in plan.products]


@pytest.mark.parametrize("byte_ns", [1, SLOW_LINK_BYTE_NS, 10_000, 100_000])
def test_no_other_order_ends_earlier(plan, monkeypatch, byte_ns) -> None:
    """Compares with all orders, for links of several rates. Tables follow their products one by one."""
    monkeypatch.setattr("pi_bench.hybrid.product_order.SLOW_LINK_BYTE_NS", byte_ns)
    chosen = [group[0].op_id for group in product_order(plan)]
    awaited = AwaitedValues(plan.program, plan.products)
    times = {}
    for op in plan.program.linear_ops:
        if jobs := plan.products_of(op.id):
            known = [op_id for job in jobs for op_id in awaited.complete(job)]
            gadgets = [job for op_id in known for job in plan.gadgets_of_source(op_id)]
            tables = sum(Garble.of(job, range(job.group_count), needs=0).answer_bytes for job in gadgets)
            times[op.id] = sum(job.plan.computing_ns for job in jobs), tables * byte_ns

    def end(order) -> int:
        computed = sent = 0
        for op_id in order:
            computed += times[op_id][0]
            sent = max(sent, computed) + times[op_id][1]
        return sent

    assert len(times) <= 7
    assert end(chosen) == min(map(end, permutations(times)))


def test_a_value_is_known_after_its_last_product_and_the_values_that_it_reads(plan) -> None:
    """In any order of the products."""
    draw = random.Random(5)
    linear = {op.id: op for op in plan.program.linear_ops}
    for _ in range(20):
        jobs = draw.sample(plan.products, len(plan.products))
        awaited = AwaitedValues(plan.program, plan.products)
        known = list(awaited.known_at_once)
        for done, job in enumerate(jobs, 1):
            known += awaited.complete(job)
            left = {part.op_id for other in jobs[done:] for part in other.parts}

            def complete(op_id: int, left: set[int] = left) -> bool:
                read = [term.source for term in linear[op_id].terms if term.weighted is None]
                return op_id not in left and all(complete(source) for source in read if source in linear)

            assert sorted(known) == [op_id for op_id in linear if complete(op_id)]
        places = {op_id: place for place, op_id in enumerate(known)}
        for op in linear.values():
            for term in op.terms:
                if term.weighted is None and term.source in linear:
                    assert places[term.source] < places[op.id]
