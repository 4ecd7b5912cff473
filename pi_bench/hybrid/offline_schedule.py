"""The order of the offline phase: what the client asks for, what the server answers, and when.

    products of layer 1          asked ahead: the server is never without work
    products of layer 2
    OTs and tables of layer 1    they need v of layer 1, which the client has by now
    products of layer 3
    OTs and tables of layer 2    ...

For one activation the order is forced: products give v, v chooses the labels, the labels enter the
tables. It is forced within a layer, not across layers. So the tables of an activation come one layer of
products later than its value, while the server works on the next layer's products; the select bits,
which need no v, come before. Both parties derive this list from the public program, and each message
has its place in it: the client asks in the list's order and the server answers in the list's order.

Cross products of element-wise products need masks alone, which are drawn before the phase begins. Their
OTs go with the select bits; a slice's corrections follow some slices later, so that neither party waits
for the other and few labels wait for their corrections.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator, Sequence

from pi_bench.hybrid.exchanges import (
    CrossChoices,
    CrossCorrections,
    Exchange,
    Garble,
    Product,
    Seeds,
    Select,
    Trees,
)
from pi_bench.hybrid.work_plan import GadgetJob, WorkPlan
from pi_bench.network.program import ActivationOp, LinearOp

WINDOW_BYTES = 48 << 20
"""Requests, and answers, that may be under way at once: less than a channel's queue holds, so that no
party ever waits in `send` for one that does the same."""

_CROSSES_UNDER_WAY = 4
"""Slices whose labels wait for corrections."""


class Turn(enum.Enum):
    """What the client does with an exchange."""

    ASK = enum.auto()
    ACCEPT = enum.auto()


def offline_schedule(plan: WorkPlan) -> list[Exchange]:
    """Every exchange of an offline phase, once, in order."""
    return _Schedule(plan).exchanges


def client_turns(
    exchanges: Sequence[Exchange], window_bytes: int = WINDOW_BYTES
) -> Iterator[tuple[Turn, Exchange]]:
    """The client's order: asks as far ahead as needs and window allow, then accepts one answer."""
    asked = requests = answers = 0
    for accepted, exchange in enumerate(exchanges):
        while asked < len(exchanges) and exchanges[asked].needs <= accepted:
            ahead = exchanges[asked]
            beyond = max(requests + ahead.request_bytes, answers + ahead.answer_bytes) > window_bytes
            if beyond and asked > accepted:
                break
            yield Turn.ASK, ahead
            asked += 1
            requests, answers = requests + ahead.request_bytes, answers + ahead.answer_bytes
        yield Turn.ACCEPT, exchange
        requests, answers = requests - exchange.request_bytes, answers - exchange.answer_bytes


class _Schedule:
    def __init__(self, plan: WorkPlan) -> None:
        self.exchanges: list[Exchange] = [Seeds.first()]
        self._plan = plan
        self._begun = False
        self._gadgets: deque[tuple[GadgetJob, int]] = deque()  # their values are asked for; what they need
        self._crosses: deque[CrossCorrections] = deque()  # their choices stand in the list
        values: dict[int, int] = {}  # by linear op: exchanges after which the client knows its share
        for op in plan.program.ops:
            if isinstance(op, LinearOp):
                self._before_products(op.id)
                products = plan.products_of(op.id)
                self.exchanges += [Product.of(job) for job in products]
                values[op.id] = len(self.exchanges)
                if products:
                    self._finish()
            elif isinstance(op, ActivationOp):
                self._gadgets += [(job, values[op.source]) for job in plan.gadgets[op.id]]
        self._finish()
        self._begin()

    def _before_products(self, linear_id: int) -> None:
        """What the activations of a value need of the server, none of it the value itself."""
        self.exchanges += [
            Select.of(job) for job in self._plan.gadgets_of_source(linear_id) if job.spec.uses_select
        ]
        for cross in self._plan.crosses_of_source(linear_id):
            for groups in cross.offline_slices:
                self.exchanges.append(CrossChoices.of(cross, groups))
                self._crosses.append(CrossCorrections.of(cross, groups, len(self.exchanges)))
                if len(self._crosses) > _CROSSES_UNDER_WAY:
                    self._begin()
                    self.exchanges.append(self._crosses.popleft())

    def _begin(self) -> None:
        """The client's seeds, once: before anything that they enter."""
        if not self._begun:
            self.exchanges.append(Trees.after_seeds())
            self._begun = True

    def _finish(self) -> None:
        """Corrections and tables that are due."""
        if self._crosses or self._gadgets:
            self._begin()
        self.exchanges += self._crosses
        self._crosses.clear()
        for job, needs in self._gadgets:
            self.exchanges += [Garble.of(job, groups, needs) for groups in job.offline_slices]
        self._gadgets.clear()
