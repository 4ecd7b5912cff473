"""The work that a program requires from a protocol with homomorphic products and garbled gadgets.

A plan follows from the public program alone. It says which products run under encryption, which gadgets
evaluate which elements, in which slices, and how many bytes each message has. Both parties derive the same
plan, so the receiver of a message always knows its size. `pi-bench inspect` predicts the bytes from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.crypto.fss import FssSpec
from pi_bench.crypto.gadget import GadgetSpec
from pi_bench.crypto.he import transformed_bytes
from pi_bench.crypto.symmetric import LANES
from pi_bench.hybrid.lane_groups import OFFLINE_SLICE_OTS, LaneGroups, slices
from pi_bench.hybrid.modes import GARBLING, HE_PLAN, LABEL_CHUNK, ot_construction, settled, window_law
from pi_bench.hybrid.multiplications import CrossJob, MultiplicationPlan
from pi_bench.hybrid.ot_construction import SOFTSPOKEN, OtConstruction
from pi_bench.hybrid.ot_plan import OtPlan
from pi_bench.hybrid.products import ProductJob
from pi_bench.hybrid.shared_uploads import program_products
from pi_bench.network.program import (
    ActivationKind,
    ActivationOp,
    Program,
)
from pi_bench.protocol.options import ProtocolOptions

_ONLINE_SLICE_BYTES = 3 << 18
_TABLE_SLICE_GROUPS = 1 << 9
"""The groups of an online slice of tables: so few that messages are on their way while the next is made."""


@dataclass(frozen=True, eq=False)
class GadgetJob(LaneGroups):
    """Describes the gadgets of one group of an activation, padded to whole groups of lanes.

    Attributes:
        number: the gadget's number, which is unique in a program and enters the hash tweaks.
        index: that of `ActivationGroup`.
        spec: the numbers of the gadget.
        table: None if the gadget is garbled; otherwise it computes the same law with a shared table.
        construction: that of its OTs.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> (job,) = WorkPlan(program, ProtocolOptions("exact")).gadget_jobs
    >>> job.spec.kind, job.count, job.padded_count
    ('relu', 4, 32)
    >>> job.gather(np.arange(4).reshape(1, 4))
    array([0, 1, 2, 3])
    """

    number: int
    op_id: int
    spec: GadgetSpec
    index: np.ndarray | None
    count: int
    table: FssSpec | None = None
    construction: OtConstruction = SOFTSPOKEN

    @property
    def gadget(self) -> GadgetSpec | FssSpec:
        """The numbers of the gadget that runs: of the table, or of the garbled one."""
        return self.spec if self.table is None else self.table

    @cached_property
    def online_slices(self) -> list[range]:
        """The ranges of lane groups online. They are so small that both parties and the wire work at once."""
        groups = _ONLINE_SLICE_BYTES // (self.online_group_bytes + LANES * WORD_BYTES)
        if self.table is not None:
            groups = min(groups, _TABLE_SLICE_GROUPS)
        return slices(self.group_count, max(1, groups))

    @cached_property
    def offline_slices(self) -> list[range]:
        """The ranges of lane groups offline, bounded in OTs and in bytes of garbled tables or tree nodes."""
        ots = self.gadget.request_ots
        if self.table is not None:  # select bits of a garbled gadget have an exchange of their own
            ots += self.table.choice_ots
        most = min(OFFLINE_SLICE_OTS // (ots * LANES), self.gadget.slice_groups)
        return slices(self.group_count, max(1, most))

    @cached_property
    def online_group_bytes(self) -> int:
        """The bytes of the server's online message per lane group."""
        return self.gadget.online_group_bytes

    @cached_property
    def kept_group_bytes(self) -> int:
        """The bytes per lane group that the server keeps from its message to the client's answer."""
        return self.gadget.kept_group_bytes

    @cached_property
    def share_versions(self) -> int:
        """The number of shares of the result that the server has before it knows which one counts."""
        return self.gadget.share_versions

    @cached_property
    def answer_group_bytes(self) -> int:
        """The bytes of the client's online message per lane group, besides a word per real element."""
        return self.gadget.answer_group_bytes

    def online_answer_bytes(self, groups: range) -> int:
        """Returns the size of the client's online message for a range of lane groups.

        It has a word per real element, and then the answer bits.
        """
        return WORD_BYTES * len(self.real_elements(groups)) + self.answer_group_bytes * len(groups)

    def label_ot_count(self, groups: range) -> int:
        """Returns the number of label OTs in a range of lane groups."""
        return len(groups) * LANES * self.spec.label_ots

    @property
    def label_direction_ots(self) -> int:
        """The number of OTs that the client chooses, of all lane groups."""
        return self.padded_count * self.gadget.request_ots

    @property
    def reverse_direction_ots(self) -> int:
        """The number of OTs that the server chooses, of all lane groups."""
        return self.padded_count * self.gadget.choice_ots

    def gather(self, tensor: np.ndarray) -> np.ndarray:
        """Returns the group's elements of a tensor, flat and without padding.

        The result is a view if the group has all elements.
        """
        flat = tensor.reshape(-1)
        return flat if self.index is None else flat[self.index]

    def scatter(self, values: np.ndarray, tensor: np.ndarray) -> None:
        """Writes the group's elements, given flat and without padding, into a contiguous tensor."""
        flat = tensor.reshape(-1)
        if self.index is None:
            flat[:] = values
        else:
            flat[self.index] = values

    def scatter_slice(self, values: np.ndarray, groups: range, tensor: np.ndarray) -> None:
        """Writes the elements of a range of lane groups into a contiguous tensor.

        `values` are flat, begin with the range and may have padding.
        """
        real = self.real_elements(groups)
        flat = tensor.reshape(-1)
        if self.index is None:
            flat[real.start : real.stop] = values[: len(real)]
        else:
            flat[rows(self.index, real)] = values[: len(real)]


class WorkPlan:
    """Lists the products, gadgets and multiplications of a program in the order in which they run.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> [job.op_id for job in plan.products], [job.op_id for job in plan.gadget_jobs]
    ([1, 3], [2])
    >>> len(plan.prepared_products(cache_bytes=0))
    0

    With `uses_tables`, a gadget is computed with a shared table wherever its window is small enough:

    >>> (job,) = WorkPlan(program, ProtocolOptions("windowed"), uses_tables=True).table_jobs
    >>> job.online_group_bytes < plan.gadget_jobs[0].online_group_bytes / 20
    True

    `construction` is that of the OTs. `ahead` is the number of inferences of an offline phase. Products are
    those of all of them together. Gadgets and multiplications are those of one.

    Raises:
        ModelError: the encryption cannot hold an operator.
    """

    def __init__(self, program: Program, options: ProtocolOptions, *, uses_tables: bool = False) -> None:
        self.program, self.ahead = program, options.ahead
        self.products = program_products(program, settled(HE_PLAN, options), options.ahead)
        self.gadgets: dict[int, list[GadgetJob]] = {}
        self.construction, number = ot_construction(options), 0
        for activation in program.activation_ops:
            jobs = self.gadgets[activation.id] = []
            for group in activation.groups:
                spec = gadget_spec(activation, group.kind, options)
                table = FssSpec.of_gadget(spec) if uses_tables else None
                jobs.append(
                    GadgetJob(number, activation.id, spec, group.index, group.count, table, self.construction)
                )
                number += 1
        versions = {op_id: max(job.share_versions for job in jobs) for op_id, jobs in self.gadgets.items()}
        self.multiplications = MultiplicationPlan(program, versions, construction=self.construction)

    @cached_property
    def _sources(self) -> dict[int, int]:
        return {op.id: op.source for op in self.program.activation_ops}

    @cached_property
    def ots(self) -> OtPlan:
        """The batches of all OTs of an inference."""
        return self.construction.plan(self._label_count, self._reverse_count)

    @property
    def ot_count(self) -> int:
        """The number of OTs of an inference, in both directions."""
        return self._label_count + self._reverse_count

    @cached_property
    def _label_count(self) -> int:
        return sum(job.label_direction_ots for job in self.gadget_jobs)

    @cached_property
    def _reverse_count(self) -> int:
        crosses = sum(job.ot_count(range(job.group_count)) for job in self.multiplications.crosses())
        return crosses + sum(job.reverse_direction_ots for job in self.gadget_jobs)

    @cached_property
    def gadget_jobs(self) -> list[GadgetJob]:
        """The gadgets of all activations, in the program's order."""
        return [job for jobs in self.gadgets.values() for job in jobs]

    @cached_property
    def table_jobs(self) -> list[GadgetJob]:
        """The gadgets that are computed with shared tables. All others are garbled."""
        return [job for job in self.gadget_jobs if job.table is not None]

    def products_of(self, op_id: int) -> list[ProductJob]:
        """Returns the products whose first part is a part of a linear value.

        A part of it that shares an upload with an earlier value is in a product of that one.
        """
        return self._products_by_op.get(op_id, [])

    @cached_property
    def _products_by_op(self) -> dict[int, list[ProductJob]]:
        found: defaultdict[int, list[ProductJob]] = defaultdict(list)
        for job in self.products:
            found[job.op_id].append(job)
        return dict(found)

    @property
    def needs_copy_keys(self) -> bool:
        """Whether an operator copies its input polynomials, so that the client sends copy keys."""
        return any(job.plan.layout.copies > 1 for job in self.products)

    def prepared_products(self, cache_bytes: int) -> list[ProductJob]:
        """Returns the products whose weights a server transforms once and keeps.

        They are the first ones that fit into `cache_bytes`.
        """
        found, used = [], 0
        for job in self.products:
            size = transformed_bytes(job.plan)
            if used + size <= cache_bytes:
                found.append(job)
                used += size
        return found

    def gadgets_of_source(self, op_id: int) -> list[GadgetJob]:
        """Returns the gadgets that work on a linear value."""
        return self._gadgets_by_source.get(op_id, [])

    @cached_property
    def _gadgets_by_source(self) -> dict[int, list[GadgetJob]]:
        found: defaultdict[int, list[GadgetJob]] = defaultdict(list)
        for job in self.gadget_jobs:
            found[self.source_of(job)].append(job)
        return dict(found)

    def crosses_of_source(self, op_id: int) -> list[CrossJob]:
        """Returns the cross products of the element-wise products of a linear value's activations."""
        activation_ids = [activation for activation, source in self._sources.items() if source == op_id]
        return list(self.multiplications.crosses(activation_ids))

    def source_of(self, job: GadgetJob) -> int:
        """Returns the id of the linear value that a gadget works on."""
        return self._sources[job.op_id]

    @cached_property
    def online_arena_bytes(self) -> int:
        """The bytes of the server's messages for the largest activation. They are all in flight at once."""
        return self._largest(lambda job: job.group_count * job.online_group_bytes)

    @cached_property
    def kept_bytes(self) -> int:
        """The bytes that the server keeps for the largest activation until it has all answers."""
        return self._largest(lambda job: job.group_count * job.kept_group_bytes)

    @cached_property
    def answer_bits_bytes(self) -> int:
        """The bytes of the client's answer bits for the largest activation."""
        return self._largest(lambda job: job.group_count * job.answer_group_bytes)

    @cached_property
    def widest_activation(self) -> int:
        """The number of padded elements of the largest activation."""
        return self._largest(lambda job: job.padded_count)

    def _largest(self, size_of: Callable[[GadgetJob], int]) -> int:
        """Returns the largest sum of the sizes of an activation's gadgets."""
        return max((sum(map(size_of, jobs)) for jobs in self.gadgets.values()), default=0)


def gadget_spec(op: ActivationOp, kind: ActivationKind, options: ProtocolOptions) -> GadgetSpec:
    """Returns the gadget for one kind of element of an activation.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> spec = gadget_spec(program.activation_ops[0], ActivationKind.RELU, ProtocolOptions("exact"))
    >>> spec.exact, spec.label_chunk
    (True, 1)
    """
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
        garbling=settled(GARBLING, options),
    )


def rows(array: np.ndarray, positions: range) -> np.ndarray:
    """Returns the view of `array` at `positions` of axis 0.

    >>> rows(np.arange(8), range(2, 4))
    array([2, 3])
    """
    return array[positions.start : positions.stop]
