"""The order of the offline phase, from the public program alone."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest

from pi_bench.crypto.ot_extension import FRESH_BYTES, TREE_MESSAGE_BYTES
from pi_bench.hybrid import multiplications
from pi_bench.hybrid import offline_schedule as offline_schedule_module
from pi_bench.hybrid.exchange import Exchange
from pi_bench.hybrid.exchanges import (
    CrossChoices,
    CrossCorrections,
    Garble,
    Product,
    Seeds,
    Select,
    Trees,
)
from pi_bench.hybrid.offline_schedule import Turn, client_turns, offline_schedule
from pi_bench.hybrid.work_plan import SEED_BYTES, WorkPlan
from pi_bench.network.program import LinearOp
from pi_bench.protocol import Party, ProtocolOptions
from pi_bench.protocol.script import NO_OP, Message
from tests.contract.conftest import compiled
from tests.contract.term_program import term_program


@pytest.fixture(scope="module", params=["windowed", "exact", "products"])
def plan(request) -> WorkPlan:
    if request.param == "products":
        return WorkPlan(term_program()[0], ProtocolOptions("windowed"))
    program, _, _ = compiled(1)
    return WorkPlan(program, ProtocolOptions(request.param))


def test_everything_is_exchanged_once(plan) -> None:
    exchanges = offline_schedule(plan)
    assert sum(isinstance(exchange, Seeds) for exchange in exchanges) == 1
    assert sum(isinstance(exchange, Trees) for exchange in exchanges) == 1
    assert [e.job.number for e in exchanges if isinstance(e, Product)] == [j.number for j in plan.products]
    selects = [e.job.number for e in exchanges if isinstance(e, Select)]
    assert sorted(selects) == [job.number for job in plan.gadget_jobs if job.spec.uses_select]
    for job in plan.gadget_jobs:
        slices = [e for e in exchanges if isinstance(e, Garble) and e.job is job]
        assert [slice_.groups for slice_ in slices] == job.offline_slices
        assert [slice_.last for slice_ in slices] == [False] * (len(slices) - 1) + [True]


def test_what_an_exchange_needs_stands_before_it(plan) -> None:
    """A table needs the products of its value and of every value before it, its seeds and its select."""
    exchanges = offline_schedule(plan)
    linear_order = [op.id for op in plan.program.ops if isinstance(op, LinearOp)]
    for position, exchange in enumerate(exchanges):
        assert 0 <= exchange.needs <= position
        complete = exchanges[: exchange.needs]
        if isinstance(exchange, Garble):
            source = plan.source_of(exchange.job)
            value_ids = linear_order[: linear_order.index(source) + 1]
            needed = {job.number for job in plan.products if job.op_id in value_ids}
            assert needed <= {e.job.number for e in complete if isinstance(e, Product)}
            assert any(isinstance(e, Seeds) for e in complete)
            assert any(isinstance(e, Trees) for e in exchanges[:position])
            if exchange.job.spec.uses_select:
                assert any(isinstance(e, Select) and e.job is exchange.job for e in complete)


@pytest.mark.parametrize("ots_a_slice", [1, 1 << 17])
def test_corrections_follow_their_choices_at_a_bounded_distance(monkeypatch, ots_a_slice) -> None:
    """Both in the order of cross products and slices; few slices' labels wait at once."""
    monkeypatch.setattr(multiplications, "OFFLINE_SLICE_OTS", ots_a_slice)
    monkeypatch.setattr(offline_schedule_module, "_CROSSES_UNDER_WAY", 1)
    plan = WorkPlan(term_program()[0], ProtocolOptions("windowed"))
    exchanges = offline_schedule(plan)
    due = [(job.number, groups) for job in plan.multiplications.crosses() for groups in job.offline_slices]
    assert len(due) == (6 if ots_a_slice == 1 else 3)
    for kind in (CrossChoices, CrossCorrections):
        assert [(e.job.number, e.groups) for e in exchanges if isinstance(e, kind)] == due
    places = {
        (e.job.number, e.groups.start): i for i, e in enumerate(exchanges) if isinstance(e, CrossChoices)
    }
    waiting = most = 0
    for position, exchange in enumerate(exchanges):
        waiting += isinstance(exchange, CrossChoices) - isinstance(exchange, CrossCorrections)
        most = max(most, waiting)
        if isinstance(exchange, CrossCorrections):
            choices = places[exchange.job.number, exchange.groups.start]
            assert exchange.needs == choices + 1 <= position
            assert any(isinstance(e, Trees) for e in exchanges[:position])
    assert (waiting, most) == (0, 2)


def test_tables_come_while_the_next_products_are_in_flight(plan) -> None:
    """Between the last product of a value and its tables stand the products of the next one."""
    exchanges = offline_schedule(plan)
    first = next(e for e in exchanges if isinstance(e, Garble))
    after = exchanges[first.needs : exchanges.index(first)]
    assert any(isinstance(e, Product) and e.job.op_id != plan.source_of(first.job) for e in after)


def test_requests_are_the_clients_messages_and_answers_the_servers(plan) -> None:
    exchanges = offline_schedule(plan)
    for exchange in exchanges:
        assert exchange.request or exchange.answer
        assert {message.sender for message in exchange.request} <= {Party.CLIENT}
        assert {message.sender for message in exchange.answer} <= {Party.SERVER}
        assert exchange.request_bytes == sum(message.byte_count for message in exchange.request)
    assert [message.byte_count for message in exchanges[0].answer] == [SEED_BYTES, FRESH_BYTES]
    parts = {(e.request[0].part, e.answer[0].part) for e in exchanges if isinstance(e, Garble)}
    assert parts == {("ot", "garbling")}


@pytest.mark.parametrize("in_flight_bytes", [1, 200_000, 1 << 40])
def test_the_client_asks_in_order_within_needs_and_bytes_in_flight(plan, in_flight_bytes) -> None:
    exchanges = offline_schedule(plan)
    asked: list[Exchange] = []
    accepted: list[Exchange] = []
    most = 0
    for turn, exchange in client_turns(exchanges, in_flight_bytes):
        if turn is Turn.ACCEPT:
            assert exchange in asked
            accepted.append(exchange)
            continue
        assert exchange.needs <= len(accepted)
        asked.append(exchange)
        in_flight = asked[len(accepted) :]
        requests, answers = (sum(getattr(e, n) for e in in_flight) for n in ("request_bytes", "answer_bytes"))
        assert len(in_flight) == 1 or max(requests, answers) <= in_flight_bytes
        most = max(most, len(in_flight))
    assert asked == accepted == exchanges
    assert (most > 2) == (in_flight_bytes > 1)


def test_needs_alone_hold_the_client_up_where_bytes_do_not() -> None:
    request, answer = (Message(party, NO_OP, "", 5) for party in Party)
    exchanges = [Exchange((request,), (answer,), needs) for needs in (0, 0, 2, 1, 4)]
    turns = [(turn.name, exchanges.index(e)) for turn, e in client_turns(exchanges, 100)]
    assert turns == [
        ("ASK", 0), ("ASK", 1), ("ACCEPT", 0), ("ACCEPT", 1), ("ASK", 2), ("ASK", 3),
        ("ACCEPT", 2), ("ACCEPT", 3), ("ASK", 4), ("ACCEPT", 4),
    ]  # fmt: skip


def test_a_program_without_activations_still_exchanges_its_seeds() -> None:
    program, _, _ = compiled(1)
    plan = WorkPlan(program, ProtocolOptions("windowed"))
    plan.gadgets.clear()
    kinds = [type(e) for e in _without_activations(plan)]
    assert kinds[0] is Seeds
    assert kinds[-1] is Trees
    assert _without_activations(plan)[-1].request_bytes == TREE_MESSAGE_BYTES + SEED_BYTES
    assert all(a is Product for a, _ in pairwise(kinds[1:]))


def _without_activations(plan: WorkPlan) -> list[Exchange]:
    ops = tuple(op for op in plan.program.ops if isinstance(op, LinearOp))
    plan.program = dataclasses.replace(plan.program, ops=ops)
    return offline_schedule(plan)
