"""The plan, the exchanges and the prepared weights, which a server computes once for all its clients.

A transform of the weights takes most of the time of a product under encryption. The server transforms and
keeps as many weights as `ProtocolOptions.weight_cache_bytes` allows, and transforms the others for every
response. It keeps the first ones that fit, in the program's order. So the choice depends on public shapes
alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Self

import numpy as np

from pi_bench.crypto.he import TransformedWeights, transform_weights, transformed_bytes
from pi_bench.hybrid.exchange import Exchange
from pi_bench.hybrid.offline_schedule import offline_schedule
from pi_bench.hybrid.parties.online import prepare_linear
from pi_bench.hybrid.products import ProductJob
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.execution.prepared_linear import PreparedLinear
from pi_bench.network.program import Program, Weights
from pi_bench.protocol import ProtocolOptions

_log = logging.getLogger(__name__)


class PreparedProducts:
    """Holds the weights of every product, transformed as far as `cache_bytes` allows. All of them are secret.

    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> PreparedProducts(plan, weights, cache_bytes=0, threads=1).cached_bytes
    0
    >>> products = PreparedProducts(plan, weights, cache_bytes=10**6, threads=1)
    >>> products.cached_bytes == sum(transformed_bytes(job.plan) for job in plan.products)
    True
    """

    def __init__(self, plan: WorkPlan, weights: Weights, cache_bytes: int, threads: int) -> None:
        self._weights = weights
        jobs = plan.prepared_products(cache_bytes)
        self._prepared: dict[int, TransformedWeights] = {
            job.number: transform_weights(job.plan, self._dense(job), threads) for job in jobs
        }
        self.cached_bytes = sum(transformed_bytes(job.plan) for job in jobs)
        needed_bytes = sum(transformed_bytes(job.plan) for job in plan.products)
        _log.info(
            "weight cache: holds %.1f of %.1f MB, at most %.1f MB",
            *(size / 1e6 for size in (self.cached_bytes, needed_bytes, cache_bytes)),
        )

    def weights_of(self, job: ProductJob) -> np.ndarray | TransformedWeights:
        """Returns the weights of a product for `HeServer.respond`."""
        return self._prepared.get(job.number) or self._dense(job)

    def _dense(self, job: ProductJob) -> np.ndarray:
        return job.dense_weights(self._weights)


@dataclass(frozen=True, slots=True)
class PreparedServer:
    """Holds everything that a server prepares. It is read-only, so any number of connections may share it.

    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> prepared = PreparedServer.of(program, ProtocolOptions("exact"), weights)
    >>> sorted(prepared.linear)
    [1, 3]
    """

    plan: WorkPlan
    exchanges: list[Exchange]  # of every offline phase
    linear: dict[int, PreparedLinear]
    products: PreparedProducts

    @classmethod
    def of(
        cls, program: Program, options: ProtocolOptions, weights: Weights, *, uses_tables: bool = False
    ) -> Self:
        """Prepares a server. `uses_tables` is that of `WorkPlan`."""
        plan = WorkPlan(program, options, uses_tables=uses_tables)
        products = PreparedProducts(plan, weights, options.weight_cache_bytes, options.threads)
        return cls(plan, offline_schedule(plan), prepare_linear(program, weights), products)
