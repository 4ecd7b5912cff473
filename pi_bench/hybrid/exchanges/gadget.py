"""The exchanges of the offline phase: their messages, and the computing of both parties around them.

Sizes of messages stand here alone. The protocol that sends them, the script and the byte prediction read them
from the exchange.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.costs import NOTHING
from pi_bench.crypto.ot_extension import FRESH_BYTES, TREE_MESSAGE_BYTES
from pi_bench.hybrid.exchange import Exchange, Works
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

_BIT_WORDS = 4  # vector operations per bit that split words into the choice bits of OTs


@dataclass(frozen=True, slots=True, eq=False)
class Seeds(Exchange):
    """Sends the garbler's hash seed, and the reverse OTs that begin the fresh label OTs. It has no request.

    >>> [message.byte_count for message in Seeds.first().answer]
    [16, 512]
    """

    @classmethod
    def first(cls) -> Self:
        """Returns the exchange, which is the first one of a phase."""
        return cls((), (_seed_message(Party.SERVER, SEED_BYTES), _seed_message(Party.SERVER, FRESH_BYTES)), 0)

    def works(self, prepared: frozenset[int]) -> Works:
        """Returns the computing of both parties, as `Exchange.works` says."""
        del prepared
        return Works(answer=SERVER_EXCHANGE, accept=CLIENT_EXCHANGE)


@dataclass(frozen=True, slots=True, eq=False)
class Trees(Exchange):
    """Sends the reverse hash seed and the tree corrections of the label OTs. It has no answer.

    >>> Trees.after_seeds().request_bytes == SEED_BYTES + TREE_MESSAGE_BYTES
    True
    """

    @classmethod
    def after_seeds(cls) -> Self:
        """Returns the exchange, which needs the seeds."""
        return cls((_seed_message(Party.CLIENT, SEED_BYTES + TREE_MESSAGE_BYTES),), (), 1)

    def works(self, prepared: frozenset[int]) -> Works:
        """Returns the computing of both parties, as `Exchange.works` says."""
        del prepared
        return Works(ask=CLIENT_EXCHANGE, take=SERVER_EXCHANGE)


@dataclass(frozen=True, slots=True, eq=False)
class Select(Exchange):
    """Extends reverse OTs whose choices are the server's random bits pi. It has no request.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> plan = WorkPlan(small_network()[0], ProtocolOptions("exact"))
    >>> Select.of(plan.gadget_jobs[0]).answer_bytes
    128
    """

    job: GadgetJob

    @classmethod
    def of(cls, job: GadgetJob) -> Self:
        """Returns the exchange of a whole gadget."""
        return cls((), (_gadget_message(job, Party.SERVER, "ot", OT_BYTES * job.padded_count),), 0, job)

    def works(self, prepared: frozenset[int]) -> Works:
        """Returns the computing of both parties, as `Exchange.works` says."""
        del prepared
        count = self.job.padded_count
        return Works(
            answer=SERVER_EXCHANGE + words_work(count) + ot_work("extend receiver", count),
            accept=CLIENT_EXCHANGE + ot_work("extend sender", count),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Product(Exchange):
    """Sends an encrypted mask to the server, and the encrypted product back.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> plan = WorkPlan(small_network()[0], ProtocolOptions("exact"))
    >>> exchange = Product.of(plan.products[0])
    >>> exchange.request_bytes == plan.products[0].plan.upload_bytes
    True
    >>> exchange.works(prepared=frozenset()).accept.units["decrypt polynomial"]
    1.0
    """

    job: ProductJob

    @classmethod
    def of(cls, job: ProductJob) -> Self:
        """Returns the exchange of a product."""

        def message(sender: Party, byte_count: int) -> Message:
            return Message(sender, job.op_id, "he", byte_count, Purpose.LINEAR)

        request = message(Party.CLIENT, job.plan.upload_bytes)
        return cls((request,), (message(Party.SERVER, job.plan.response_bytes),), 0, job)

    def works(self, prepared: frozenset[int]) -> Works:
        """Returns the computing of both parties, as `Exchange.works` says."""
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
    """Asks for the labels of a slice of a gadget, and sends its tables back.

    The request begins with select corrections if the gadget uses select bits.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> job = WorkPlan(small_network()[0], ProtocolOptions("exact")).gadget_jobs[0]
    >>> exchange = Garble.of(job, job.offline_slices[0], needs=3)
    >>> exchange.answer_bytes == job.spec.garbled_group_bytes
    True
    >>> exchange.last
    True
    """

    job: GadgetJob
    groups: range

    @classmethod
    def of(cls, job: GadgetJob, groups: range, needs: int) -> Self:
        """Returns the exchange of a slice."""
        asked = _correction_bytes(job, groups) + OT_BYTES * job.label_ot_count(groups)
        request = _gadget_message(job, Party.CLIENT, "ot", asked)
        tables = len(groups) * job.spec.garbled_group_bytes
        return cls((request,), (_gadget_message(job, Party.SERVER, "garbling", tables),), needs, job, groups)

    @property
    def correction_bytes(self) -> int:
        """The bytes of the select corrections, with which the request begins. The label OTs follow."""
        return _correction_bytes(self.job, self.groups)

    @property
    def last(self) -> bool:
        """Whether this is the gadget's last slice."""
        return self.groups.stop == self.job.group_count

    def works(self, prepared: frozenset[int]) -> Works:
        """Returns the computing of both parties, as `Exchange.works` says."""
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
    """Extends reverse OTs for a slice of a cross product. It has no request.

    The choices are the bits of the server's factors.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> plan = WorkPlan(small_network(square=True)[0], ProtocolOptions("exact"))
    >>> (job,) = plan.multiplications.crosses()
    >>> CrossChoices.of(job, job.offline_slices[0]).answer_bytes  # 4 bytes per OT, 32 elements of 31 bits
    3968
    """

    job: CrossJob
    groups: range

    @classmethod
    def of(cls, job: CrossJob, groups: range) -> Self:
        """Returns the exchange of a slice."""
        return cls((), (_cross_message(job, Party.SERVER, job.choice_bytes(groups)),), 0, job, groups)

    def works(self, prepared: frozenset[int]) -> Works:
        """Returns the computing of both parties, as `Exchange.works` says."""
        del prepared
        ots = self.job.ot_count(self.groups)
        drawn = random_work(len(self.job.elements(self.groups))) + words_work(_BIT_WORDS * ots)
        return Works(
            answer=SERVER_EXCHANGE + drawn + ot_work("extend receiver", ots),
            accept=CLIENT_EXCHANGE + ot_work("extend sender", ots),
        )


@dataclass(frozen=True, slots=True, eq=False)
class CrossCorrections(Exchange):
    """Sends the client's corrections for the OTs of `CrossChoices`. It has no answer.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> plan = WorkPlan(small_network(square=True)[0], ProtocolOptions("exact"))
    >>> (job,) = plan.multiplications.crosses()
    >>> CrossCorrections.of(job, job.offline_slices[0], needs=2).request_bytes
    1984
    """

    job: CrossJob
    groups: range

    @classmethod
    def of(cls, job: CrossJob, groups: range, needs: int) -> Self:
        """Returns the exchange of a slice."""
        request = _cross_message(job, Party.CLIENT, job.correction_bytes(groups))
        return cls((request,), (), needs, job, groups)

    def works(self, prepared: frozenset[int]) -> Works:
        """Returns the computing of both parties, as `Exchange.works` says."""
        del prepared
        words, ots = words_work(len(self.job.elements(self.groups))), self.job.ot_count(self.groups)
        return Works(
            ask=CLIENT_EXCHANGE + words + ot_work("add sender", ots),
            take=SERVER_EXCHANGE + words + ot_work("add receiver", ots),
        )


def gadget_purpose(job: GadgetJob) -> Purpose:
    """Returns the purpose under which a gadget's time and bytes are counted.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> plan = WorkPlan(small_network()[0], ProtocolOptions("exact"))
    >>> gadget_purpose(plan.gadget_jobs[0]).name
    'RELU'
    """
    return Purpose.RELU if job.spec.kind == "relu" else Purpose.TRUNCATION


def _correction_bytes(job: GadgetJob, groups: range) -> int:
    return WORD_BYTES * len(job.elements(groups)) if job.spec.uses_select else 0


def _seed_message(sender: Party, byte_count: int) -> Message:
    return Message(sender, NO_OP, "ot", byte_count)


def _gadget_message(job: GadgetJob, sender: Party, part: str, byte_count: int) -> Message:
    return Message(sender, job.op_id, part, byte_count, gadget_purpose(job))


def _cross_message(job: CrossJob, sender: Party, byte_count: int) -> Message:
    return Message(sender, job.op_id, "ot", byte_count, Purpose.MULTIPLICATION)
