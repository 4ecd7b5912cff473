"""What a server computes once for all its clients: the plan, and its weights in the forms that it uses.

Weights are transformed for the products under encryption (most of a product's time) as far as
`ProtocolOptions.weight_cache_bytes` goes, and kept; those of the other operators are transformed for every
response. Which ones: the first that fit, in the program's order, so it depends on public shapes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from pi_bench.crypto.he import PreparedWeights, prepare_weights, prepared_bytes
from pi_bench.hybrid.products import ProductJob
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.execution.prepared_linear import PreparedLinear
from pi_bench.network.program import Program, Weights
from pi_bench.protocol import ProtocolOptions

from .online import prepare_linear


class PreparedProducts:
    """The weights of every product, transformed where `cache_bytes` allow it. Secret as they are."""

    def __init__(self, plan: WorkPlan, weights: Weights, cache_bytes: int, threads: int) -> None:
        self._weights = weights
        jobs = plan.prepared_products(cache_bytes)
        self._prepared: dict[int, PreparedWeights] = {
            job.number: prepare_weights(job.plan, self._dense(job), threads) for job in jobs
        }
        self.cached_bytes = sum(prepared_bytes(job.plan) for job in jobs)

    def weights_of(self, job: ProductJob) -> np.ndarray | PreparedWeights:
        """What `HeServer.respond` takes."""
        return self._prepared.get(job.number) or self._dense(job)

    def _dense(self, job: ProductJob) -> np.ndarray:
        assert job.term.weighted is not None
        return job.dense_weights(self._weights[job.term.weighted.weight])


@dataclass(frozen=True, slots=True)
class PreparedServer:
    """Read only, so any number of connections may share it."""

    plan: WorkPlan
    linear: dict[int, PreparedLinear]
    products: PreparedProducts

    @classmethod
    def of(cls, program: Program, options: ProtocolOptions, weights: Weights) -> Self:
        plan = WorkPlan(program, options)
        products = PreparedProducts(plan, weights, options.weight_cache_bytes, options.threads)
        return cls(plan, prepare_linear(program, weights), products)
