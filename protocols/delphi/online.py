"""The online phase: one round per activation, linear layers without a message.

    client                                            server
      q - r  (the quantized input)  ----------------->
      per activation and slice:
                <---  active labels of u, word, bit  (encode); opened factors of its products
      z = y + server's mask - r'  (evaluate)  ------->    y - r' = z - mask
      share of each product less its mask  ---------->    product less its mask
                <---  u of the logits

Source: DELPHI, figure 4, with the one-round gadgets of docs/threat-model.md. The server holds x - r of every
tensor and computes u = W (x - r) + s + bias. The client holds v = W r - s since the offline phase. So
u + v = W x + bias.

Buffers are allocated and touched before the phase begins. One arena serves every activation. The server
writes the messages of an activation only after it has received all answers to the activation before. The
client writes its answers only after messages of the next activation have arrived, and so after the server
has the former answers.
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
    """Returns the linear operators in the form in which the online phase computes them, by id.

    >>> from pi_bench.testing import small_network
    >>> sorted(prepare_linear(*small_network()))
    [1, 3]
    """
    return {op.id: PreparedLinear(op, weights, program.weight_bits) for op in program.linear_ops}


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
    """Holds the server's online buffers, which are touched once and reused.

    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> ServerScratch(plan, prepare_linear(program, weights)).results[2].shape
    (1, 4)
    """

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
    """Plays the client, and returns the logits, uint32 of the output's shape.

    `arrays` is the client's material, which the call uses up.

    >>> from pi_bench.protocol import Party, ProtocolOptions
    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import TwoParties, run_sub_protocol, small_network
    >>> program, weights = small_network()
    >>> options, linear = ProtocolOptions("exact"), prepare_linear(program, weights)
    >>> plan, encoded = WorkPlan(program, options), np.zeros((1, 2), np.uint32)
    >>> with TwoParties(find_protocol("delphi"), program, weights, options) as parties:
    ...     arrays = {party: material.claim("delphi") for party, material in parties.preprocess().items()}
    ...     logits, _ = run_sub_protocol(
    ...         lambda session: client_online(
    ...             session, plan, arrays[Party.CLIENT], ClientScratch(plan), encoded, threads=1
    ...         ),
    ...         lambda session: server_online(
    ...             session, plan, arrays[Party.SERVER], linear, ServerScratch(plan, linear), threads=1
    ...         ),
    ...     )
    >>> logits
    array([[0]], dtype=uint32)

    Raises:
        PeerError: a message of the server is not valid.
        ConnectionFailedError: no message came in time, or the connection was lost.
    """
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
    own = scratch.products.own.get(op.id)  # the client's share of the result, if it is a factor
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
    """Plays the server, which computes the program on x - r and so sees only uniform words.

    `arrays` is the server's material, which the call uses up. `client_online` shows both sides.

    ```python
    def answer(session: SessionLike, plan: WorkPlan, arrays: dict[str, np.ndarray], weights: Weights) -> None:
        linear = prepare_linear(plan.program, weights)
        server_online(session, plan, arrays, linear, ServerScratch(plan, linear), threads=1)
    ```

    Raises:
        PeerError: a message of the client is not valid.
        ConnectionFailedError: no message came in time, or the connection was lost.
    """
    program = plan.program
    masked: dict[int, np.ndarray] = {}  # every value less the client's share of it
    with session.step(program.input.id):
        words = session.receive(WORD_BYTES * int(np.prod(program.input.shape)))
        masked[program.input.id] = np.frombuffer(words, np.uint32).reshape(program.input.shape)
    for op in program.ops[1:]:
        with session.step(op.id):
            if isinstance(op, LinearOp):
                # u = W (x - r) + s + bias. The array has the last two already. It is used once, so no copy.
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
            # Copied, since the next inference uses the same memory.
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
    """Adds y - r' of the whole tensor to `masked`, and the products of its round.

    `meanwhile` is that of `SessionLike.receive_into`.
    """
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
    """Returns memory whose pages exist. `np.empty` leaves the first touch to the online phase."""
    return np.full(count, 1, dtype=dtype)
