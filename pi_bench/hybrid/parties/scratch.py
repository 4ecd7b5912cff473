"""The buffers of the online phase, which are allocated and touched before the phase begins, and reused."""

from __future__ import annotations

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.hybrid.multiplications import MultiplicationPlan
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.execution.prepared_linear import PreparedLinear, workspace_for


def touched(shape: int | tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """Returns memory whose pages exist. `np.empty` leaves the first touch to the online phase.

    >>> touched(3, np.uint8)
    array([1, 1, 1], dtype=uint8)
    """
    return np.full(shape, 1, dtype)


class ProductScratch:
    """Holds a party's online buffers for element-wise products, which are touched once and reused.

    `own` has the party's share (A or C) of each activation that is a factor, by the activation's id: the
    versions of A at the server, and C in the first place at the client. `version` has the number of the
    version that counts, for each element. `opened` has the server's message of each product, and `answer` the
    client's message, which becomes the result at the server, by the product's id. All are uint32.

    >>> from pi_bench.testing import small_network
    >>> scratch = ProductScratch(MultiplicationPlan(small_network(square=True)[0]))
    >>> {op_id: opened.shape for op_id, opened in scratch.opened.items()}
    {3: (1, 1, 4)}
    """

    def __init__(self, plan: MultiplicationPlan) -> None:
        rounds = {op_id: jobs for op_id, jobs in plan.in_round.items() if jobs}
        self.own = {
            op_id: touched((jobs[0].versions, *jobs[0].op.shape), np.uint32) for op_id, jobs in rounds.items()
        }
        self.version = {op_id: np.zeros(jobs[0].op.shape, np.uint32) for op_id, jobs in rounds.items()}
        self.opened = {job.op.id: touched((len(job.crosses), *job.op.shape), np.uint32) for job in plan.jobs}
        self.answer = {job.op.id: touched(job.op.shape, np.uint32) for job in plan.jobs}


class ClientScratch:
    """Holds the client's online buffers, which are touched once and reused.

    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> ClientScratch(WorkPlan(program, ProtocolOptions("exact"))).answer.shape  # 4 ReLUs, padded
    (32,)
    """

    def __init__(self, plan: WorkPlan) -> None:
        largest = max(
            (
                len(groups) * job.online_group_bytes
                for job in plan.gadget_jobs
                for groups in job.online_slices
            ),
            default=0,
        )
        self.message = touched(largest, np.uint8)
        self.answer = touched(plan.widest_activation, np.uint32)
        self.bits = touched(plan.answer_bits_bytes // WORD_BYTES, np.uint32)
        self.products = ProductScratch(plan.multiplications)


class ServerScratch:
    """Holds the server's online buffers, which are touched once and reused.

    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> linear = {op.id: PreparedLinear(op, weights, program.weight_bits) for op in program.linear_ops}
    >>> ServerScratch(plan, linear).results[2].shape
    (1, 4)
    """

    def __init__(self, plan: WorkPlan, linear: dict[int, PreparedLinear]) -> None:
        self.workspace = workspace_for(linear.values())
        self.messages = touched(plan.online_arena_bytes, np.uint8)
        self.kept = touched(plan.kept_bytes, np.uint8)
        self.answer = touched(plan.widest_activation, np.uint32)
        largest = max(
            (job.online_answer_bytes(groups) for job in plan.gadget_jobs for groups in job.online_slices),
            default=0,
        )
        self.incoming = touched(largest // WORD_BYTES, np.uint32)
        self.results = {op.id: touched(op.shape, np.uint32) for op in plan.program.activation_ops}
        self.products = ProductScratch(plan.multiplications)
