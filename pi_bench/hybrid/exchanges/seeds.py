"""The exchanges that begin the fresh label OTs: hash seeds, reverse OTs and tree corrections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pi_bench.crypto.ot_extension import FRESH_BYTES, TREE_MESSAGE_BYTES
from pi_bench.crypto.symmetric import SEED_BYTES
from pi_bench.hybrid.exchange import Exchange, ExchangeWork
from pi_bench.hybrid.fixed_steps import CLIENT_EXCHANGE, SERVER_EXCHANGE
from pi_bench.protocol.script import NO_OP, Message
from pi_bench.protocol.session import Party


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

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties, as `Exchange.work` says."""
        del prepared
        return ExchangeWork(answer=SERVER_EXCHANGE, accept=CLIENT_EXCHANGE)


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

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties, as `Exchange.work` says."""
        del prepared
        return ExchangeWork(ask=CLIENT_EXCHANGE, take=SERVER_EXCHANGE)


def _seed_message(sender: Party, byte_count: int) -> Message:
    return Message(sender, NO_OP, "ot", byte_count)
