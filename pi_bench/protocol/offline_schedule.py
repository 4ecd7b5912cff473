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
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pi_bench.crypto.ot_extension import FRESH_BYTES, TREE_MESSAGE_BYTES
from pi_bench.network.program import ActivationOp, LinearOp
from pi_bench.protocol.products import ProductJob
from pi_bench.protocol.work_plan import OT_BYTES, SEED_BYTES, WORD_BYTES, GadgetJob, WorkPlan

WINDOW_BYTES = 48 << 20
"""Requests, and answers, that may be under way at once: less than a channel's queue holds, so that no
party ever waits in `send` for one that does the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """A request of the client, if any, and the server's answer, if any.

    `needs`: how many exchanges of the list must be complete before this one can be asked for.
    """

    request_bytes: int
    answer_bytes: int
    needs: int


@dataclass(frozen=True, slots=True, eq=False)
class Seeds(Exchange):
    """The garbler's hash seed and the reverse OTs that begin the fresh label OTs: no request."""


@dataclass(frozen=True, slots=True, eq=False)
class Trees(Exchange):
    """The reverse hash seed and the label OTs' tree corrections: no answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Select(Exchange):
    """Reverse OTs with the server's random bits pi: no request."""

    job: GadgetJob


@dataclass(frozen=True, slots=True, eq=False)
class Product(Exchange):
    """An encrypted mask and the encrypted product."""

    job: ProductJob


@dataclass(frozen=True, slots=True, eq=False)
class Garble(Exchange):
    """Label OTs (and select corrections) of a slice of a gadget, and its tables."""

    job: GadgetJob
    groups: range

    @property
    def last(self) -> bool:
        """Whether this is the gadget's last slice."""
        return self.groups.stop == self.job.group_count


class Turn(enum.Enum):
    """What the client does with an exchange."""

    ASK = enum.auto()
    ACCEPT = enum.auto()


def offline_schedule(plan: WorkPlan) -> list[Exchange]:
    """Every exchange of an offline phase, once, in order."""
    exchanges: list[Exchange] = [Seeds(0, SEED_BYTES + FRESH_BYTES, 0)]
    due: list[tuple[GadgetJob, int]] = []  # gadgets whose values are asked for, and what they need
    values: dict[int, int] = {}  # by linear op: exchanges after which the client knows its share

    def garble_what_is_due() -> None:
        if due and not any(isinstance(exchange, Trees) for exchange in exchanges):
            exchanges.append(Trees(SEED_BYTES + TREE_MESSAGE_BYTES, 0, 1))
        for job, needs in due:
            exchanges.extend(_garble(job, groups, needs) for groups in job.offline_slices)
        due.clear()

    for op in plan.program.ops:
        if isinstance(op, LinearOp):
            exchanges += [
                Select(0, OT_BYTES * job.padded_count, 0, job)
                for job in plan.gadgets_of_source(op.id)
                if job.spec.uses_select
            ]
            products = plan.products_of(op.id)
            exchanges += [Product(job.plan.upload_bytes, job.plan.response_bytes, 0, job) for job in products]
            values[op.id] = len(exchanges)
            if products:
                garble_what_is_due()
        elif isinstance(op, ActivationOp):
            due += [(job, values[op.source]) for job in plan.gadgets[op.id]]
    garble_what_is_due()
    if not plan.gadget_jobs:
        exchanges.append(Trees(SEED_BYTES + TREE_MESSAGE_BYTES, 0, 1))
    return exchanges


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


def _garble(job: GadgetJob, groups: range, needs: int) -> Garble:
    corrections = WORD_BYTES * len(job.elements(groups)) if job.spec.uses_select else 0
    return Garble(
        corrections + OT_BYTES * job.label_ot_count(groups),
        len(groups) * job.spec.garbled_group_bytes,
        needs,
        job,
        groups,
    )
