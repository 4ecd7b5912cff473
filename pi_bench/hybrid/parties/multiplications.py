"""Element-wise products of activations, such as squares, in the round that makes the activation.

    client                                               server
                <---  (message of x = A + C);  A - t for each version of A
      (C - r);  z = share of the product - r'  ---------->    product - r'

Source: Beaver, CRYPTO 1991. The masks that the parties have anyway replace half of the random factors, since
the server holds C - r as soon as it holds x - r. The quadratic activations are those of DELPHI, section 4.2.
The versions of A: `pi_bench.hybrid.multiplications`.
This differs from DELPHI in two points. The triple comes from OT on Z_2^32 (`crosses.py`) and not from HE on a
prime field. And the one-bit gadget of docs/threat-model.md truncates the product in the next round, never
locally.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pi_bench.hybrid.multiplications import CrossJob, MultiplyJob
from pi_bench.hybrid.parties.scratch import ProductScratch
from pi_bench.protocol import SessionLike

Arrays = Mapping[str, np.ndarray]


def open_factors(
    session: SessionLike, job: MultiplyJob, arrays: Arrays, scratch: ProductScratch, left: np.ndarray | None
) -> None:
    """Sends the server's factors less their masks t, before the server receives anything.

    The factors are A and, unless the product is a square, `left`, which is m.

    >>> from pi_bench.hybrid.multiplications import MultiplicationPlan
    >>> from pi_bench.testing import memory_sessions, small_network
    >>> plan = MultiplicationPlan(small_network(square=True)[0])
    >>> (job,), scratch = plan.jobs, ProductScratch(plan)
    >>> scratch.own[2][:] = 7  # the only version of A
    >>> client, server = memory_sessions().values()
    >>> open_factors(server, job, {"factor:0": np.full(32, 5, np.uint32)}, scratch, None)
    >>> with client.step(3):
    ...     np.frombuffer(client.receive(16), np.uint32)
    array([2, 2, 2, 2], dtype=uint32)
    """
    factors = [*scratch.own[job.op.right]]
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
    """Receives the client's answer and returns, at the server, the product less the client's new mask.

    `right` is x - r. `left` is m, which is not read for a square. In this square the server's share is 7, and
    every other share and mask is 0:

    >>> from pi_bench.hybrid.multiplications import MultiplicationPlan
    >>> from pi_bench.testing import memory_sessions, small_network
    >>> plan = MultiplicationPlan(small_network(square=True)[0])
    >>> (job,), scratch = plan.jobs, ProductScratch(plan)
    >>> zeros = {name: np.zeros(32, np.uint32) for name in ("factor:0", "cross:0")}
    >>> x = np.full((1, 4), 7, np.uint32)
    >>> scratch.own[2][:] = x
    >>> client, server = memory_sessions().values()
    >>> with client.step(3):
    ...     client.send(np.zeros((1, 4), np.uint32))
    >>> finish_product(server, job, zeros, scratch, right=x, left=x)
    array([[49, 49, 49, 49]], dtype=uint32)
    """
    answer, version = scratch.answer[job.op.id], scratch.version[job.op.right]
    with session.step(job.op.id):
        session.receive_into(answer)
        own = of_version(list(scratch.own[job.op.right]), version)
        masked_other = right - own  # C - r
        shares = [_stored(arrays, "cross", cross, own.shape) for cross in job.crosses]
        factors = [_stored(arrays, "factor", cross, own.shape) for cross in job.crosses]
        share = of_version(shares[: job.versions], version)
        if job.is_square:
            # z + A^2 + 2 ((C - r) t + alpha)
            cross = masked_other * of_version(factors, version)
            cross += share
            cross += cross
            answer += cross
            answer += own * own
        else:
            # z + m A + t_2 (C - r) + alpha_1 + alpha_2
            answer += left * own
            answer += masked_other * factors[-1]
            answer += share
            answer += shares[-1]
        return answer


def client_product(
    session: SessionLike,
    job: MultiplyJob,
    arrays: Arrays,
    scratch: ProductScratch,
    left_mask: np.ndarray,
    next_mask: np.ndarray,
) -> None:
    """Receives the server's factors and sends the client's share of the product less its new mask r'.

    `left_mask` is r of the left factor, which is not read for a square. `next_mask` is r'. In this square the
    client's share is 3, the server opens 2, and beta is 1. The answer is 3^2 + 2 (2 * 3 + 1) less 10:

    >>> from pi_bench.hybrid.multiplications import MultiplicationPlan
    >>> from pi_bench.testing import memory_sessions, small_network
    >>> plan = MultiplicationPlan(small_network(square=True)[0])
    >>> (job,), scratch = plan.jobs, ProductScratch(plan)
    >>> scratch.own[2][:] = 3  # C
    >>> client, server = memory_sessions().values()
    >>> with server.step(3):
    ...     server.send(np.full(4, 2, np.uint32))
    >>> arrays, mask = {"cross:0": np.ones(32, np.uint32)}, np.full((1, 4), 10, np.uint32)
    >>> client_product(client, job, arrays, scratch, left_mask=mask, next_mask=mask)
    >>> with server.step(3):
    ...     np.frombuffer(server.receive(16), np.uint32)
    array([13, 13, 13, 13], dtype=uint32)
    """
    own, opened, answer = scratch.own[job.op.right][0], scratch.opened[job.op.id], scratch.answer[job.op.id]
    version = scratch.version[job.op.right]
    with session.step(job.op.id):
        session.receive_into(opened)
        shares = [_stored(arrays, "cross", cross, own.shape) for cross in job.crosses]
        d = of_version(list(opened[: job.versions]), version)
        share = of_version(shares[: job.versions], version)
        if job.is_square:
            # C^2 + 2 (d C + beta) - r'
            np.multiply(d, own, out=answer)
            answer += share
            answer += answer
            answer += own * own
        else:
            # r_w (C + d_1) + d_2 C + beta_1 + beta_2 - r'
            np.add(d, own, out=answer)
            answer *= left_mask
            answer += opened[-1] * own
            answer += share
            answer += shares[-1]
        answer -= next_mask
        session.send(answer)


def of_version(words: Sequence[np.ndarray], version: np.ndarray) -> np.ndarray:
    """Returns, for each element, its word of the version that counts, in a time that does not depend on it.

    `words` has an array per version, uint32 of one shape, and `version` is uint32 of the same shape.

    >>> of_version([np.array([1, 2], np.uint32), np.array([3, 4], np.uint32)], np.array([1, 0], np.uint32))
    array([3, 2], dtype=uint32)
    """
    if len(words) == 1:
        return words[0]
    found = np.zeros_like(words[0])
    for number, array in enumerate(words):
        found |= array & (0 - (version == number).astype(np.uint32))
    return found


def _stored(arrays: Arrays, what: str, job: CrossJob, shape: tuple[int, ...]) -> np.ndarray:
    return arrays[f"{what}:{job.number}"][: job.count].reshape(shape)
