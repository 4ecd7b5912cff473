"""The plan of element-wise products of activations: cross products offline, two words per element online.

The server knows its share A of `right` before it sends the first word of the activation's round. The client
knows its share C after it has received the round's words. Since the offline phase the client holds r, and the
server holds m = left - r:

    square      x^2     = A^2 + 2 A C + C^2
    product     left * right = m A + r A + m C + r C

The terms that neither party can compute alone have one factor of each. The server's factor is A or m, which
it sends under a uniform mask t. The client's factor is C or r. Beaver's trick (CRYPTO 1991) needs shares of
t times the client's *mask* of the other factor, which is known offline. So a square needs one cross product,
and any other product needs two.

A gadget with a table leaves the server with several versions of A, until the client's answer says which of
them counts. Then each version is sent under a mask t of its own, with a cross product of its own. With one
mask for two versions, the client would learn the value of the activation up to its sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.crypto import gilboa
from pi_bench.crypto.symmetric import LANES
from pi_bench.hybrid.lane_groups import OFFLINE_SLICE_OTS, LaneGroups, slices
from pi_bench.hybrid.ot_construction import SOFTSPOKEN, OtConstruction
from pi_bench.network.program import RING_BITS, MultiplyOp, Program, element_count


@dataclass(frozen=True, eq=False)
class CrossJob(LaneGroups):
    """Describes a cross product: shares of t r mod 2^`bit_count` for each of `count` elements.

    The server draws t uniformly. The client's r is the mask of the value with id `masked_by`. `number` enters
    the hash tweaks and is unique among the cross products of a program.

    >>> job = CrossJob(number=0, op_id=3, count=4, bit_count=31, masked_by=2)
    >>> job.ot_count(job.offline_slices[0])  # 31 bits of 32 padded elements
    992
    """

    number: int
    op_id: int
    count: int
    bit_count: int
    masked_by: int
    construction: OtConstruction = SOFTSPOKEN

    @cached_property
    def offline_slices(self) -> list[range]:
        """Ranges of lane groups whose OTs are extended together."""
        return slices(self.group_count, max(1, OFFLINE_SLICE_OTS // (self.bit_count * LANES)))

    def ot_count(self, groups: range) -> int:
        """Returns the number of OTs in a range of lane groups: one per bit of each element."""
        return len(groups) * LANES * self.bit_count

    def choice_bytes(self, groups: range) -> int:
        """Returns the size of the server's message: that of the OT extension."""
        return self.extension_bytes(self.ot_count(groups))

    def correction_bytes(self, groups: range) -> int:
        """Returns the size of the client's message, the corrections."""
        return WORD_BYTES * gilboa.correction_words(self.bit_count) * len(groups)


@dataclass(frozen=True, slots=True)
class MultiplyJob:
    """Describes one element-wise product.

    The first of `crosses` have the masks t of the versions of A. A product that is not a square has one more,
    for m.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network(square=True)
    >>> (job,) = MultiplicationPlan(program).jobs
    >>> job.is_square, job.opened_bytes, job.answer_bytes
    (True, 16, 16)
    """

    op: MultiplyOp
    crosses: tuple[CrossJob, ...]

    @property
    def is_square(self) -> bool:
        """Whether both factors are the same value."""
        return self.op.left == self.op.right

    @property
    def versions(self) -> int:
        """The number of versions of the server's share A."""
        return len(self.crosses) - (0 if self.is_square else 1)

    @property
    def opened_bytes(self) -> int:
        """The size of the server's message online: A - t for each version, and for a product m - t too."""
        return len(self.crosses) * self.answer_bytes

    @property
    def answer_bytes(self) -> int:
        """The size of the client's message online, a word per element."""
        return WORD_BYTES * element_count(self.op.shape)


class MultiplicationPlan:
    """Lists the element-wise products of a program, by the activation in whose round each is computed.

    Args:
        versions: the number of versions of the server's share of each activation, by its id. Without an entry
            there is one version.
        construction: that of the OTs.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network(square=True)
    >>> plan = MultiplicationPlan(program)
    >>> {op_id: len(jobs) for op_id, jobs in plan.in_round.items()}
    {2: 1, 5: 0}
    >>> [cross.bit_count for cross in plan.crosses()]
    [31]
    >>> [cross.bit_count for cross in MultiplicationPlan(program, {2: 2}).crosses()]
    [31, 31]
    """

    def __init__(
        self,
        program: Program,
        versions: Mapping[int, int] | None = None,
        *,
        construction: OtConstruction = SOFTSPOKEN,
    ) -> None:
        self.in_round: dict[int, list[MultiplyJob]] = {op.id: [] for op in program.activation_ops}
        number = 0
        for op in program.multiply_ops:
            count = 1 if versions is None else versions.get(op.right, 1)
            if op.left == op.right:
                # 2 t r mod 2^l: the top bits of t and r are shifted out
                masks, bit_count = [op.right] * count, RING_BITS - 1
            else:
                masks, bit_count = [op.left] * count + [op.right], RING_BITS
            crosses = tuple(
                CrossJob(number + i, op.id, element_count(op.shape), bit_count, mask, construction)
                for i, mask in enumerate(masks)
            )
            number += len(crosses)
            self.in_round[op.right].append(MultiplyJob(op, crosses))

    @cached_property
    def jobs(self) -> list[MultiplyJob]:
        """All products, in the program's order."""
        return [job for jobs in self.in_round.values() for job in jobs]

    def crosses(self, activation_ids: Iterable[int] | None = None) -> Iterator[CrossJob]:
        """Yields the cross products of the rounds of these activations, by default of every activation."""
        for op_id in self.in_round if activation_ids is None else activation_ids:
            for job in self.in_round[op_id]:
                yield from job.crosses
