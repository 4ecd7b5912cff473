"""Offline products under encryption: the client gets v = W r - s, the server keeps s.

    client                                      server
      Enc(local(r))  per weighted term  ------->
                     <-------  Enc(W local(r) - s), re-randomized, flooded, switched down

Source: DELPHI, figure 3 (preprocessing of linear layers). One mask r per activation *tensor*: every
consumer uses the same one, since x - r is sent once (derivation of masks: docs/threat-model.md).
Identity terms need no encryption: each party applies them to what it holds. So values without weights are
known before any product (`derived_values`), and their masks can be uploaded too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pi_bench.crypto.he import HeClient, HeServer
from pi_bench.crypto.randomness import random_words
from pi_bench.network.program import Program, Weights, derived_values
from pi_bench.network.shares import add_term, apply_linear, apply_local
from pi_bench.protocol import SessionLike
from pi_bench.protocol.work_plan import PIPELINE_DEPTH, WorkPlan


def draw_masks(program: Program) -> dict[int, np.ndarray]:
    """A fresh uniform mask for the input and for every activation, by id."""
    return {op.id: random_words(op.shape) for op in program.source_ops}


def client_products(
    session: SessionLike, plan: WorkPlan, he: HeClient, masks: dict[int, np.ndarray]
) -> dict[int, np.ndarray]:
    """The client's share of every linear value, by id: uint32 of the value's shape."""
    known = dict(masks)  # what the client holds of each value
    derived = derived_values(plan.program)
    for op in plan.program.linear_ops:
        if op.id in derived:
            known[op.id] = apply_linear(replace(op, bias=None), known, {})
    products = {
        op.id: np.zeros(op.shape, np.uint32) for op in plan.program.linear_ops if op.id not in derived
    }
    jobs = plan.products
    for position in range(len(jobs) + PIPELINE_DEPTH):
        if position < len(jobs):
            job = jobs[position]
            with session.step(job.op_id, "he"):
                session.send(he.encrypt(job.plan, job.operand(known[job.term.source])))
        if position >= PIPELINE_DEPTH:
            job = jobs[position - PIPELINE_DEPTH]
            with session.step(job.op_id, "he"):
                response = session.receive(job.plan.response_bytes)
                job.add(he.decrypt(job.plan, response), products[job.op_id])
    for op in plan.program.linear_ops:
        if op.id in products:
            for term in op.terms:
                if term.weighted is None:
                    add_term(term, apply_local(term.local, known[term.source]), products[op.id])
            known[op.id] = products[op.id]
    return {op.id: known[op.id] for op in plan.program.linear_ops}


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
            blind = random_words(job.plan.out_shape)
            dense = job.dense_weights(weights[weighted.weight])
            session.send(he.respond(job.plan, dense, upload, blind, threads))
            job.add(blind, constants[job.op_id])
    return constants
