"""The order of the exchanges in the offline phase.

    products of layer 1          asked ahead, so that the server always has work
    products of layer 2
    OTs and tables of layer 1    they need v of layer 1, which the client has by now
    products of layer 3
    OTs and tables of layer 2    ...

Within an activation the order is forced: products give v, v chooses the labels, and the labels enter the
tables. Across layers it is free. So the tables of an activation come one layer of products later than its
value, while the server computes the next layer's products. The select bits need no v and come before. Both
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
from pi_bench.hybrid.table_queue import TableQueue
from pi_bench.hybrid.work_plan import GadgetJob, WorkPlan
from pi_bench.network.program import ActivationOp, LinearOp

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
            if exchange.needs:  # the same inference's own last one of those that one inference would need
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
        self._gadgets: deque[tuple[GadgetJob, int]] = deque()  # with the exchanges that they need
        self._crosses: deque[CrossCorrections] = deque()  # their choices are in the list
        self._tables = TableQueue(self.exchanges)
        values: dict[int, int] = {}  # by linear op: how many exchanges give the client its share
        for op in plan.program.ops:
            if isinstance(op, LinearOp):
                products = plan.products_of(op.id)
                # The messages of the set-up cross the wire while the server computes the first products.
                waits = plan.construction.begins_with_set_up and not self._begun
                if not waits:
                    self._before_products(op.id)
                for product in products:
                    self.exchanges.append(Product.of(product))
                    self._tables.advance()
                if waits:
                    self._begin()
                    self._before_products(op.id)
                values[op.id] = len(self.exchanges)
                if products:
                    self._finish()
            elif isinstance(op, ActivationOp):
                self._gadgets += [(job, values[op.source]) for job in plan.gadgets[op.id]]
        self._finish()
        self._begin()
        self._tables.finish()

    def _before_products(self, linear_id: int) -> None:
        """Adds the exchanges for a value's activations that do not need the value itself."""
        for job in self._plan.gadgets_of_source(linear_id):
            if job.table is not None:
                self._tables.announce(job)
            elif job.spec.uses_select:
                self.exchanges.append(Select.of(job))
        for cross in self._plan.crosses_of_source(linear_id):
            for groups in cross.offline_slices:
                self.exchanges.append(CrossChoices.of(cross, groups))
                self._crosses.append(CrossCorrections.of(cross, groups, len(self.exchanges)))
                if len(self._crosses) > _CROSSES_UNDER_WAY:
                    self._begin()
                    self.exchanges.append(self._crosses.popleft())

    def _begin(self) -> None:
        """Adds the client's seeds, once, before the first exchange that uses them."""
        if not self._begun:
            self.exchanges.append(Trees.after_seeds(self._plan.ots))
            self._begun = True
            if self._plan.construction.begins_with_set_up:
                self._labels_need = len(self.exchanges)

    def _finish(self) -> None:
        """Adds the corrections and tables that wait."""
        if self._crosses or self._gadgets:
            self._begin()
        self.exchanges += self._crosses
        self._crosses.clear()
        for job, needs_value in self._gadgets:
            needs = max(needs_value, self._labels_need)
            if job.table is not None:
                self._tables.release(job, needs)
            else:
                self.exchanges += [Garble.of(job, groups, needs) for groups in job.offline_slices]
        self._gadgets.clear()
        self._tables.advance()
