"""The online phase: one round per activation, linear layers without a message.

    client                                            server
      q - r  (the quantized input)  ----------------->
      per activation and slice:
                <---  active labels of u, word, bit  (encode); opened factors of its products
      z = y + server's mask - r'  (evaluate)  ------->    y - r' = z - mask
      share of each product less its mask  ---------->    product less its mask
                <---  u of the logits

Source: DELPHI, figure 4, with the one-round gadgets of docs/threat-model.md. The server holds x - r
of every tensor and computes u = W (x - r) + s + bias; the client holds v = W r - s since the offline
phase, so u + v = W x + bias.

Buffers are allocated and touched before the phase begins. One arena serves every activation: the
server writes an activation's messages only after it has received the client's answers to the one
before, and the client's answers are written only after the next activation's messages arrived, which
the server sends after it has all the former answers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.arithmetic.prefetch import prefetch
from pi_bench.crypto import gadget
from pi_bench.crypto.randomness import padded_words
from pi_bench.hybrid.work_plan import WorkPlan, part
from pi_bench.network.execution.prepared_linear import PreparedLinear, workspace_for
from pi_bench.network.program import (
    ActivationOp,
    LinearOp,
    OutputOp,
    Program,
    Weights,
    element_count,
)
from pi_bench.protocol import SessionLike

from .multiplications import ProductScratch, client_product, finish_product, open_factors


def prepare_linear(program: Program, weights: Weights) -> dict[int, PreparedLinear]:
    """The linear operators in the form in which the online phase computes them, by id."""
    return {op.id: PreparedLinear(op, weights, program.weight_bits) for op in program.linear_ops}


class ClientScratch:
    """The client's online buffers, touched once and reused."""

    def __init__(self, plan: WorkPlan) -> None:
        largest = max(
            (
                len(groups) * job.spec.online_group_bytes
                for job in plan.gadget_jobs
                for groups in job.online_slices
            ),
            default=0,
        )
        self.message = _touched(largest, np.uint8)
        self.answer = _touched(plan.widest_activation, np.uint32)
        self.products = ProductScratch(plan.multiplications)


class ServerScratch:
    """The server's online buffers, touched once and reused."""

    def __init__(self, plan: WorkPlan, linear: dict[int, PreparedLinear]) -> None:
        self.workspace = workspace_for(linear.values())
        self.messages = _touched(plan.online_arena_bytes, np.uint8)
        self.masks = _touched(plan.widest_activation, np.uint32)
        self.answer = _touched(plan.widest_activation, np.uint32)
        self.results = {
            op.id: _touched(element_count(op.shape), np.uint32).reshape(op.shape)
            for op in plan.program.activation_ops
        }
        self.products = ProductScratch(plan.multiplications)


def client_online(
    session: SessionLike,
    plan: WorkPlan,
    arrays: dict[str, np.ndarray],
    scratch: ClientScratch,
    encoded_input: np.ndarray,
    threads: int,
) -> np.ndarray:
    """The logits: uint32 of the output's shape."""
    program = plan.program
    with session.step(program.input.id):
        session.send(encoded_input - arrays[f"mask:{program.input.id}"])
    for op in program.activation_ops:
        _client_activation(session, plan, op, arrays, scratch, threads)
    with session.step(program.output.id):
        share = np.frombuffer(session.receive(arrays["output_share"].nbytes), np.uint32)
        return arrays["output_share"] + share.reshape(program.output.shape)


def _client_activation(
    session: SessionLike,
    plan: WorkPlan,
    op: ActivationOp,
    arrays: dict[str, np.ndarray],
    scratch: ClientScratch,
    threads: int,
) -> None:
    position = 0
    own = scratch.products.own.get(op.id)  # its share of the result, if that is multiplied
    for job in plan.gadgets[op.id]:
        with session.step(op.id):
            next_mask = padded_words(job.gather(arrays[f"mask:{op.id}"]), job.padded_count)
        select = arrays.get(f"select:{job.number}")
        for groups in job.online_slices:
            elements = job.elements(groups)
            with session.step(op.id):
                message = scratch.message[: len(groups) * job.spec.online_group_bytes]
                labels = part(arrays[f"labels:{job.number}"], groups)
                garbled = part(arrays[f"garbled:{job.number}"], groups)
                session.receive_into(message, meanwhile=prefetch((labels, garbled)))
                answer = scratch.answer[position + elements.start : position + elements.stop]
                gadget.evaluate(
                    gadget.GadgetCall(job.spec, job.number, groups.start, threads),
                    gadget.EvaluateArguments(
                        hash_seed=arrays["hash_seed"],
                        v=part(arrays[f"share:{job.number}"], elements),
                        beta=None if select is None else part(select, elements),
                        active_labels=labels,
                        garbled=garbled,
                        message=message,
                        next_mask=part(next_mask, elements),
                        out_z=answer,
                    ),
                )
                session.send(answer[: len(job.real_elements(groups))])
        if own is not None:
            with session.step(op.id):
                answers = scratch.answer[position : position + job.count]
                job.scatter(answers + next_mask[: job.count], own)
        position += job.padded_count
    for product in plan.multiplications.in_round[op.id]:
        left_mask, next_mask = arrays[f"mask:{product.op.left}"], arrays[f"mask:{product.op.id}"]
        client_product(session, product, arrays, scratch.products, left_mask, next_mask)


def server_online(
    session: SessionLike,
    plan: WorkPlan,
    arrays: dict[str, np.ndarray],
    prepared: dict[int, PreparedLinear],
    scratch: ServerScratch,
    threads: int,
) -> None:
    """Runs the program on x - r; nothing is left at the server but uniform words."""
    program = plan.program
    masked: dict[int, np.ndarray] = {}  # every value less what the client holds of it
    with session.step(program.input.id):
        words = session.receive(WORD_BYTES * int(np.prod(program.input.shape)))
        masked[program.input.id] = np.frombuffer(words, np.uint32).reshape(program.input.shape)
    for op in program.ops[1:]:
        with session.step(op.id):
            if isinstance(op, LinearOp):
                # u = W (x - r) + s + bias, where the last two stand already: one use, no copy.
                masked[op.id] = arrays[f"constant:{op.id}"]
                prepared[op.id].add(masked, masked[op.id], scratch.workspace, threads)
            elif isinstance(op, ActivationOp):
                coming = [
                    array
                    for op_id in plan.linear_after[op.id]
                    for array in (*prepared[op_id].weights, arrays[f"constant:{op_id}"])
                ]
                _server_activation(session, plan, op, masked, arrays, scratch, threads, prefetch(coming))
            elif isinstance(op, OutputOp):
                session.send(masked[op.source])
    if session.trace is not None:
        for linear in program.linear_ops:
            session.trace.keep_linear(linear.id, masked[linear.id])
        for source in program.source_ops:
            # A copy: the memory is the next inference's, too.
            session.trace.keep_activation(source.id, masked[source.id].copy())


def _server_activation(
    session: SessionLike,
    plan: WorkPlan,
    op: ActivationOp,
    masked: dict[int, np.ndarray],
    arrays: dict[str, np.ndarray],
    scratch: ServerScratch,
    threads: int,
    meanwhile: Iterator[None],
) -> None:
    """Adds y - r' of the whole tensor to `masked`, and the products of its round; `meanwhile` as in
    `SessionLike.receive_into`."""
    share = masked[op.source]
    products = plan.multiplications.in_round[op.id]
    position = sent = 0
    for job in plan.gadgets[op.id]:
        words = padded_words(job.gather(share), job.padded_count)
        for groups in job.online_slices:
            elements = job.elements(groups)
            end = sent + len(groups) * job.spec.online_group_bytes
            message = scratch.messages[sent:end]
            gadget.encode(
                gadget.GadgetCall(job.spec, job.number, groups.start, threads),
                gadget.EncodeArguments(
                    delta=arrays["delta"],
                    label_seed=arrays["label_seed"],
                    state=part(arrays[f"state:{job.number}"], groups),
                    u=part(words, elements),
                    out_message=message,
                    out_mask=scratch.masks[position + elements.start : position + elements.stop],
                ),
            )
            session.send(message)
            sent = end
        if products:
            job.scatter(0 - scratch.masks[position : position + job.count], scratch.products.own[op.id])
        position += job.padded_count
    for product in products:
        open_factors(session, product, arrays, scratch.products, masked.get(product.op.left))
    result = scratch.results[op.id]
    position = 0
    for job in plan.gadgets[op.id]:
        answer = result.reshape(-1) if job.index is None else scratch.answer[: job.count]
        for groups in job.online_slices:
            session.receive_into(part(answer, job.real_elements(groups)), meanwhile=meanwhile)
        answer -= scratch.masks[position : position + job.count]
        if job.index is not None:
            job.scatter(answer, result)
        position += job.padded_count
    masked[op.id] = result
    for product in products:
        left = masked[product.op.left]
        masked[product.op.id] = finish_product(session, product, arrays, scratch.products, result, left)


def _touched(count: int, dtype: type[np.generic]) -> np.ndarray:
    """Memory whose pages exist: `np.empty` and `np.zeros` leave the first touch to the online phase."""
    return np.full(count, 1, dtype=dtype)
