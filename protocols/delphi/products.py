"""Offline products under encryption: the client gets v = W r - s, the server keeps s.

    client                                      server
      Enc(local(r))  per weighted term  ------->
                     <-------  Enc(W local(r) - s), re-randomized, flooded, switched down

Source: DELPHI, figure 3 (preprocessing of linear layers). One mask r per activation *tensor*: every
consumer uses the same one, since x - r is sent once (derivation of masks: docs/threat-model.md).
Identity terms need no encryption: each party applies them to what it holds.
"""

from __future__ import annotations

import numpy as np

from pi_bench.crypto.he import HeClient, HeServer
from pi_bench.crypto.randomness import random_words
from pi_bench.network.program import Program, Weights
from pi_bench.network.shares import apply_local, scale_term
from pi_bench.protocol import SessionLike
from pi_bench.protocol.work_plan import PIPELINE_DEPTH, WorkPlan


def draw_masks(program: Program) -> dict[int, np.ndarray]:
    """A fresh uniform mask for the input and for every activation, by id."""
    return {op.id: random_words(op.shape) for op in program.source_ops}


def client_products(
    session: SessionLike, plan: WorkPlan, he: HeClient, masks: dict[int, np.ndarray]
) -> dict[int, np.ndarray]:
    """The client's share of every linear value, by id: uint32 of the value's shape."""
    shares = {op.id: np.zeros(op.shape, dtype=np.uint32) for op in plan.program.linear_ops}
    jobs = plan.products
    for position in range(len(jobs) + PIPELINE_DEPTH):
        if position < len(jobs):
            job = jobs[position]
            with session.step(job.op_id, "he"):
                session.send(he.encrypt(job.plan, apply_local(job.term.local, masks[job.term.source])))
        if position >= PIPELINE_DEPTH:
            job = jobs[position - PIPELINE_DEPTH]
            with session.step(job.op_id, "he"):
                response = session.receive(job.plan.response_bytes)
                shares[job.op_id] += scale_term(job.term, he.decrypt(job.plan, response))
    for op in plan.program.linear_ops:
        for term in op.terms:
            if term.weighted is None:
                shares[op.id] += scale_term(term, apply_local(term.local, masks[term.source]))
    return shares


def server_products(
    session: SessionLike, plan: WorkPlan, he: HeServer, weights: Weights, threads: int
) -> dict[int, np.ndarray]:
    """What the server adds to its online products, by linear id: bias plus s, at the value's scale."""
    constants = {}
    for op in plan.program.linear_ops:
        bias = np.zeros(op.shape[1], np.uint32) if op.bias is None else weights[op.bias]
        channel_wise = bias.reshape(1, -1, *([1] * (len(op.shape) - 2)))
        constants[op.id] = np.broadcast_to(channel_wise, op.shape).astype(np.uint32, order="C")
    for job in plan.products:
        weighted = job.term.weighted
        assert weighted is not None
        with session.step(job.op_id, "he"):
            upload = session.receive(job.plan.upload_bytes)
            blind = random_words(weighted.out_shape)
            session.send(he.respond(job.plan, weights[weighted.weight], upload, blind, threads))
            constants[job.op_id] += scale_term(job.term, blind)
    return constants
