"""The work that a program asks of a protocol with homomorphic products and garbled gadgets.

From the public program alone: which products run under encryption, which gadgets evaluate which
elements, in which slices, and how many bytes each message has. Both parties derive the same plan, so
the receiver of a message always knows its size, and `pi-bench inspect` predicts the bytes from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.crypto.gadget import GadgetSpec
from pi_bench.crypto.he import prepared_bytes
from pi_bench.crypto.symmetric import LANES
from pi_bench.hybrid.lane_groups import OFFLINE_SLICE_OTS, LaneGroups, slices
from pi_bench.hybrid.modes import LABEL_CHUNK, window_law
from pi_bench.hybrid.multiplications import CrossJob, MultiplicationPlan
from pi_bench.hybrid.products import ProductJob, product_jobs
from pi_bench.network.program import (
    ActivationKind,
    ActivationOp,
    LinearOp,
    Program,
)
from pi_bench.protocol.options import ProtocolOptions

SEED_BYTES = 16
OT_BYTES = 4
"""What an extended OT costs on the wire: 128 / k bits, k = 4 (SoftSpoken)."""

_ONLINE_SLICE_BYTES = 3 << 18
_OFFLINE_SLICE_BYTES = 1 << 23


@dataclass(frozen=True, eq=False)
class GadgetJob(LaneGroups):
    """One group of an activation, padded to whole groups of lanes.

    `number` enters the hash tweaks and is unique in a program. `index` as in `ActivationGroup`.
    """

    number: int
    op_id: int
    spec: GadgetSpec
    index: np.ndarray | None
    count: int

    @cached_property
    def online_slices(self) -> list[range]:
        """Ranges of lane groups: small enough that both parties and the wire work at once."""
        bytes_per_group = self.spec.online_group_bytes + LANES * WORD_BYTES
        return slices(self.group_count, max(1, _ONLINE_SLICE_BYTES // bytes_per_group))

    @cached_property
    def offline_slices(self) -> list[range]:
        by_ots = OFFLINE_SLICE_OTS // (self.spec.label_ots * LANES)
        by_bytes = _OFFLINE_SLICE_BYTES // self.spec.garbled_group_bytes
        return slices(self.group_count, max(1, min(by_ots, by_bytes)))

    def label_ot_count(self, groups: range) -> int:
        return len(groups) * LANES * self.spec.label_ots

    def gather(self, tensor: np.ndarray) -> np.ndarray:
        """The group's elements of a tensor, flat, without padding; a view if it is all of them."""
        flat = tensor.reshape(-1)
        return flat if self.index is None else flat[self.index]

    def scatter(self, values: np.ndarray, tensor: np.ndarray) -> None:
        """Writes the group's elements, flat, without padding, into a contiguous tensor."""
        flat = tensor.reshape(-1)
        if self.index is None:
            flat[:] = values
        else:
            flat[self.index] = values


class WorkPlan:
    """Products, gadgets and multiplications of a program in the order in which they run."""

    def __init__(self, program: Program, options: ProtocolOptions) -> None:
        self.program = program
        self.products: list[ProductJob] = []
        self.gadgets: dict[int, list[GadgetJob]] = {}
        self.multiplications = MultiplicationPlan(program)
        for linear in program.linear_ops:
            for term in linear.terms:
                if term.weighted is not None:
                    self.products += product_jobs(linear.id, term, program.weight_bits, len(self.products))
        number = 0
        for activation in program.activation_ops:
            jobs = self.gadgets[activation.id] = []
            for group in activation.groups:
                spec = gadget_spec(activation, group.kind, options)
                jobs.append(GadgetJob(number, activation.id, spec, group.index, group.count))
                number += 1

    @cached_property
    def _sources(self) -> dict[int, int]:
        return {op.id: op.source for op in self.program.activation_ops}

    @cached_property
    def gadget_jobs(self) -> list[GadgetJob]:
        return [job for jobs in self.gadgets.values() for job in jobs]

    def products_of(self, op_id: int) -> list[ProductJob]:
        """The products that make up a linear value."""
        return [job for job in self.products if job.op_id == op_id]

    def prepared_products(self, cache_bytes: int) -> list[ProductJob]:
        """Those whose weights a server transforms once and keeps: the first that fit into `cache_bytes`."""
        found, used = [], 0
        for job in self.products:
            size = prepared_bytes(job.plan)
            if used + size <= cache_bytes:
                found.append(job)
                used += size
        return found

    def gadgets_of_source(self, op_id: int) -> list[GadgetJob]:
        """The gadgets that work on a linear value."""
        return [job for job in self.gadget_jobs if self.source_of(job) == op_id]

    def crosses_of_source(self, op_id: int) -> list[CrossJob]:
        """The cross products of the element-wise products of a linear value's activations."""
        activation_ids = [activation for activation, source in self._sources.items() if source == op_id]
        return list(self.multiplications.crosses(activation_ids))

    def source_of(self, job: GadgetJob) -> int:
        """The linear value that a gadget works on."""
        return self._sources[job.op_id]

    @cached_property
    def linear_after(self) -> dict[int, list[int]]:
        """By activation, the linear operators that the server computes before its next message."""
        found: dict[int, list[int]] = {}
        here: list[int] = []
        for op in self.program.ops:
            if isinstance(op, ActivationOp):
                here = found[op.id] = []
            elif isinstance(op, LinearOp):
                here.append(op.id)
        return found

    @cached_property
    def online_arena_bytes(self) -> int:
        """The largest activation's messages, server to client: what must be in flight at once."""
        return max(
            (
                sum(job.group_count * job.spec.online_group_bytes for job in jobs)
                for jobs in self.gadgets.values()
            ),
            default=0,
        )

    @cached_property
    def widest_activation(self) -> int:
        """Padded elements of the largest activation."""
        return max((sum(job.padded_count for job in jobs) for jobs in self.gadgets.values()), default=0)


def gadget_spec(op: ActivationOp, kind: ActivationKind, options: ProtocolOptions) -> GadgetSpec:
    """The gadget for one kind of element of an activation."""
    law = window_law(options)
    is_relu = kind is ActivationKind.RELU
    return GadgetSpec(
        kind=kind.value,
        truncate_bits=op.truncate_bits,
        window_bits=op.window_bits,
        exact=law.exact,
        offset=law.offset(op.truncate_bits),
        label_chunk=LABEL_CHUNK.of(options),
        sign_drop=law.dropped_sign_bits(op.truncate_bits, op.window_bits) if is_relu else 0,
    )


def part(array: np.ndarray, positions: range) -> np.ndarray:
    """The view of `array` at `positions` of axis 0."""
    return array[positions.start : positions.stop]
