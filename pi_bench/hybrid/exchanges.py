"""The exchanges of the offline phase: their messages, and the computing of both parties around them.

An exchange is a request of the client, an answer of the server, or both. Its messages stand here alone:
the protocol that runs them, the script and the byte prediction read them from the exchange.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.costs import NOTHING, CostUnits
from pi_bench.crypto.ot_extension import FRESH_BYTES, TREE_MESSAGE_BYTES
from pi_bench.hybrid.fixed_steps import CLIENT_EXCHANGE, SERVER_EXCHANGE
from pi_bench.hybrid.multiplications import CrossJob
from pi_bench.hybrid.products import ProductJob
from pi_bench.hybrid.work_plan import OT_BYTES, SEED_BYTES, GadgetJob
from pi_bench.primitives.gadget import gadget_work
from pi_bench.primitives.he import decrypt_work, encrypt_work, respond_work
from pi_bench.primitives.memory import random_work, words_work
from pi_bench.primitives.ot import ot_work
from pi_bench.protocol.script import NO_OP, Message, Purpose
from pi_bench.protocol.session import Party

_BIT_WORDS = 4  # vector operations that cut a word into the bits of OTs, for each bit


@dataclass(frozen=True, slots=True)
class Works:
    """The computing around the messages of an exchange, in the order in which it happens."""

    ask: CostUnits = NOTHING  # client, before it sends the request
    take: CostUnits = NOTHING  # server, after it has received the request
    answer: CostUnits = NOTHING  # server, before it sends the answer
    accept: CostUnits = NOTHING  # client, after it has received the answer


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """A request of the client, if any, and the server's answer, if any.

    `needs`: how many exchanges of the list must be complete before this one can be asked for.
    """

    request: tuple[Message, ...]
    answer: tuple[Message, ...]
    needs: int

    @property
    def request_bytes(self) -> int:
        return sum(message.byte_count for message in self.request)

    @property
    def answer_bytes(self) -> int:
        return sum(message.byte_count for message in self.answer)

    def works(self, prepared: frozenset[int]) -> Works:
        """Returns what both parties compute. `prepared`: numbers of the products whose weights the server
        keeps transformed."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class Seeds(Exchange):
    """The garbler's hash seed and the reverse OTs that begin the fresh label OTs: no request."""

    @classmethod
    def first(cls) -> Self:
        return cls((), (_seed_message(Party.SERVER, SEED_BYTES), _seed_message(Party.SERVER, FRESH_BYTES)), 0)

    def works(self, prepared: frozenset[int]) -> Works:
        del prepared
        return Works(answer=SERVER_EXCHANGE, accept=CLIENT_EXCHANGE)


@dataclass(frozen=True, slots=True, eq=False)
class Trees(Exchange):
    """The reverse hash seed and the label OTs' tree corrections: no answer."""

    @classmethod
    def after_seeds(cls) -> Self:
        return cls((_seed_message(Party.CLIENT, SEED_BYTES + TREE_MESSAGE_BYTES),), (), 1)

    def works(self, prepared: frozenset[int]) -> Works:
        del prepared
        return Works(ask=CLIENT_EXCHANGE, take=SERVER_EXCHANGE)


@dataclass(frozen=True, slots=True, eq=False)
class Select(Exchange):
    """Reverse OTs with the server's random bits pi: no request."""

    job: GadgetJob

    @classmethod
    def of(cls, job: GadgetJob) -> Self:
        return cls((), (_gadget_message(job, Party.SERVER, "ot", OT_BYTES * job.padded_count),), 0, job)

    def works(self, prepared: frozenset[int]) -> Works:
        del prepared
        count = self.job.padded_count
        return Works(
            answer=SERVER_EXCHANGE + words_work(count) + ot_work("extend receiver", count),
            accept=CLIENT_EXCHANGE + ot_work("extend sender", count),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Product(Exchange):
    """An encrypted mask and the encrypted product."""

    job: ProductJob

    @classmethod
    def of(cls, job: ProductJob) -> Self:
        def message(sender: Party, byte_count: int) -> Message:
            return Message(sender, job.op_id, "he", byte_count, Purpose.LINEAR)

        request = message(Party.CLIENT, job.plan.upload_bytes)
        return cls((request,), (message(Party.SERVER, job.plan.response_bytes),), 0, job)

    def works(self, prepared: frozenset[int]) -> Works:
        plan = self.job.plan
        words = math.prod(plan.out_shape)
        own = random_work(words) + words_work(words)
        response = respond_work(plan, prepared=self.job.number in prepared)
        return Works(
            ask=CLIENT_EXCHANGE + words_work(math.prod(plan.in_shape)) + encrypt_work(plan),
            answer=SERVER_EXCHANGE + own + response,
            accept=CLIENT_EXCHANGE + decrypt_work(plan) + words_work(words),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Garble(Exchange):
    """Label OTs (and select corrections) of a slice of a gadget, and its tables."""

    job: GadgetJob
    groups: range

    @classmethod
    def of(cls, job: GadgetJob, groups: range, needs: int) -> Self:
        asked = _correction_bytes(job, groups) + OT_BYTES * job.label_ot_count(groups)
        request = _gadget_message(job, Party.CLIENT, "ot", asked)
        tables = len(groups) * job.spec.garbled_group_bytes
        return cls((request,), (_gadget_message(job, Party.SERVER, "garbling", tables),), needs, job, groups)

    @property
    def correction_bytes(self) -> int:
        """The head of the request: the select corrections. The label OTs follow."""
        return _correction_bytes(self.job, self.groups)

    @property
    def last(self) -> bool:
        """Whether this is the gadget's last slice."""
        return self.groups.stop == self.job.group_count

    def works(self, prepared: frozenset[int]) -> Works:
        del prepared
        spec, count = self.job.spec, len(self.job.elements(self.groups))
        labels = self.job.label_ot_count(self.groups)
        correcting, corrected = (
            ot_work(step, count) if spec.uses_select else NOTHING for step in ("add sender", "add receiver")
        )
        asking = CLIENT_EXCHANGE + words_work(3 * count) + correcting
        return Works(
            ask=asking + ot_work("extend receiver", labels),
            take=SERVER_EXCHANGE + ot_work("extend sender", labels) + corrected,
            answer=gadget_work("garble", spec, count),
            accept=CLIENT_EXCHANGE + gadget_work("accept", spec, count),
        )


@dataclass(frozen=True, slots=True, eq=False)
class CrossChoices(Exchange):
    """Reverse OTs with the bits of the server's factors of a slice of a cross product: no request."""

    job: CrossJob
    groups: range

    @classmethod
    def of(cls, job: CrossJob, groups: range) -> Self:
        return cls((), (_cross_message(job, Party.SERVER, job.choice_bytes(groups)),), 0, job, groups)

    def works(self, prepared: frozenset[int]) -> Works:
        del prepared
        ots = self.job.ot_count(self.groups)
        drawn = random_work(len(self.job.elements(self.groups))) + words_work(_BIT_WORDS * ots)
        return Works(
            answer=SERVER_EXCHANGE + drawn + ot_work("extend receiver", ots),
            accept=CLIENT_EXCHANGE + ot_work("extend sender", ots),
        )


@dataclass(frozen=True, slots=True, eq=False)
class CrossCorrections(Exchange):
    """The client's corrections for these OTs: no answer."""

    job: CrossJob
    groups: range

    @classmethod
    def of(cls, job: CrossJob, groups: range, needs: int) -> Self:
        request = _cross_message(job, Party.CLIENT, job.correction_bytes(groups))
        return cls((request,), (), needs, job, groups)

    def works(self, prepared: frozenset[int]) -> Works:
        del prepared
        words, ots = words_work(len(self.job.elements(self.groups))), self.job.ot_count(self.groups)
        return Works(
            ask=CLIENT_EXCHANGE + words + ot_work("add sender", ots),
            take=SERVER_EXCHANGE + words + ot_work("add receiver", ots),
        )


def gadget_purpose(job: GadgetJob) -> Purpose:
    """Returns the purpose under which a gadget's time and bytes are counted."""
    return Purpose.RELU if job.spec.kind == "relu" else Purpose.TRUNCATION


def _correction_bytes(job: GadgetJob, groups: range) -> int:
    return WORD_BYTES * len(job.elements(groups)) if job.spec.uses_select else 0


def _seed_message(sender: Party, byte_count: int) -> Message:
    return Message(sender, NO_OP, "ot", byte_count)


def _gadget_message(job: GadgetJob, sender: Party, part: str, byte_count: int) -> Message:
    return Message(sender, job.op_id, part, byte_count, gadget_purpose(job))


def _cross_message(job: CrossJob, sender: Party, byte_count: int) -> Message:
    return Message(sender, job.op_id, "ot", byte_count, Purpose.MULTIPLICATION)
