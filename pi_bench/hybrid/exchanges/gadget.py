"""The exchanges of a gadget: its select bits, and the labels and tables of its slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.costs import NOTHING
from pi_bench.hybrid.exchange import Exchange, ExchangeWork
from pi_bench.hybrid.fixed_steps import CLIENT_EXCHANGE, SERVER_EXCHANGE
from pi_bench.hybrid.parts import GARBLING, OT
from pi_bench.hybrid.work_plan import GadgetJob
from pi_bench.primitives.gadget import gadget_work
from pi_bench.primitives.memory import words_work
from pi_bench.primitives.ot import ot_work
from pi_bench.protocol.script import Message, Purpose
from pi_bench.protocol.session import Party


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
        choices = job.extension_bytes(job.padded_count)
        return cls((), (_gadget_message(job, Party.SERVER, OT, choices),), 0, job)

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties, as `Exchange.work` says."""
        del prepared
        count = self.job.padded_count
        return ExchangeWork(
            answer=SERVER_EXCHANGE + words_work(count) + self.job.construction.work("receiver", count),
            accept=CLIENT_EXCHANGE + self.job.construction.work("sender", count),
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
        asked = _correction_bytes(job, groups) + job.extension_bytes(job.label_ot_count(groups))
        request = _gadget_message(job, Party.CLIENT, OT, asked)
        tables = len(groups) * job.spec.garbled_group_bytes
        return cls((request,), (_gadget_message(job, Party.SERVER, GARBLING, tables),), needs, job, groups)

    @property
    def correction_bytes(self) -> int:
        """The bytes of the select corrections, with which the request begins. The label OTs follow."""
        return _correction_bytes(self.job, self.groups)

    @property
    def last(self) -> bool:
        """Whether this is the gadget's last slice."""
        return self.groups.stop == self.job.group_count

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties, as `Exchange.work` says."""
        del prepared
        spec, count = self.job.spec, len(self.job.elements(self.groups))
        labels = self.job.label_ot_count(self.groups)
        correcting, corrected = (
            ot_work(step, count) if spec.uses_select else NOTHING for step in ("add sender", "add receiver")
        )
        asking = CLIENT_EXCHANGE + words_work(3 * count) + correcting
        return ExchangeWork(
            ask=asking + self.job.construction.work("receiver", labels),
            take=SERVER_EXCHANGE + self.job.construction.work("sender", labels) + corrected,
            answer=gadget_work("garble", spec, count),
            accept=CLIENT_EXCHANGE + gadget_work("accept", spec, count),
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


def _gadget_message(job: GadgetJob, sender: Party, part: str, byte_count: int) -> Message:
    return Message(sender, job.op_id, part, byte_count, gadget_purpose(job))
