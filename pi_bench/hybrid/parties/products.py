"""The offline products under encryption: the client gets v = W r - s, and the server keeps s.

    client                                      server
      Enc(local(r))  per weighted term  ------->
                     <-------  Enc(W local(r) - s), re-randomized, flooded, switched down

Source: DELPHI, figure 3 (preprocessing of linear layers). There is one mask r per activation *tensor*. All
consumers use the same one, since x - r is sent once (derivation of masks: docs/threat-model.md). Identity
terms need no encryption, since each party applies them to its own share. So values without weights are known
before any product (`AwaitedValues.known_at_once`), and their masks can be uploaded too. An offline phase may
prepare several inferences. Each has masks and blinds of its own, and a product is for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pi_bench.crypto.he import HeClient, HeServer
from pi_bench.crypto.randomness import random_words
from pi_bench.hybrid.awaited_values import AwaitedValues
from pi_bench.hybrid.exchanges import Product
from pi_bench.hybrid.parties.prepared import PreparedProducts
from pi_bench.hybrid.parts import HE
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.execution.shares import add_term, apply_linear, apply_local
from pi_bench.network.program import LinearOp, Program, Weights
from pi_bench.protocol import SessionLike


def draw_masks(program: Program) -> dict[int, np.ndarray]:
    """Draws a fresh uniform mask for the input and for every activation, by id.

    >>> from pi_bench.testing import small_network
    >>> {op_id: mask.shape for op_id, mask in draw_masks(small_network()[0]).items()}
    {0: (1, 2), 2: (1, 4)}
    """
    return {op.id: random_words(op.shape) for op in program.source_ops}


class ClientProducts:
    """Runs the client: sends encrypted masks and keeps its share of every value.

    Attributes:
        known: of each inference of the offline phase, the shares by id.

    Both shares of a product add up to the product with the mask:

    >>> from pi_bench.crypto.he import public_key_bytes
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import run_sub_protocol, small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> exchange, masks = Product.of(plan.products[0]), draw_masks(program)
    >>> def client(session):
    ...     with HeClient() as he:
    ...         session.send(he.public_key)
    ...         products = ClientProducts(session, plan, he, [masks], threads=1)
    ...         products.ask(exchange)
    ...         products.accept(exchange)
    ...         return products.known[0][1]
    >>> def server(session):
    ...     he = HeServer(session.receive(public_key_bytes(copy_keys=True)))
    ...     prepared = PreparedProducts(plan, weights, cache_bytes=0, threads=1)
    ...     products = ServerProducts(session, plan, he, prepared, weights, threads=1)
    ...     products.answer(exchange)
    ...     return products.constants[0][1]
    >>> v, s = run_sub_protocol(client, server)
    >>> np.array_equal(v + s, apply_linear(program.linear_ops[0], masks, weights))
    True
    """

    def __init__(
        self,
        session: SessionLike,
        plan: WorkPlan,
        he: HeClient,
        masks: Sequence[Mapping[int, np.ndarray]],
        threads: int,
    ) -> None:
        self.known = [dict(own) for own in masks]
        self._session = session
        self._he = he
        self._threads = threads
        self._ops = {op.id: op for op in plan.program.linear_ops}
        self._awaited = AwaitedValues(plan.program, plan.products)
        for op_id in self._awaited.known_at_once:
            for known in self.known:
                known[op_id] = apply_linear(replace(self._ops[op_id], bias=None), known, {})
        self._totals = [
            {op.id: np.zeros(op.shape, np.uint32) for op in self._ops.values() if op.id not in known}
            for known in self.known
        ]

    def ask(self, exchange: Product) -> None:
        """Sends the encrypted masks of all inferences."""
        job = exchange.job
        with self._session.step(job.op_id, HE):
            values = [known[job.source] for known in self.known]
            operand = job.operand(values)
            try:
                upload = self._he.encrypt(job.plan, operand, self._threads)
            finally:
                if not any(np.may_share_memory(operand, value) for value in values):
                    operand.fill(0)  # a copy of the masks, which are still needed themselves
            self._session.send(upload)

    def accept(self, exchange: Product) -> None:
        """Receives a product. Values that miss no other one become known."""
        job = exchange.job
        with self._session.step(job.op_id, HE):
            response = self._session.receive(exchange.answer_bytes)
            job.add(self._he.decrypt(job.plan, response, self._threads), self._totals)
            for op_id in self._awaited.complete(job):
                for known, totals in zip(self.known, self._totals, strict=True):
                    known[op_id] = totals.pop(op_id)
                    for term in self._ops[op_id].terms:
                        if term.weighted is None:
                            add_term(term, apply_local(term.local, known[term.source]), known[op_id])


class ServerProducts:
    """Runs the server: multiplies the client's encrypted masks by the weights and blinds the products.

    `ClientProducts` shows both parties.

    Attributes:
        constants: of each inference of the offline phase, for each linear value by its id, the numbers that
            the server adds online: the bias plus the blinds s of the offline products, uint32 at the scale of
            the value.

    >>> from pi_bench.protocol import Party
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import memory_sessions, small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> session = memory_sessions()[Party.SERVER]
    >>> prepared = PreparedProducts(plan, weights, cache_bytes=0, threads=1)
    >>> with HeClient() as client:
    ...     he = HeServer(client.public_key)
    >>> ServerProducts(session, plan, he, prepared, weights, threads=1).constants[0][1]  # no bias
    array([[0, 0, 0, 0]], dtype=uint32)
    """

    def __init__(
        self,
        session: SessionLike,
        plan: WorkPlan,
        he: HeServer,
        prepared: PreparedProducts,
        weights: Weights,
        threads: int,
    ) -> None:
        self.constants = [
            {op.id: _biases(op, weights) for op in plan.program.linear_ops} for _ in range(plan.ahead)
        ]
        self._session = session
        self._he = he
        self._prepared = prepared
        self._threads = threads

    def answer(self, exchange: Product) -> None:
        """Receives encrypted masks, and sends the product less fresh shares that the server keeps."""
        job = exchange.job
        with self._session.step(job.op_id, HE):
            upload = self._session.receive(exchange.request_bytes)
            blind = random_words(job.plan.out_shape)
            weights = self._prepared.weights_of(job)
            self._session.send(self._he.respond(job.plan, weights, upload, blind, self._threads))
            job.add(blind, self.constants)


def _biases(op: LinearOp, weights: Weights) -> np.ndarray:
    """Returns the bias of a linear value at each of its elements, in an array of its own."""
    bias = np.zeros(op.shape[1], np.uint32) if op.bias is None else weights[op.bias]
    channel_wise = bias.reshape(1, -1, *([1] * (len(op.shape) - 2)))
    return np.broadcast_to(channel_wise, op.shape).astype(np.uint32, order="C")
