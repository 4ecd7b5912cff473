"""The products that run under encryption: one per weighted term, or several per term with groups.

A polynomial multiplies every channel that it holds with every weight. For a grouped convolution that would
include the products between groups. So a term with groups is split into jobs of a few groups each, with
dense weights that are zero between groups. More groups per job fill the client's polynomials better and the
server's worse. The number with the fewest bytes on the wire is taken.

Two terms that read the same value may be parts of one job, so that the value is uploaded once (`shared`). One
job serves all inferences that an offline phase prepares: their masks are packed as the images of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from pi_bench.crypto.he import HE_PLANS, LinearPlan, LinearShape
from pi_bench.hybrid.kernel_taps import Taps, dense_kernel, whole_kernel
from pi_bench.network.execution.shares import add_term, apply_local
from pi_bench.network.program import Convolution, LinearTerm, LocalOp, Shape, Weighted


@dataclass(frozen=True, slots=True, eq=False)
class ProductPart:
    """Describes the part of one weighted term in a product: some groups, and the taps of the job's kernel.

    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> term = program.linear_ops[0].terms[0]
    >>> (part,) = next(product_jobs(1, term, program.weight_bits, first_number=0)).parts
    >>> part.op_id, part.out_channels
    (1, slice(0, 4, None))
    """

    op_id: int
    term: LinearTerm
    first_group: int
    group_count: int
    taps: Taps

    @property
    def weighted(self) -> Weighted:
        """The weighted operator of the term."""
        assert self.term.weighted is not None
        return self.term.weighted

    @property
    def in_channels(self) -> slice:
        """The channels of the term's input that the part reads."""
        return self._channels(self.weighted.in_shape)

    @property
    def out_channels(self) -> slice:
        """The channels of the term that the part gives."""
        return self._channels(self.weighted.out_shape)

    def dense_weights(self, weights: np.ndarray, kernel: tuple[int, ...]) -> np.ndarray:
        """Returns the part's weights, int16 (out, in, ...), for a kernel of the job.

        They are zero between groups, and at the taps that the term does not have. These weights are secret.
        """
        if self.weighted.groups > 1:
            own = weights[self.out_channels].reshape(self.group_count, -1, *weights.shape[1:])
            dense = np.zeros((self.group_count, own.shape[1], self.group_count, *own.shape[2:]), np.int16)
            diagonal = np.arange(self.group_count)
            dense[diagonal, :, diagonal] = own
            weights = dense.reshape(self.group_count * own.shape[1], -1, *own.shape[3:])
        return dense_kernel(weights, self.taps, kernel)

    def add(self, product: np.ndarray, total: np.ndarray) -> None:
        """Adds the part to a share of its linear value, from a share of the part's product."""
        outs = self.out_channels
        part = replace(
            self.term,
            shift_bits=self.term.shift_bits[outs],
            first_channel=self.term.first_channel + outs.start,
        )
        add_term(part, product, total)

    def _channels(self, shape: Shape) -> slice:
        width = shape[1] // self.weighted.groups
        return slice(self.first_group * width, (self.first_group + self.group_count) * width)


@dataclass(frozen=True, slots=True, eq=False)
class ProductJob:
    """Describes a product of weights with the client's masks. All of it is public.

    Attributes:
        parts: the terms that it computes. They read the same value, and their output channels follow each
            other in the product.
        local: the local operators between that value and the product.
        shape: that of the product for one inference.
        plan: that of the product for all inferences of an offline phase.

    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> term = program.linear_ops[0].terms[0]
    >>> (job,) = product_jobs(1, term, program.weight_bits, first_number=0)
    >>> job.operand([np.array([[1, 2]], np.uint32)])
    array([[1, 2]], dtype=uint32)
    >>> job.dense_weights(weights).shape
    (4, 2)

    With two inferences per offline phase, their masks are the images of a batch:

    >>> (job,) = product_jobs(1, term, program.weight_bits, first_number=0, ahead=2)
    >>> job.operand([np.array([[1, 2]], np.uint32), np.array([[3, 4]], np.uint32)])
    array([[1, 2],
           [3, 4]], dtype=uint32)
    """

    number: int
    parts: tuple[ProductPart, ...]
    local: tuple[LocalOp, ...]
    shape: LinearShape
    plan: LinearPlan

    @property
    def op_id(self) -> int:
        """The id of the first linear value that the product is a part of."""
        return self.parts[0].op_id

    @property
    def source(self) -> int:
        """The id of the value that the product reads."""
        return self.parts[0].term.source

    def operand(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Returns the job's channels of ``local(value)``, uint32 of shape `plan.in_shape`.

        Args:
            values: the value that the product reads, of each inference.
        """
        first = self.parts[0]
        parts = [apply_local(self.local, value)[:, first.in_channels] for value in values]
        return np.ascontiguousarray(parts[0]) if len(parts) == 1 else np.concatenate(parts)

    def dense_weights(self, weights: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns the weights of all parts, int16 of shape `plan.weight_shape`. They are secret."""
        kernel = self.plan.weight_shape[2:]
        dense = [part.dense_weights(weights[part.weighted.weight], kernel) for part in self.parts]
        return dense[0] if len(dense) == 1 else np.concatenate(dense)

    def add(self, product: np.ndarray, totals: Sequence[Mapping[int, np.ndarray]]) -> None:
        """Adds the parts to shares of linear values, from a share of the product.

        Args:
            totals: of each inference, the shares by the ids of the values.
        """
        inferences = product.reshape(len(totals), -1, *product.shape[1:])
        for rows, total in zip(inferences, totals, strict=True):
            first = 0
            for part in self.parts:
                count = part.out_channels.stop - part.out_channels.start
                part.add(rows[:, first : first + count], total[part.op_id])
                first += count


def product_jobs(
    op_id: int,
    term: LinearTerm,
    weight_bits: int,
    first_number: int,
    objective: str = HE_PLANS[0],
    ahead: int = 1,
) -> Iterator[ProductJob]:
    """Yields the jobs of a weighted term, numbered from `first_number` on.

    Args:
        objective: one of `HE_PLANS`, for `LinearPlan.of`.
        ahead: the number of inferences that an offline phase prepares.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> [job.number for job in product_jobs(1, program.linear_ops[0].terms[0], 10, first_number=7)]
    [7]

    Raises:
        ModelError: the encryption cannot hold the operator.
    """
    assert term.weighted is not None
    shape, groups = linear_shape(term.weighted), term.weighted.groups
    groups_per_job = 1 if groups == 1 else _cheapest_split(shape, groups, weight_bits, objective, ahead)
    for number, first in enumerate(range(0, groups, groups_per_job), first_number):
        count = min(groups_per_job, groups - first)
        own = _part(shape, groups, count)
        part = ProductPart(op_id, term, first, count, whole_kernel(own))
        plan = product_plan(own, weight_bits, objective, ahead)
        yield ProductJob(number, (part,), term.local, own, plan)


def product_plan(shape: LinearShape, weight_bits: int, objective: str, ahead: int) -> LinearPlan:
    """Returns the plan of a product for `ahead` inferences, whose masks are the images of one batch.

    >>> shape = LinearShape("dense", (1, 512), (1, 10))
    >>> product_plan(shape, 8, "compute", ahead=4).in_shape
    (4, 512)

    Raises:
        ModelError: the encryption cannot hold the operator.
    """
    in_shape, out_shape = ((ahead * whole[0], *whole[1:]) for whole in (shape.in_shape, shape.out_shape))
    return LinearPlan.of(replace(shape, in_shape=in_shape, out_shape=out_shape), weight_bits, objective)


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
def _cheapest_split(shape: LinearShape, groups: int, weight_bits: int, objective: str, ahead: int) -> int:
    """Returns the number of groups per job that costs the fewest bytes on the wire.

    If two numbers cost the same, the smaller one wins, since it has fewer products.
    """

    def wire_bytes(count: int) -> int:
        whole, rest = divmod(groups, count)
        plans = [(whole, count), (1, rest)] if rest else [(whole, count)]
        return sum(  # without the released coefficients, which are the same for every split
            times * plan.layout.wire_bytes(plan.geometry)
            for times, size in plans
            for plan in (product_plan(_part(shape, groups, size), weight_bits, objective, ahead),)
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
