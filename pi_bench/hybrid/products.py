"""Which products run under encryption: one for each weighted term, several for one with groups.

A polynomial multiplies every channel that it holds with every weight: of a grouped convolution it would
compute the products between groups too. So a term with groups is cut into jobs of a few groups each, whose
weights are the dense ones of their channels, zero between groups. More groups a job fill the client's
polynomials better and the server's worse; the cheapest number on the wire is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from pi_bench.crypto.he import LinearPlan, LinearShape
from pi_bench.network.execution.shares import add_term, apply_local
from pi_bench.network.program import Convolution, LinearTerm, Shape, Weighted


@dataclass(frozen=True, slots=True, eq=False)
class ProductJob:
    """The product of some groups of a weighted term with the client's mask.

    `weights` of a job are secret; everything here is public.
    """

    number: int
    op_id: int
    term: LinearTerm
    plan: LinearPlan
    first_group: int
    group_count: int

    def operand(self, value: np.ndarray) -> np.ndarray:
        """The job's channels of ``local(value)``: uint32 `plan.in_shape`."""
        ins = self._channels(self._weighted.in_shape)
        return np.ascontiguousarray(apply_local(self.term.local, value)[:, ins])

    def dense_weights(self, weights: np.ndarray) -> np.ndarray:
        """int16 `plan.weight_shape` from the whole term's: zero between groups."""
        if self._weighted.groups == 1:
            return weights
        outs = self._channels(self._weighted.out_shape)
        own = weights[outs].reshape(self.group_count, -1, *weights.shape[1:])  # (groups, out, in, ...)
        dense = np.zeros((self.group_count, own.shape[1], self.group_count, *own.shape[2:]), np.int16)
        diagonal = np.arange(self.group_count)
        dense[diagonal, :, diagonal] = own
        return dense.reshape(self.plan.weight_shape)

    def add(self, product: np.ndarray, total: np.ndarray) -> None:
        """Adds the job's part of the term to a share of the linear value, from a share of the product."""
        outs = self._channels(self._weighted.out_shape)
        part = replace(
            self.term,
            shift_bits=self.term.shift_bits[outs],
            first_channel=self.term.first_channel + outs.start,
        )
        add_term(part, product, total)

    @property
    def _weighted(self) -> Weighted:
        assert self.term.weighted is not None
        return self.term.weighted

    def _channels(self, shape: Shape) -> slice:
        width = shape[1] // self._weighted.groups
        return slice(self.first_group * width, (self.first_group + self.group_count) * width)


def product_jobs(op_id: int, term: LinearTerm, weight_bits: int, first_number: int) -> Iterator[ProductJob]:
    """The jobs of a weighted term, numbered from `first_number` on.

    Raises:
        ModelError: the encryption cannot hold the operator.
    """
    assert term.weighted is not None
    shape, groups = linear_shape(term.weighted), term.weighted.groups
    groups_a_job = 1 if groups == 1 else _cheapest_split(shape, groups, weight_bits)
    for number, first in enumerate(range(0, groups, groups_a_job), first_number):
        count = min(groups_a_job, groups - first)
        plan = LinearPlan.of(_part(shape, groups, count), weight_bits)
        yield ProductJob(number, op_id, term, plan, first, count)


def linear_shape(weighted: Weighted) -> LinearShape:
    """What the encryption needs to know of a weighted operator, as if it had one group."""
    name, in_shape, out_shape = weighted.weight, weighted.in_shape, weighted.out_shape
    if not isinstance(weighted, Convolution):
        return LinearShape(name, in_shape, out_shape)
    return LinearShape(
        name, in_shape, out_shape, weighted.kernel, weighted.stride, weighted.padding, weighted.dilation
    )


def _part(shape: LinearShape, groups: int, count: int) -> LinearShape:
    """Of `count` of the groups."""
    in_shape, out_shape = (
        (whole[0], whole[1] // groups * count, *whole[2:]) for whole in (shape.in_shape, shape.out_shape)
    )
    return replace(shape, in_shape=in_shape, out_shape=out_shape)


@lru_cache(maxsize=256)
def _cheapest_split(shape: LinearShape, groups: int, weight_bits: int) -> int:
    """Groups a job for the fewest bytes; of equals the smaller number, which has fewer products."""

    def wire_bytes(count: int) -> int:
        whole, rest = divmod(groups, count)
        plans = [(whole, count), (1, rest)] if rest else [(whole, count)]
        return sum(
            times * (plan.upload_bytes + plan.response_bytes)
            for times, size in plans
            for plan in (LinearPlan.of(_part(shape, groups, size), weight_bits),)
        )

    counts = [1]
    best = wire_bytes(1)
    cheapest = 1
    while counts[-1] < groups:
        count = min(groups, max(counts[-1] + 1, counts[-1] * 5 // 4))
        counts.append(count)
        cost = wire_bytes(count)
        if cost < best:
            best, cheapest = cost, count
        elif cost > 4 * best:
            break
    return cheapest
