"""The products that run under encryption: one per weighted term, or several per term with groups.

A polynomial multiplies every channel that it holds with every weight. For a grouped convolution that would
include the products between groups. So a term with groups is split into jobs of a few groups each, with
dense weights that are zero between groups. More groups per job fill the client's polynomials better and the
server's worse. The number with the fewest bytes on the wire is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from pi_bench.crypto.he import HE_PLANS, LinearPlan, LinearShape
from pi_bench.network.execution.shares import add_term, apply_local
from pi_bench.network.program import Convolution, LinearTerm, Shape, Weighted


@dataclass(frozen=True, slots=True, eq=False)
class ProductJob:
    """Describes the product of some groups of a weighted term with the client's mask. All of it is public.

    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> term = program.linear_ops[0].terms[0]
    >>> (job,) = product_jobs(1, term, program.weight_bits, first_number=0)
    >>> job.operand(np.array([[1, 2]], np.uint32))
    array([[1, 2]], dtype=uint32)
    >>> job.dense_weights(weights[term.weighted.weight]).shape
    (4, 2)
    """

    number: int
    op_id: int
    term: LinearTerm
    plan: LinearPlan
    first_group: int
    group_count: int

    def operand(self, value: np.ndarray) -> np.ndarray:
        """Returns the job's channels of ``local(value)``, uint32 of shape `plan.in_shape`."""
        ins = self._channels(self._weighted.in_shape)
        return np.ascontiguousarray(apply_local(self.term.local, value)[:, ins])

    def dense_weights(self, weights: np.ndarray) -> np.ndarray:
        """Returns the job's part of the term's weights, int16 of shape `plan.weight_shape`.

        They are zero between groups. These weights are secret.
        """
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


def product_jobs(
    op_id: int, term: LinearTerm, weight_bits: int, first_number: int, objective: str = HE_PLANS[0]
) -> Iterator[ProductJob]:
    """Yields the jobs of a weighted term, numbered from `first_number` on.

    Args:
        objective: one of `HE_PLANS`, for `LinearPlan.of`.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> [job.number for job in product_jobs(1, program.linear_ops[0].terms[0], 10, first_number=7)]
    [7]

    Raises:
        ModelError: the encryption cannot hold the operator.
    """
    assert term.weighted is not None
    shape, groups = linear_shape(term.weighted), term.weighted.groups
    groups_per_job = 1 if groups == 1 else _cheapest_split(shape, groups, weight_bits, objective)
    for number, first in enumerate(range(0, groups, groups_per_job), first_number):
        count = min(groups_per_job, groups - first)
        plan = LinearPlan.of(_part(shape, groups, count), weight_bits, objective)
        yield ProductJob(number, op_id, term, plan, first, count)


def linear_shape(weighted: Weighted) -> LinearShape:
    """Describes a weighted operator to the encryption, as if it had one group.

    >>> from pi_bench.network.program import FullyConnected
    >>> linear_shape(FullyConnected("head.weight", (1, 4), (1, 2))).out_shape
    (1, 2)
    """
    name, in_shape, out_shape = weighted.weight, weighted.in_shape, weighted.out_shape
    if not isinstance(weighted, Convolution):
        return LinearShape(name, in_shape, out_shape)
    return LinearShape(
        name, in_shape, out_shape, weighted.kernel, weighted.stride, weighted.padding, weighted.dilation
    )


def _part(shape: LinearShape, groups: int, count: int) -> LinearShape:
    """Returns the shape of `count` of the groups."""
    in_shape, out_shape = (
        (whole[0], whole[1] // groups * count, *whole[2:]) for whole in (shape.in_shape, shape.out_shape)
    )
    return replace(shape, in_shape=in_shape, out_shape=out_shape)


@lru_cache(maxsize=256)
def _cheapest_split(shape: LinearShape, groups: int, weight_bits: int, objective: str) -> int:
    """Returns the number of groups per job that costs the fewest bytes on the wire.

    If two numbers cost the same, the smaller one wins, since it has fewer products.
    """

    def wire_bytes(count: int) -> int:
        whole, rest = divmod(groups, count)
        plans = [(whole, count), (1, rest)] if rest else [(whole, count)]
        return sum(  # without the released coefficients, which are the same for every split
            times * plan.layout.wire_bytes(plan.geometry)
            for times, size in plans
            for plan in (LinearPlan.of(_part(shape, groups, size), weight_bits, objective),)
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
