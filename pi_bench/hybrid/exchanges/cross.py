"""The exchanges of a cross product: its choices, and the corrections for their OTs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pi_bench.hybrid.exchange import Exchange, ExchangeWork
from pi_bench.hybrid.fixed_steps import CLIENT_EXCHANGE, SERVER_EXCHANGE
from pi_bench.hybrid.multiplications import CrossJob
from pi_bench.hybrid.parts import OT
from pi_bench.primitives.memory import random_work, words_work
from pi_bench.primitives.ot import ot_work
from pi_bench.protocol.script import Message, Purpose
from pi_bench.protocol.session import Party

_BIT_WORDS = 4  # vector operations per bit that split words into the choice bits of OTs


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

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties, as `Exchange.work` says."""
        del prepared
        ots = self.job.ot_count(self.groups)
        drawn = random_work(len(self.job.elements(self.groups))) + words_work(_BIT_WORDS * ots)
        return ExchangeWork(
            answer=SERVER_EXCHANGE + drawn + self.job.construction.work("receiver", ots),
            accept=CLIENT_EXCHANGE + self.job.construction.work("sender", ots),
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

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties, as `Exchange.work` says."""
        del prepared
        words, ots = words_work(len(self.job.elements(self.groups))), self.job.ot_count(self.groups)
        return ExchangeWork(
            ask=CLIENT_EXCHANGE + words + ot_work("add sender", ots),
            take=SERVER_EXCHANGE + words + ot_work("add receiver", ots),
        )


def _cross_message(job: CrossJob, sender: Party, byte_count: int) -> Message:
    return Message(sender, job.op_id, OT, byte_count, Purpose.MULTIPLICATION)
