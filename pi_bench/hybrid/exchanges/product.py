"""The exchange of a homomorphic product: the encrypted mask, and the encrypted product."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from pi_bench.hybrid.exchange import Exchange, ExchangeWork
from pi_bench.hybrid.fixed_steps import CLIENT_EXCHANGE, SERVER_EXCHANGE
from pi_bench.hybrid.parts import HE
from pi_bench.hybrid.products import ProductJob
from pi_bench.primitives.he import decrypt_work, encrypt_work, respond_work
from pi_bench.primitives.memory import random_work, words_work
from pi_bench.protocol.script import Message, Purpose
from pi_bench.protocol.session import Party


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
    >>> exchange.work(prepared=frozenset()).accept.units["decrypt polynomial"]
    1.0
    """

    job: ProductJob

    @classmethod
    def of(cls, job: ProductJob) -> Self:
        """Returns the exchange of a product."""

        def message(sender: Party, byte_count: int) -> Message:
            return Message(sender, job.op_id, HE, byte_count, Purpose.LINEAR)

        request = message(Party.CLIENT, job.plan.upload_bytes)
        return cls((request,), (message(Party.SERVER, job.plan.response_bytes),), 0, job)

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties, as `Exchange.work` says."""
        plan = self.job.plan
        words = math.prod(plan.out_shape)
        own = random_work(words) + words_work(words)
        response = respond_work(plan, prepared=self.job.number in prepared)
        return ExchangeWork(
            ask=CLIENT_EXCHANGE + words_work(math.prod(plan.in_shape)) + encrypt_work(plan),
            answer=SERVER_EXCHANGE + own + response,
            accept=CLIENT_EXCHANGE + decrypt_work(plan) + words_work(words),
        )
