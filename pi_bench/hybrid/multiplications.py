"""What element-wise products of activations ask of a protocol: cross products offline, two words online.

The server's share of `right` is A before it sends a word of the activation's round, the client's share C
after it has received one; m = left - r is at the server, r at the client since the offline phase:

    square      x^2     = A^2 + 2 A C + C^2
    product     left * right = m A + r A + m C + r C

What neither party can compute alone has a factor of each: A or m, which the server sends under a uniform
mask t, and C or r. Beaver's trick (CRYPTO 1991) needs shares of t times the client's *mask* of the other
factor, known offline: one cross product for a square, two for another product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.crypto import gilboa
from pi_bench.crypto.ot_extension import extension_bytes
from pi_bench.crypto.symmetric import LANES
from pi_bench.hybrid.lane_groups import OFFLINE_SLICE_OTS, LaneGroups, slices
from pi_bench.network.program import RING_BITS, MultiplyOp, Program, element_count


@dataclass(frozen=True, eq=False)
class CrossJob(LaneGroups):
    """Shares of t r mod 2^`bit_count` for each element: t the server's, uniform; r the client's mask.

    `number` enters the hash tweaks and is unique among the cross products of a program. `masked_by`: id of
    the value whose mask r is.
    """

    number: int
    op_id: int
    count: int
    bit_count: int
    masked_by: int

    @cached_property
    def offline_slices(self) -> list[range]:
        """Ranges of lane groups whose OTs are extended together."""
        return slices(self.group_count, max(1, OFFLINE_SLICE_OTS // (self.bit_count * LANES)))

    def ot_count(self, groups: range) -> int:
        return len(groups) * LANES * self.bit_count

    def choice_bytes(self, groups: range) -> int:
        """Server to client: the OT extension's message."""
        return extension_bytes(self.ot_count(groups))

    def correction_bytes(self, groups: range) -> int:
        """Client to server."""
        return WORD_BYTES * gilboa.correction_words(self.bit_count) * len(groups)


@dataclass(frozen=True, slots=True)
class MultiplyJob:
    """One element-wise product. `crosses`: of a square the one with t for A; else t for A, then t for m."""

    op: MultiplyOp
    crosses: tuple[CrossJob, ...]

    @property
    def is_square(self) -> bool:
        return self.op.left == self.op.right

    @property
    def opened_bytes(self) -> int:
        """Online, server to client: A - t, and m - t of a product, a tensor each."""
        return len(self.crosses) * self.answer_bytes

    @property
    def answer_bytes(self) -> int:
        """Online, client to server."""
        return WORD_BYTES * element_count(self.op.shape)


class MultiplicationPlan:
    """The element-wise products of a program, by the activation in whose round each is computed."""

    def __init__(self, program: Program) -> None:
        self.in_round: dict[int, list[MultiplyJob]] = {op.id: [] for op in program.activation_ops}
        number = 0
        for op in program.multiply_ops:
            if op.left == op.right:
                # 2 t r mod 2^l: the top bits of t and r are shifted out
                masks, bit_count = [op.right], RING_BITS - 1
            else:
                masks, bit_count = [op.left, op.right], RING_BITS
            crosses = tuple(
                CrossJob(number + i, op.id, element_count(op.shape), bit_count, mask)
                for i, mask in enumerate(masks)
            )
            number += len(crosses)
            self.in_round[op.right].append(MultiplyJob(op, crosses))

    @cached_property
    def jobs(self) -> list[MultiplyJob]:
        return [job for jobs in self.in_round.values() for job in jobs]

    def crosses(self, activation_ids: Iterable[int] | None = None) -> Iterator[CrossJob]:
        """Of the rounds of these activations; of all."""
        for op_id in self.in_round if activation_ids is None else activation_ids:
            for job in self.in_round[op_id]:
                yield from job.crosses
