"""An exchange of the offline phase: a request of the client, an answer of the server, or both."""

from __future__ import annotations

from dataclasses import dataclass, field

from pi_bench.costs import NOTHING, CostUnits
from pi_bench.protocol.script import Message


@dataclass(frozen=True, slots=True)
class ExchangeWork:
    """Counts the computing around the messages of an exchange, in the order in which it happens.

    >>> ExchangeWork(answer=CostUnits({"product": 2.0})).ask.units
    {}
    """

    ask: CostUnits = NOTHING  # client, before it sends the request
    take: CostUnits = NOTHING  # server, after it has received the request
    answer: CostUnits = NOTHING  # server, before it sends the answer
    accept: CostUnits = NOTHING  # client, after it has received the answer


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """Describes a request of the client, if any, and the answer of the server, if any.

    Attributes:
        request: the client's messages.
        answer: the server's messages.
        needs: how many exchanges, from the first of the schedule, must be complete before the client can send
            the request.
        inference: the place, among the inferences of the offline phase, of the one that it is for; 0 for an
            exchange that is for all of them.

    >>> from pi_bench.protocol.script import NO_OP
    >>> from pi_bench.protocol.session import Party
    >>> exchange = Exchange((), (Message(Party.SERVER, NO_OP, "ot", 16),), needs=0)
    >>> exchange.request_bytes, exchange.answer_bytes
    (0, 16)
    """

    request: tuple[Message, ...]
    answer: tuple[Message, ...]
    needs: int
    inference: int = field(default=0, kw_only=True)

    @property
    def request_bytes(self) -> int:
        """The payload bytes of the request."""
        return sum(message.byte_count for message in self.request)

    @property
    def answer_bytes(self) -> int:
        """The payload bytes of the answer."""
        return sum(message.byte_count for message in self.answer)

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties.

        `prepared` has the numbers of the products whose weights the server keeps transformed.
        """
        raise NotImplementedError  # every kind of exchange has its own
