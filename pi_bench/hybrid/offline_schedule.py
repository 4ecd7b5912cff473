"""The order of the exchanges in the offline phase.

    products of layer 1          asked ahead, so that the server always has work
    products of layer 2
    products of layer 3
    OTs and tables of layer 1    they need v of layer 1, which the client has by now
    products of layer 4
    OTs and tables of layer 2    ...

Within an activation the order is forced: products give v, v chooses the labels, and the labels enter the
tables. Across layers it is free, and `product_order` chooses the order of the layers. The tables of an
activation come two layers of products later than its value. Meanwhile the products reach the client, behind
the tables that are on the link, and its choices come back. The select bits need no v and come before. Both
parties derive this list from the public program. The client asks in the order of the list, and the server
answers in the same order.

Cross products of element-wise products need only masks, which are drawn before the phase begins. Their OTs go
with the select bits. The corrections of a slice follow some slices later. So neither party waits for the
other, and few labels wait for their corrections.

A gadget with a table takes several exchanges per slice, each of which needs the one before. `table_queue`
puts them between all others.

Where an offline phase prepares several inferences, the products are for all of them at once. Every other
exchange is there once for each inference, one after another at the same place in the order.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pi_bench.hybrid.awaited_values import AwaitedValues
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
from pi_bench.hybrid.product_order import product_order
from pi_bench.hybrid.table_queue import TableQueue
from pi_bench.hybrid.work_plan import GadgetJob, WorkPlan

IN_FLIGHT_BYTES = 48 << 20
"""Bytes of requests, and of answers, that may be in flight at once.

A channel's queue holds more. So the parties never wait in `send` for each other.
"""

_CROSSES_UNDER_WAY = 4
"""The number of slices whose labels may wait for corrections."""


class Turn(enum.Enum):
    """Lists the client's actions on an exchange.

    >>> [turn.name for turn in Turn]
    ['ASK', 'ACCEPT']
    """

    ASK = enum.auto()
    ACCEPT = enum.auto()


def offline_schedule(plan: WorkPlan) -> list[Exchange]:
    """Returns the exchanges of an offline phase in their order.

    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> exchanges = offline_schedule(WorkPlan(small_network()[0], ProtocolOptions("exact")))
    >>> [type(exchange).__name__ for exchange in exchanges]
    ['Seeds', 'Select', 'Product', 'Product', 'Trees', 'Garble']
    """
    return for_inferences(_Schedule(plan).exchanges, plan.ahead)


def for_inferences(exchanges: Sequence[Exchange], count: int) -> list[Exchange]:
    """Repeats the exchanges of one inference, other than products, for each of `count` inferences.

    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> exchanges = offline_schedule(WorkPlan(small_network()[0], ProtocolOptions("exact", ahead=2)))
    >>> [(type(exchange).__name__, exchange.inference) for exchange in exchanges][2:6]
    [('Select', 0), ('Select', 1), ('Product', 0), ('Product', 0)]
    """
    found: list[Exchange] = []
    starts: list[int] = []  # where the repetitions of an exchange begin
    for exchange in exchanges:
        starts.append(len(found))
        for inference in range(1 if isinstance(exchange, Product) else count):
            needs = 0
            if exchange.needs:  # for the last exchange that it needs, take that of the same inference
                last = exchange.needs - 1
                needs = starts[last] + (0 if isinstance(exchanges[last], Product) else inference) + 1
            found.append(replace(exchange, needs=needs, inference=inference))
    return found


def client_turns(
    exchanges: Sequence[Exchange], in_flight_bytes: int = IN_FLIGHT_BYTES
) -> Iterator[tuple[Turn, Exchange]]:
    """Yields the client's turns. It asks as far ahead as needs and `in_flight_bytes` allow, then accepts one.

    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> exchanges = offline_schedule(WorkPlan(small_network()[0], ProtocolOptions("exact")))
    >>> for turn, exchange in list(client_turns(exchanges))[3:6]:
    ...     print(turn.name, type(exchange).__name__)
    ASK Product
    ACCEPT Seeds
    ASK Trees
    """
    asked = requests = answers = 0
    for accepted, exchange in enumerate(exchanges):
        while asked < len(exchanges) and exchanges[asked].needs <= accepted:
            ahead = exchanges[asked]
            beyond = max(requests + ahead.request_bytes, answers + ahead.answer_bytes) > in_flight_bytes
            if beyond and asked > accepted:
                break
            yield Turn.ASK, ahead
            asked += 1
            requests, answers = requests + ahead.request_bytes, answers + ahead.answer_bytes
        yield Turn.ACCEPT, exchange
        requests, answers = requests - exchange.request_bytes, answers - exchange.answer_bytes


class _Schedule:
    def __init__(self, plan: WorkPlan) -> None:
        self.exchanges: list[Exchange] = [Seeds.first(plan.ots)]
        self._plan = plan
        self._begun = False
        self._labels_need = 0  # the exchanges that the label OTs need
        # By layer: the gadgets that wait, and how many exchanges they need.
        self._gadgets: deque[tuple[list[GadgetJob], int]] = deque()
        self._crosses: deque[CrossCorrections] = deque()  # their choices are in the list
        self._tables = TableQueue(self.exchanges)
        awaited = AwaitedValues(plan.program, plan.products)
        known = awaited.known_at_once
        for products in product_order(plan):
            known = known + [op_id for product in products for op_id in awaited.complete(product)]
            # The messages of the set-up cross the wire while the server computes the first products.
            waits = plan.construction.begins_with_set_up and not self._begun
            if not waits:
                self._announce(known)
            for product in products:
                self.exchanges.append(Product.of(product))
                self._tables.advance()
            if waits:
                self._begin()
                self._announce(known)
            self._finish(but=1)
            self._release(known)
            known = []
        self._begin()
        self._announce(known)
        self._release(known)
        self._finish(but=0)
        self._tables.finish()

    def _announce(self, op_ids: Sequence[int]) -> None:
        """Adds the exchanges for the activations of values that do not need the values themselves."""
        for op_id in op_ids:
            for job in self._plan.gadgets_of_source(op_id):
                if job.table is not None:
                    self._tables.announce(job)
                elif job.spec.uses_select:
                    self.exchanges.append(Select.of(job))
            for cross in self._plan.crosses_of_source(op_id):
                for groups in cross.offline_slices:
                    self.exchanges.append(CrossChoices.of(cross, groups))
                    self._crosses.append(CrossCorrections.of(cross, groups, len(self.exchanges)))
                    if len(self._crosses) > _CROSSES_UNDER_WAY:
                        self._begin()
                        self.exchanges.append(self._crosses.popleft())

    def _release(self, op_ids: Sequence[int]) -> None:
        """Lets the gadgets of values wait for their turn. All exchanges up to here give the values."""
        jobs = [job for op_id in op_ids for job in self._plan.gadgets_of_source(op_id)]
        self._gadgets.append((jobs, len(self.exchanges)))

    def _begin(self) -> None:
        """Adds the client's seeds, once, before the first exchange that uses them."""
        if not self._begun:
            self.exchanges.append(Trees.after_seeds(self._plan.ots))
            self._begun = True
            if self._plan.construction.begins_with_set_up:
                self._labels_need = len(self.exchanges)

    def _finish(self, but: int) -> None:
        """Adds the corrections that wait, and the tables that wait except those of the last `but` layers."""
        due = [self._gadgets.popleft() for _ in range(len(self._gadgets) - but)]
        if self._crosses or any(jobs for jobs, _ in due):
            self._begin()
        self.exchanges += self._crosses
        self._crosses.clear()
        for jobs, needs_value in due:
            needs = max(needs_value, self._labels_need)
            for job in jobs:
                if job.table is not None:
                    self._tables.release(job, needs)
                else:
                    self.exchanges += [Garble.of(job, groups, needs) for groups in job.offline_slices]
        self._tables.advance()
