"""The online round of one activation, with the element-wise products that the round makes.

    client                                            server
                <---  active labels of u, word, bit  (encode), per slice; opened factors of its products
      z = y + server's mask - r'  (evaluate)  ------->    y - r' = z - mask
      share of each product less its mask  ---------->    product less its mask

The server writes all messages of an activation before it receives the first answer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pi_bench.arithmetic.prefetch import prefetch
from pi_bench.crypto import gadget
from pi_bench.crypto.randomness import padded_words
from pi_bench.hybrid.parties.multiplications import client_product, finish_product, open_factors
from pi_bench.hybrid.parties.scratch import ClientScratch, ServerScratch
from pi_bench.hybrid.work_plan import WorkPlan, part
from pi_bench.network.program import ActivationOp
from pi_bench.protocol import SessionLike


def client_activation(
    session: SessionLike,
    plan: WorkPlan,
    op: ActivationOp,
    arrays: dict[str, np.ndarray],
    scratch: ClientScratch,
    threads: int,
) -> None:
    """Plays the client: evaluates the slices of `op` as they arrive, and sends its answers.

    `arrays` is the client's material, which the call uses up.

    >>> from pi_bench.protocol import Party, ProtocolOptions
    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import TwoParties, run_sub_protocol, small_network
    >>> program, weights = small_network()
    >>> options, (relu,) = ProtocolOptions("exact"), program.activation_ops
    >>> plan = WorkPlan(program, options)
    >>> values = np.full((1, 4), 5 << relu.truncate_bits, np.uint32)
    >>> with TwoParties(find_protocol("delphi"), program, weights, options) as parties:
    ...     arrays = {party: material.claim("delphi") for party, material in parties.preprocess().items()}
    ...     mask = arrays[Party.CLIENT][f"mask:{relu.id}"]
    ...     masked = {relu.source: values - arrays[Party.CLIENT]["share:0"][:4]}
    ...
    ...     def serve(session: SessionLike) -> None:
    ...         server, scratch = arrays[Party.SERVER], ServerScratch(plan, {})
    ...         with session.step(relu.id):
    ...             server_activation(session, plan, relu, masked, server, scratch, 1, meanwhile=iter(()))
    ...
    ...     _ = run_sub_protocol(
    ...         lambda session: client_activation(
    ...             session, plan, relu, arrays[Party.CLIENT], ClientScratch(plan), threads=1
    ...         ),
    ...         serve,
    ...     )
    ...     print(masked[relu.id] + mask)
    [[5 5 5 5]]
    """
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


def server_activation(
    session: SessionLike,
    plan: WorkPlan,
    op: ActivationOp,
    masked: dict[int, np.ndarray],
    arrays: dict[str, np.ndarray],
    scratch: ServerScratch,
    threads: int,
    meanwhile: Iterator[None],
) -> None:
    """Plays the server: adds y - r' of the whole tensor to `masked`, and the products of its round.

    `arrays` is the server's material, which the call uses up. `meanwhile` is that of
    `SessionLike.receive_into`. The caller names the step.
    `client_activation` shows both sides.

    ```python
    def ask(session: SessionLike, plan: WorkPlan, op: ActivationOp, arrays: dict[str, np.ndarray]) -> None:
        masked = {op.source: arrays[f"constant:{op.source}"]}
        with session.step(op.id):
            server_activation(
                session, plan, op, masked, arrays, ServerScratch(plan, {}), threads=1, meanwhile=iter(())
            )
    ```
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
