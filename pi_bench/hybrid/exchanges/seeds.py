"""The exchanges that begin the fresh label OTs: hash seeds, reverse OTs and tree corrections.

With Ferret they also begin its instances. In both directions the OT receiver's first message comes before the
sender's corrections:

    client                                              server
      Seeds   <---  hash seed, reverse OTs, set-up of the reverse direction
      Trees   hash seed, trees, set-up of the labels, corrections of the reverse direction  --->
              <---  corrections of the labels
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pi_bench.crypto.ot_extension import FRESH_BYTES, TREE_MESSAGE_BYTES
from pi_bench.crypto.symmetric import SEED_BYTES
from pi_bench.hybrid.exchange import Exchange, ExchangeWork
from pi_bench.hybrid.fixed_steps import CLIENT_EXCHANGE, SERVER_EXCHANGE
from pi_bench.hybrid.ot_plan import OtPlan
from pi_bench.hybrid.parts import OT
from pi_bench.protocol.script import NO_OP, Message
from pi_bench.protocol.session import Party


@dataclass(frozen=True, slots=True, eq=False)
class Seeds(Exchange):
    """Sends the garbler's hash seed, and the reverse OTs that begin the fresh label OTs. It has no request.

    >>> [message.byte_count for message in Seeds.first().answer]
    [16, 512]
    >>> silent = OtPlan.silent_for(label_count=1000, reverse_count=1000)
    >>> [message.byte_count for message in Seeds.first(silent).answer]
    [16, 512, 262400]
    """

    ots: OtPlan

    @classmethod
    def first(cls, ots: OtPlan | None = None) -> Self:
        """Returns the exchange, which is the first one of a phase. Without `ots`, SoftSpoken extends OTs."""
        ots = ots or OtPlan()
        sizes = SEED_BYTES, FRESH_BYTES, ots.reverse.set_up_bytes
        return cls((), tuple(_seed_message(Party.SERVER, size) for size in sizes if size), 0, ots)

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties, as `Exchange.work` says."""
        del prepared
        reverse = self.ots.reverse
        return ExchangeWork(
            answer=SERVER_EXCHANGE + reverse.set_up_work("receiver"),
            accept=CLIENT_EXCHANGE + reverse.set_up_work("sender") + reverse.batch_work("sender"),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Trees(Exchange):
    """Sends the reverse hash seed and the tree corrections of the label OTs. Only Ferret has an answer.

    >>> Trees.after_seeds().request_bytes == SEED_BYTES + TREE_MESSAGE_BYTES
    True
    >>> silent = OtPlan.silent_for(label_count=1000, reverse_count=1000)
    >>> Trees.after_seeds(silent).request_bytes - Trees.after_seeds().request_bytes  # set-up and corrections
    262912
    >>> Trees.after_seeds(silent).answer_bytes
    512
    """

    ots: OtPlan

    @classmethod
    def after_seeds(cls, ots: OtPlan | None = None) -> Self:
        """Returns the exchange, which needs the seeds. Without `ots`, SoftSpoken extends OTs."""
        ots = ots or OtPlan()
        sizes = SEED_BYTES + TREE_MESSAGE_BYTES, ots.labels.set_up_bytes, ots.reverse.correction_bytes
        request = tuple(_seed_message(Party.CLIENT, size) for size in sizes if size)
        corrections = ots.labels.correction_bytes
        answer = (_seed_message(Party.SERVER, corrections),) if corrections else ()
        return cls(request, answer, 1, ots)

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties, as `Exchange.work` says."""
        del prepared
        labels, reverse = self.ots.labels, self.ots.reverse
        return ExchangeWork(
            ask=CLIENT_EXCHANGE + labels.set_up_work("receiver"),
            take=SERVER_EXCHANGE + labels.set_up_work("sender") + reverse.batch_work("receiver"),
            answer=labels.batch_work("sender"),
            accept=labels.batch_work("receiver"),
        )


def _seed_message(sender: Party, byte_count: int) -> Message:
    return Message(sender, NO_OP, OT, byte_count)
