"""The order of the offline phase, from the public program alone."""

from __future__ import annotations

import dataclasses
from itertools import chain, pairwise

import pytest

from pi_bench.crypto.ot_extension import FRESH_BYTES, TREE_MESSAGE_BYTES
from pi_bench.crypto.symmetric import SEED_BYTES
from pi_bench.hybrid import multiplications, table_queue, work_plan
from pi_bench.hybrid import offline_schedule as offline_schedule_module
from pi_bench.hybrid.exchange import Exchange
from pi_bench.hybrid.exchanges import (
    CrossChoices,
    CrossCorrections,
    Garble,
    Product,
    Seeds,
    Select,
    TableChoices,
    TableStep,
    Trees,
    table_of,
)
from pi_bench.hybrid.offline_schedule import Turn, client_turns, offline_schedule
from pi_bench.hybrid.product_order import product_order
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import LinearOp
from pi_bench.protocol import Party, ProtocolOptions
from pi_bench.protocol.script import NO_OP, Message
from tests.contract.conftest import compiled
from tests.contract.term_program import term_program


@pytest.fixture(scope="module", params=["windowed", "exact", "products", "tables", "exact tables"])
def plan(request) -> WorkPlan:
    if request.param == "products":
        return WorkPlan(term_program()[0], ProtocolOptions("windowed"))
    program, _, _ = compiled(1)
    mode = request.param.replace("exact tables", "exact").replace("tables", "windowed")
    return WorkPlan(program, ProtocolOptions(mode), uses_tables="tables" in request.param)


def test_everything_is_exchanged_once(plan) -> None:
    exchanges = offline_schedule(plan)
    assert sum(isinstance(exchange, Seeds) for exchange in exchanges) == 1
    assert sum(isinstance(exchange, Trees) for exchange in exchanges) == 1
    assert [e.job for e in exchanges if isinstance(e, Product)] == list(chain(*product_order(plan)))
    selects = [e.job.number for e in exchanges if isinstance(e, Select)]
    garbled = [job for job in plan.gadget_jobs if job.table is None]
    assert sorted(selects) == [job.number for job in garbled if job.spec.uses_select]
    for job in plan.table_jobs:
        chosen = [e.groups for e in exchanges if isinstance(e, TableChoices) and e.job is job]
        assert chosen == job.offline_slices
    for job in garbled:
        slices = [e for e in exchanges if isinstance(e, Garble) and e.job is job]
        assert [slice_.groups for slice_ in slices] == job.offline_slices
        assert [slice_.last for slice_ in slices] == [False] * (len(slices) - 1) + [True]


def test_what_an_exchange_needs_stands_before_it(plan) -> None:
    """A table needs the products of its value and of the values that this one reads, seeds and its select."""
    exchanges = offline_schedule(plan)
    for position, exchange in enumerate(exchanges):
        assert 0 <= exchange.needs <= position
        complete = exchanges[: exchange.needs]
        if isinstance(exchange, Garble):
            value_ids = values_read_by(plan, plan.source_of(exchange.job))
            needed = {job.number for job in plan.products if any(p.op_id in value_ids for p in job.parts)}
            assert needed <= {e.job.number for e in complete if isinstance(e, Product)}
            assert any(isinstance(e, Seeds) for e in complete)
            assert any(isinstance(e, Trees) for e in exchanges[:position])
            if exchange.job.spec.uses_select:
                assert any(isinstance(e, Select) and e.job is exchange.job for e in complete)


def values_read_by(plan: WorkPlan, op_id: int) -> set[int]:
    """Returns the ids of a linear value and of the linear values that it reads without weights."""
    terms = {op.id: op.terms for op in plan.program.linear_ops}
    read = {term.source for term in terms[op_id] if term.weighted is None and term.source in terms}
    return {op_id}.union(*(values_read_by(plan, source) for source in read))


def table_plan(monkeypatch: pytest.MonkeyPatch, mode: str = "windowed") -> WorkPlan:
    """Tables of the small network, with a slice for every lane group."""
    monkeypatch.setattr(work_plan, "OFFLINE_SLICE_OTS", 1)
    return WorkPlan(compiled(1)[0], ProtocolOptions(mode), uses_tables=True)


@pytest.mark.parametrize("mode", ["windowed", "exact"])
def test_the_steps_of_a_slice_have_each_bundle_once_and_need_the_step_before(monkeypatch, mode) -> None:
    """A party sends bundle i + 1 after it has received bundle i, and bundle 1 after v and the choices."""
    plan = table_plan(monkeypatch, mode)
    exchanges = offline_schedule(plan)
    assert plan.table_jobs
    for job in plan.table_jobs:
        for groups in job.offline_slices:
            of_slice = [e for e in exchanges if isinstance(e, TableChoices | TableStep)]
            choices, *steps = (e for e in of_slice if e.job is job and e.groups == groups)
            assert isinstance(choices, TableChoices)
            needed = choices
            has_client, has_server = 0, 0  # levels whose bundle of the party is sent
            for step in steps:
                assert isinstance(step, TableStep)
                assert step.needs > exchanges.index(needed)
                assert step.last == (step is steps[-1])
                for level in step.client_bundles:
                    assert level == has_client + 1 <= has_server + 1
                    has_client = level
                for level in step.server_bundles:
                    assert level == has_server + 1 <= has_client + 1
                    has_server = level
                needed = step
            assert has_client == has_server == table_of(job).bundle_count
            product_places = [
                exchanges.index(e)
                for e in exchanges
                if isinstance(e, Product) and e.job.op_id == plan.source_of(job)
            ]
            assert steps[0].needs > max(product_places)


def test_few_slices_are_under_way_and_their_steps_stand_apart(monkeypatch) -> None:
    """Memory is bounded, and other steps come between two steps of a slice, except at the very end."""
    for name, value in (("_UNDER_WAY", 3), ("_AHEAD", 1), ("_DISTANCE", 2)):
        monkeypatch.setattr(table_queue, name, value)
    exchanges = offline_schedule(table_plan(monkeypatch))
    under_way: dict[tuple[int, int], int] = {}  # by slice: the place of its last exchange
    most, close = 0, []
    for place, exchange in enumerate(exchanges):
        if not isinstance(exchange, TableChoices | TableStep):
            continue
        key = exchange.job.number, exchange.groups.start
        if isinstance(exchange, TableStep):
            last = under_way.pop(key)
            between = exchanges[last + 1 : place]
            if len(between) < table_queue._DISTANCE - 1 and not any(isinstance(e, Product) for e in between):
                close.append(place)
        if isinstance(exchange, TableChoices) or not exchange.last:
            under_way[key] = place
        most = max(most, len(under_way))
    assert not under_way
    assert most <= 3 + 1  # the choices of the next layer's first slice are there already
    assert min(close, default=len(exchanges)) >= len(exchanges) - 4


@pytest.mark.parametrize("ots_a_slice", [1, 1 << 17])
def test_corrections_follow_their_choices_at_a_bounded_distance(monkeypatch, ots_a_slice) -> None:
    """Both in the same order; few slices' labels wait at once."""
    monkeypatch.setattr(multiplications, "OFFLINE_SLICE_OTS", ots_a_slice)
    monkeypatch.setattr(offline_schedule_module, "_CROSSES_UNDER_WAY", 1)
    plan = WorkPlan(term_program()[0], ProtocolOptions("windowed"))
    exchanges = offline_schedule(plan)
    due = [(job.number, groups) for job in plan.multiplications.crosses() for groups in job.offline_slices]
    assert len(due) == (6 if ots_a_slice == 1 else 3)
    order: list[list[int]] = []
    for kind in (CrossChoices, CrossCorrections):
        places = [due.index((e.job.number, e.groups)) for e in exchanges if isinstance(e, kind)]
        assert sorted(places) == list(range(len(due)))
        order.append(places)
    assert order[0] == order[1]
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
    """The products of the next two values come between the last product of a value and its tables."""
    exchanges = offline_schedule(plan)
    first = next(e for e in exchanges if isinstance(e, Garble | TableStep))
    after = exchanges[first.needs : exchanges.index(first)]
    between = {e.job.op_id for e in after if isinstance(e, Product)} - {plan.source_of(first.job)}
    left = {e.job.op_id for e in exchanges[first.needs :] if isinstance(e, Product)}
    assert len(between) == min(2, len(left)) > 0


def test_requests_are_the_clients_messages_and_answers_the_servers(plan) -> None:
    exchanges = offline_schedule(plan)
    for exchange in exchanges:
        assert exchange.request or exchange.answer
        assert {message.sender for message in exchange.request} <= {Party.CLIENT}
        assert {message.sender for message in exchange.answer} <= {Party.SERVER}
        assert exchange.request_bytes == sum(message.byte_count for message in exchange.request)
    assert [message.byte_count for message in exchanges[0].answer] == [SEED_BYTES, FRESH_BYTES]
    parts = {(e.request[0].part, e.answer[0].part) for e in exchanges if isinstance(e, Garble)}
    assert parts <= {("ot", "garbling")}


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


@pytest.mark.parametrize("kind", ["windowed", "products", "tables"])
def test_each_of_several_inferences_has_the_exchanges_of_one(kind) -> None:
    """In the same order and with the same needs, and the products once for all."""
    program = term_program()[0] if kind == "products" else compiled(1)[0]

    def exchanges(ahead: int) -> list[Exchange]:
        options = ProtocolOptions("windowed", ahead=ahead)
        return offline_schedule(WorkPlan(program, options, uses_tables=kind == "tables"))

    alone, together = exchanges(1), exchanges(3)
    for inference in range(3):
        own = [
            (place, exchange)
            for place, exchange in enumerate(together)
            if isinstance(exchange, Product) or exchange.inference == inference
        ]
        assert [type(exchange) for _, exchange in own] == [type(exchange) for exchange in alone]
        for number, (place, exchange) in enumerate(own):
            needed = alone[number].needs
            assert exchange.needs == (own[needed - 1][0] + 1 if needed else 0) <= place
            if not isinstance(exchange, Product):
                assert exchange.request_bytes == alone[number].request_bytes
                assert exchange.answer_bytes == alone[number].answer_bytes
    assert sum(isinstance(e, Product) for e in together) == sum(isinstance(e, Product) for e in alone)
    accepted = [e for turn, e in client_turns(together) if turn is Turn.ACCEPT]
    assert accepted == together
