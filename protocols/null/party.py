"""INSECURE: both parties of `null`, message by message those of `delphi`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pi_bench.arithmetic.law import RING_BITS, WORD_BYTES, offset
from pi_bench.arithmetic.prefetch import prefetch
from pi_bench.crypto.base_ot import MESSAGE_BYTES, reply_bytes
from pi_bench.crypto.he import PUBLIC_KEY_BYTES
from pi_bench.crypto.ot_extension import COT_BITS, FRESH_BYTES, TREE_MESSAGE_BYTES
from pi_bench.hybrid.exchanges import (
    CrossChoices,
    CrossCorrections,
    Exchange,
    Garble,
    Product,
    Seeds,
    Select,
    Trees,
)
from pi_bench.hybrid.offline_schedule import Turn, client_turns, offline_schedule
from pi_bench.hybrid.work_plan import SEED_BYTES, WorkPlan
from pi_bench.network.execution.prepared_linear import PreparedLinear, workspace_for
from pi_bench.network.program import (
    ActivationKind,
    ActivationOp,
    LinearOp,
    MultiplyOp,
    OutputOp,
    Program,
    Weights,
)
from pi_bench.protocol import PartyProtocol, Preprocessing, ProtocolOptions, SessionLike

NAME = "null"

_Move = Callable[[int, str, int], None]
"""Sends or receives: step, part, bytes."""


class _NullParty(PartyProtocol):
    def __init__(
        self,
        session: SessionLike,
        program: Program,
        options: ProtocolOptions,
        weights: Weights | None,
        prepared: object = None,
    ) -> None:
        super().__init__(session, program, options, weights)
        self._plan = WorkPlan(program, options)
        self._zeros = np.zeros(0, np.uint8)  # what every message is made of
        self._received = np.zeros(0, np.uint8)

    def _send(self, op_id: int, part: str, byte_count: int) -> None:
        with self.session.step(op_id, part):
            if byte_count > self._zeros.size:
                self._zeros = np.zeros(byte_count, np.uint8)
            self.session.send(self._zeros[:byte_count])

    def _receive(
        self, op_id: int, part: str, byte_count: int, meanwhile: Iterator[None] | None = None
    ) -> None:
        with self.session.step(op_id, part):
            if byte_count > self._received.size:
                self._received = np.zeros(byte_count, np.uint8)
            self.session.receive_into(self._received[:byte_count], meanwhile=meanwhile)

    def _request(self, exchange: Exchange, move: _Move) -> None:
        """The messages with which the client asks."""
        match exchange:
            case Trees():
                move(-1, "ot", exchange.request_bytes)
            case Product():
                move(exchange.job.op_id, "he", exchange.request_bytes)
            case Garble() | CrossCorrections():
                move(exchange.job.op_id, "ot", exchange.request_bytes)

    def _answer(self, exchange: Exchange, move: _Move) -> None:
        """The messages with which the server answers."""
        match exchange:
            case Seeds():
                move(-1, "ot", SEED_BYTES)
                move(-1, "ot", FRESH_BYTES)
            case Select() | CrossChoices():
                move(exchange.job.op_id, "ot", exchange.answer_bytes)
            case Product():
                move(exchange.job.op_id, "he", exchange.answer_bytes)
            case Garble():
                move(exchange.job.op_id, "garbling", exchange.answer_bytes)


class NullClient(_NullParty):
    """INSECURE: sends its input in the clear."""

    def set_up(self) -> None:
        self._send(-1, "he", PUBLIC_KEY_BYTES)
        self._receive(-1, "ot", MESSAGE_BYTES)
        self._send(-1, "ot", reply_bytes(COT_BITS))
        self._receive(-1, "ot", TREE_MESSAGE_BYTES)

    def preprocess(self, inference_id: int) -> Preprocessing:
        for turn, exchange in client_turns(offline_schedule(self._plan)):
            if turn is Turn.ASK:
                self._request(exchange, self._send)
            else:
                self._answer(exchange, self._receive)
        if self.session.trace is not None:
            for op in self.program.linear_ops:
                self.session.trace.keep_linear(op.id, np.zeros(op.shape, np.uint32))
            for value in self.program.source_ops:
                self.session.trace.keep_activation(value.id, np.zeros(value.shape, np.uint32))
        return Preprocessing(NAME, inference_id, {})

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        assert encoded_input is not None
        material.claim(NAME)
        with self.session.step(self.program.input.id):
            self.session.send(encoded_input)
        for op in self.program.activation_ops:
            for job in self._plan.gadgets[op.id]:
                for groups in job.online_slices:
                    self._receive(op.id, "", len(groups) * job.spec.online_group_bytes)
                    self._send(op.id, "", WORD_BYTES * len(job.real_elements(groups)))
            for product in self._plan.multiplications.in_round[op.id]:
                self._receive(product.op.id, "", product.opened_bytes)
                self._send(product.op.id, "", product.answer_bytes)
        output = self.program.output
        with self.session.step(output.id):
            words = self.session.receive(WORD_BYTES * int(np.prod(output.shape)))
            return np.frombuffer(words, np.uint32).reshape(output.shape)


class NullServer(_NullParty):
    """INSECURE: sees the input and computes the whole network in the clear."""

    def __init__(
        self,
        session: SessionLike,
        program: Program,
        options: ProtocolOptions,
        weights: Weights | None,
        prepared: object = None,
    ) -> None:
        super().__init__(session, program, options, weights)
        assert weights is not None
        self._linear = {op.id: PreparedLinear(op, weights, program.weight_bits) for op in program.linear_ops}
        self._workspace = workspace_for(self._linear.values())

    def set_up(self) -> None:
        self._receive(-1, "he", PUBLIC_KEY_BYTES)
        self._send(-1, "ot", MESSAGE_BYTES)
        self._receive(-1, "ot", reply_bytes(COT_BITS))
        self._send(-1, "ot", TREE_MESSAGE_BYTES)

    def preprocess(self, inference_id: int) -> Preprocessing:
        for exchange in offline_schedule(self._plan):
            self._request(exchange, self._receive)
            self._answer(exchange, self._send)
        biases = {f"constant:{op.id}": self._bias(op) for op in self.program.linear_ops}
        return Preprocessing(NAME, inference_id, biases)

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        arrays = material.claim(NAME)
        values: dict[int, np.ndarray] = {}
        with self.session.step(self.program.input.id):
            words = self.session.receive(WORD_BYTES * int(np.prod(self.program.input.shape)))
            values[self.program.input.id] = np.frombuffer(words, np.uint32).reshape(self.program.input.shape)
        for op in self.program.ops[1:]:
            with self.session.step(op.id):
                if isinstance(op, LinearOp):
                    values[op.id] = arrays[f"constant:{op.id}"]
                    self._linear[op.id].add(values, values[op.id], self._workspace, self.options.threads)
                elif isinstance(op, MultiplyOp):
                    values[op.id] = values[op.left] * values[op.right]
                elif isinstance(op, ActivationOp):
                    self._exchange(op)
                    values[op.id] = _activate(op, values[op.source], self.options.mode)
                elif isinstance(op, OutputOp):
                    self.session.send(values[op.source])
        if self.session.trace is not None:
            for op in self.program.linear_ops:
                self.session.trace.keep_linear(op.id, values[op.id])
            for value in self.program.source_ops:
                self.session.trace.keep_activation(value.id, values[value.id])
        return None

    def _bias(self, op: LinearOp) -> np.ndarray:
        total = np.zeros(op.shape, np.uint32)
        if op.bias is not None:
            assert self.weights is not None
            total += self.weights[op.bias].reshape(-1, *(1,) * (len(op.shape) - 2))
        return total

    def _exchange(self, op: ActivationOp) -> None:
        meanwhile = prefetch(w for i in self._plan.linear_after[op.id] for w in self._linear[i].weights)
        jobs = self._plan.gadgets[op.id]
        for job in jobs:
            for groups in job.online_slices:
                self._send(op.id, "", len(groups) * job.spec.online_group_bytes)
        products = self._plan.multiplications.in_round[op.id]
        for product in products:
            self._send(product.op.id, "", product.opened_bytes)
        for job in jobs:
            for groups in job.online_slices:
                self._receive(op.id, "", WORD_BYTES * len(job.real_elements(groups)), meanwhile)
        for product in products:
            self._receive(product.op.id, "", product.answer_bytes)


def _activate(op: ActivationOp, x: np.ndarray, mode: str) -> np.ndarray:
    """The law of every mode where the client's share is zero: nothing carries, and the sign of a ReLU is
    bit window_bits whatever is dropped below it. uint32 of x's shape."""
    y = (x + np.uint32(offset(mode, op.truncate_bits))).view(np.int32)
    flat = y.reshape(-1)
    for group in op.groups:
        part = flat if group.index is None else flat[group.index]
        if group.kind is ActivationKind.RELU:
            above = RING_BITS - 1 - op.window_bits
            part <<= above
            part >>= above + op.truncate_bits
            np.maximum(part, 0, out=part)
        else:
            part >>= op.truncate_bits
        if group.index is not None:
            flat[group.index] = part
    return y.view(np.uint32)
