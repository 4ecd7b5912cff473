"""The online round of one activation, with the element-wise products that the round makes.

    client                                            server
                <---  message of the gadgets  (encode), per slice; opened factors of its products
      z, answer bits of tables  (evaluate)  --------->    y - r'  (finish)
      share of each product less its mask  ---------->    product less its mask

The server writes all messages of an activation before it receives the first answer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.arithmetic.prefetch import prefetch
from pi_bench.crypto.randomness import padded_words
from pi_bench.hybrid.parties import rounds
from pi_bench.hybrid.parties.multiplications import client_product, finish_product, open_factors
from pi_bench.hybrid.parties.scratch import ClientScratch, ServerScratch
from pi_bench.hybrid.work_plan import GadgetJob, WorkPlan, rows
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
    """Runs the client: evaluates the slices of `op` as they arrive, and sends its answers.

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
    position = bits_position = 0
    own = scratch.products.own.get(op.id)  # the client's share of the result, if it is a factor
    for job in plan.gadgets[op.id]:
        with session.step(op.id):
            next_mask = padded_words(job.gather(arrays[f"mask:{op.id}"]), job.padded_count)
        group_words = job.answer_group_bytes // WORD_BYTES
        for groups in job.online_slices:
            elements = job.elements(groups)
            with session.step(op.id):
                message = scratch.message[: len(groups) * job.online_group_bytes]
                coming = [rows(arrays[name], groups) for name in rounds.read_online(job)]
                session.receive_into(message, meanwhile=prefetch(coming))
                z = scratch.answer[position + elements.start : position + elements.stop]
                first, stop = (bits_position + group_words * at for at in (groups.start, groups.stop))
                bits = scratch.bits[first:stop]
                rounds.evaluate(job, groups, arrays, message, rows(next_mask, elements), z, bits, threads)
                session.send(z[: len(job.real_elements(groups))], *([bits] if bits.size else []))
                if own is not None:
                    version = rounds.versions_named(job, groups, message, bits)
                    job.scatter_slice(version, groups, scratch.products.version[op.id])
        if own is not None:
            with session.step(op.id):
                answers = scratch.answer[position : position + job.count]
                job.scatter(answers + next_mask[: job.count], own[0])
        position += job.padded_count
        bits_position += group_words * job.group_count
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
    """Runs the server: adds y - r' of the whole tensor to `masked`, and the products of its round.

    `arrays` is the server's material, which the call uses up. `meanwhile` is that of
    `SessionLike.receive_into`. The caller names the step.
    `client_activation` shows both parties.

    ```python
    def ask(session: SessionLike, plan: WorkPlan, op: ActivationOp, arrays: dict[str, np.ndarray]) -> None:
        masked = {op.source: arrays[f"constant:{op.source}"]}
        with session.step(op.id):
            server_activation(
                session, plan, op, masked, arrays, ServerScratch(plan, {}), threads=1, meanwhile=iter(())
            )
    ```
    """
    products = plan.multiplications.in_round[op.id]
    kept = _send_messages(session, plan, op, masked[op.source], arrays, scratch, threads)
    for product in products:
        open_factors(session, product, arrays, scratch.products, masked.get(product.op.left))
    result = masked[op.id] = _receive_answers(session, plan, op, kept, scratch, threads, meanwhile)
    for product in products:
        left = masked[product.op.left]
        masked[product.op.id] = finish_product(session, product, arrays, scratch.products, result, left)


def _send_messages(
    session: SessionLike,
    plan: WorkPlan,
    op: ActivationOp,
    share: np.ndarray,
    arrays: dict[str, np.ndarray],
    scratch: ServerScratch,
    threads: int,
) -> dict[int, np.ndarray]:
    """Encodes and sends the slices of all gadgets. Returns the bytes for `_receive_answers` by gadget."""
    has_products = bool(plan.multiplications.in_round[op.id])
    sent = first_kept = 0
    kept: dict[int, np.ndarray] = {}
    for job in plan.gadgets[op.id]:
        words = padded_words(job.gather(share), job.padded_count)
        stop = first_kept + job.group_count * job.kept_group_bytes
        of_job = kept[job.number] = scratch.kept[first_kept:stop]
        for groups in job.online_slices:
            end = sent + len(groups) * job.online_group_bytes
            message = scratch.messages[sent:end]
            rounds.encode(
                job,
                groups,
                arrays,
                rows(words, job.elements(groups)),
                message,
                _of_groups(of_job, groups, job.kept_group_bytes),
                threads,
            )
            session.send(message)
            sent = end
        if has_products:
            shares = rounds.server_shares(job, of_job)
            for number, tensor in enumerate(scratch.products.own[op.id]):
                job.scatter(shares[min(number, len(shares) - 1), : job.count], tensor)
        first_kept = stop
    return kept


def _receive_answers(
    session: SessionLike,
    plan: WorkPlan,
    op: ActivationOp,
    kept: dict[int, np.ndarray],
    scratch: ServerScratch,
    threads: int,
    meanwhile: Iterator[None],
) -> np.ndarray:
    """Receives the client's answers to all slices and returns y - r' of the whole tensor."""
    has_products = bool(plan.multiplications.in_round[op.id])
    result = scratch.results[op.id]
    for job in plan.gadgets[op.id]:
        of_job = kept[job.number]
        if job.table is None:
            answer = result.reshape(-1) if job.index is None else scratch.answer[: job.count]
            for groups in job.online_slices:
                session.receive_into(rows(answer, job.real_elements(groups)), meanwhile=meanwhile)
            rounds.finish(job, of_job, answer, answer[:0], answer, threads)
            if job.index is not None:
                job.scatter(answer, result)
            continue
        for groups in job.online_slices:
            incoming = scratch.incoming[: job.online_answer_bytes(groups) // WORD_BYTES]
            session.receive_into(incoming, meanwhile=meanwhile)
            own_kept = _of_groups(of_job, groups, job.kept_group_bytes)
            bits = _finish_slice(job, groups, own_kept, incoming, scratch.answer, result, threads)
            if has_products:
                version = rounds.versions_named(job, groups, own_kept, bits)
                job.scatter_slice(version, groups, scratch.products.version[op.id])
    return result


def _finish_slice(
    job: GadgetJob,
    groups: range,
    kept: np.ndarray,
    incoming: np.ndarray,
    spare: np.ndarray,
    result: np.ndarray,
    threads: int,
) -> np.ndarray:
    """Writes the slice's y - r' to its place in `result`, and returns the answer bits of `incoming`."""
    elements, real = job.elements(groups), job.real_elements(groups)
    z, bits = incoming[: len(real)], incoming[len(real) :]
    if len(real) == len(elements) and job.index is None:
        rounds.finish(job, kept, z, bits, rows(result.reshape(-1), real), threads)
        return bits
    if len(real) < len(elements):
        z = np.concatenate([z, np.zeros(len(elements) - len(real), np.uint32)])
    share = spare[: len(elements)]
    rounds.finish(job, kept, z, bits, share, threads)
    job.scatter_slice(share, groups, result)
    return bits


def _of_groups(array: np.ndarray, groups: range, group_bytes: int) -> np.ndarray:
    return array[groups.start * group_bytes : groups.stop * group_bytes]
