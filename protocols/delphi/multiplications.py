"""Element-wise products of activations, as squares are: in the round that makes the activation.

    client                                               server
                <---  (labels, words and bits of x = A + C);  A - t
      (C - r);  z = share of the product - r'  ---------->    product - r'

Source: Beaver, CRYPTO 1991, with half of the random factor fixed by the masks that the parties have
anyway: the server holds C - r as soon as it holds x - r. The quadratic activations are DELPHI's (section
4.2 there). Where it differs: the triple comes from OT on Z_2^32 (`crosses.py`) and not from HE on a prime
field; and the product is truncated by the one-bit gadget of docs/threat-model.md in the next round, never
locally.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pi_bench.hybrid.multiplications import CrossJob, MultiplicationPlan, MultiplyJob
from pi_bench.protocol import SessionLike

Arrays = Mapping[str, np.ndarray]


class ProductScratch:
    """A party's online buffers for element-wise products, touched once and reused.

    `own`: by activation, the party's share of it (A or C); of those that are multiplied alone. `opened`: by
    product, what goes to the client; `answer`: what comes back, and at the server the result.
    """

    def __init__(self, plan: MultiplicationPlan) -> None:
        rounds = {op_id: jobs for op_id, jobs in plan.in_round.items() if jobs}
        self.own = {op_id: _touched(jobs[0].op.shape) for op_id, jobs in rounds.items()}
        self.opened = {job.op.id: _touched((len(job.crosses), *job.op.shape)) for job in plan.jobs}
        self.answer = {job.op.id: _touched(job.op.shape) for job in plan.jobs}


def open_factors(
    session: SessionLike, job: MultiplyJob, arrays: Arrays, scratch: ProductScratch, left: np.ndarray | None
) -> None:
    """Server, before it receives: sends its factors A and, unless it is a square, `left`, m, less its t."""
    factors = [scratch.own[job.op.right]]
    if not job.is_square:
        assert left is not None
        factors.append(left)
    opened = scratch.opened[job.op.id]
    with session.step(job.op.id):
        for factor, cross, masked in zip(factors, job.crosses, opened, strict=True):
            np.subtract(factor, _stored(arrays, "factor", cross, factor.shape), out=masked)
        session.send(opened)


def finish_product(
    session: SessionLike,
    job: MultiplyJob,
    arrays: Arrays,
    scratch: ProductScratch,
    right: np.ndarray,
    left: np.ndarray,
) -> np.ndarray:
    """Server: the product less the client's new mask. right: x - r; left: m, not read for a square."""
    own, answer = scratch.own[job.op.right], scratch.answer[job.op.id]
    with session.step(job.op.id):
        session.receive_into(answer)
        masked_other = right - own  # C - r
        shares = [_stored(arrays, "cross", cross, own.shape) for cross in job.crosses]
        factors = [_stored(arrays, "factor", cross, own.shape) for cross in job.crosses]
        if job.is_square:
            # z + A^2 + 2 ((C - r) t + alpha)
            cross = masked_other * factors[0]
            cross += shares[0]
            cross += cross
            answer += cross
            answer += own * own
        else:
            # z + m A + t_2 (C - r) + alpha_1 + alpha_2
            answer += left * own
            answer += masked_other * factors[1]
            answer += shares[0]
            answer += shares[1]
        return answer


def client_product(
    session: SessionLike,
    job: MultiplyJob,
    arrays: Arrays,
    scratch: ProductScratch,
    left_mask: np.ndarray,
    next_mask: np.ndarray,
) -> None:
    """Client. left_mask: r of `left`, not read for a square; next_mask: r' of the product."""
    own, opened, answer = scratch.own[job.op.right], scratch.opened[job.op.id], scratch.answer[job.op.id]
    with session.step(job.op.id):
        session.receive_into(opened)
        shares = [_stored(arrays, "cross", cross, own.shape) for cross in job.crosses]
        if job.is_square:
            # C^2 + 2 (d C + beta) - r'
            np.multiply(opened[0], own, out=answer)
            answer += shares[0]
            answer += answer
            answer += own * own
        else:
            # r_w (C + d_1) + d_2 C + beta_1 + beta_2 - r'
            np.add(opened[0], own, out=answer)
            answer *= left_mask
            answer += opened[1] * own
            answer += shares[0]
            answer += shares[1]
        answer -= next_mask
        session.send(answer)


def _stored(arrays: Arrays, what: str, job: CrossJob, shape: tuple[int, ...]) -> np.ndarray:
    return arrays[f"{what}:{job.number}"][: job.count].reshape(shape)


def _touched(shape: tuple[int, ...]) -> np.ndarray:
    """Memory whose pages exist, so that the online phase does not touch it first."""
    return np.full(shape, 1, np.uint32)
