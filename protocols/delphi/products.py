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

from collections import Counter
from dataclasses import replace

import numpy as np

from pi_bench.crypto.he import HeClient, HeServer
from pi_bench.crypto.randomness import random_words
from pi_bench.hybrid.exchanges import Product
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.execution.shares import add_term, apply_linear, apply_local
from pi_bench.network.program import Program, Weights, derived_values
from pi_bench.protocol import SessionLike

from .prepared import PreparedProducts


def draw_masks(program: Program) -> dict[int, np.ndarray]:
    """A fresh uniform mask for the input and for every activation, by id."""
    return {op.id: random_words(op.shape) for op in program.source_ops}


class ClientProducts:
    """The client: asks with encrypted masks and keeps its share of every value in `known`, by id."""

    def __init__(
        self, session: SessionLike, plan: WorkPlan, he: HeClient, masks: dict[int, np.ndarray], threads: int
    ) -> None:
        self.known = dict(masks)
        self._session = session
        self._he = he
        self._threads = threads
        derived = derived_values(plan.program)
        for op in plan.program.linear_ops:
            if op.id in derived:
                self.known[op.id] = apply_linear(replace(op, bias=None), self.known, {})
        self._unknown = [op for op in plan.program.linear_ops if op.id not in derived]
        self._totals = {op.id: np.zeros(op.shape, np.uint32) for op in self._unknown}
        self._missing = Counter(job.op_id for job in plan.products)

    def ask(self, exchange: Product) -> None:
        """Sends the encrypted mask."""
        job = exchange.job
        with self._session.step(job.op_id, "he"):
            operand = job.operand(self.known[job.term.source])
            self._session.send(self._he.encrypt(job.plan, operand, self._threads))

    def accept(self, exchange: Product) -> None:
        """Receives the product; values whose last one it was become known."""
        job = exchange.job
        with self._session.step(job.op_id, "he"):
            response = self._session.receive(exchange.answer_bytes)
            job.add(self._he.decrypt(job.plan, response, self._threads), self._totals[job.op_id])
            self._missing[job.op_id] -= 1
            while self._unknown and not self._missing[self._unknown[0].id]:
                op = self._unknown.pop(0)
                total = self._totals.pop(op.id)
                for term in op.terms:
                    if term.weighted is None:
                        add_term(term, apply_local(term.local, self.known[term.source]), total)
                self.known[op.id] = total


class ServerProducts:
    """The server: answers, and keeps in `constants` what it adds to its online products, by linear id:
    bias plus s, at the value's scale."""

    def __init__(
        self,
        session: SessionLike,
        plan: WorkPlan,
        he: HeServer,
        prepared: PreparedProducts,
        weights: Weights,
        threads: int,
    ) -> None:
        self.constants: dict[int, np.ndarray] = {}
        for op in plan.program.linear_ops:
            bias = np.zeros(op.shape[1], np.uint32) if op.bias is None else weights[op.bias]
            channel_wise = bias.reshape(1, -1, *([1] * (len(op.shape) - 2)))
            self.constants[op.id] = np.broadcast_to(channel_wise, op.shape).astype(np.uint32, order="C")
        self._session = session
        self._he = he
        self._prepared = prepared
        self._threads = threads

    def answer(self, exchange: Product) -> None:
        """Receives a mask and sends the product, less a fresh share of its own."""
        job = exchange.job
        with self._session.step(job.op_id, "he"):
            upload = self._session.receive(exchange.request_bytes)
            blind = random_words(job.plan.out_shape)
            weights = self._prepared.weights_of(job)
            self._session.send(self._he.respond(job.plan, weights, upload, blind, self._threads))
            job.add(blind, self.constants[job.op_id])
