"""INSECURE: both parties of `null`, which send the messages of another protocol one by one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

import numpy as np

from pi_bench.arithmetic.activation_law import ActivationLaw, WindowLaw
from pi_bench.arithmetic.law import RING_BITS
from pi_bench.arithmetic.prefetch import prefetch
from pi_bench.network.execution.prepared_linear import PreparedLinear, workspace_for
from pi_bench.network.execution.reference import activation_reference
from pi_bench.network.program import (
    ActivationKind,
    ActivationOp,
    LinearOp,
    MultiplyOp,
    Op,
    Program,
    Weights,
)
from pi_bench.protocol import PartyProtocol, Preprocessing, ProtocolOptions, SessionLike
from pi_bench.protocol.script import RunScript

from .moves import Move, coming_operators, online_moves, phase_moves, set_up_moves, with_operators

NAME = "null"


class _NullParty(PartyProtocol):
    def __init__(
        self,
        session: SessionLike,
        program: Program,
        options: ProtocolOptions,
        weights: Weights | None,
        prepared: object = None,
    ) -> None:
        super().__init__(session, program, options, weights, prepared)
        script, party = self.script(program, options), session.party
        self._set_up = set_up_moves(script.set_up, party)
        self._offline = phase_moves(script.offline.roles[party])
        self._role = script.online.roles[party]
        self._online = online_moves(program, self._role, party)
        self._zeros = np.zeros(0, np.uint8)  # the bytes of every message
        self._received = np.zeros(0, np.uint8)

    @staticmethod
    @abstractmethod
    def script(program: Program, options: ProtocolOptions) -> RunScript:
        """Returns the script whose messages are played."""

    @staticmethod
    @abstractmethod
    def law(options: ProtocolOptions) -> ActivationLaw:
        """Returns the law that activations follow."""

    def set_up(self) -> None:
        """Plays the messages of the set-up."""
        self._play(self._set_up)

    def _play(self, moves: Iterable[Move]) -> None:
        """Plays moves that carry nothing."""
        for move in moves:
            if move.sends:
                self._send(move, self._zeros)
            else:
                self._receive(move, self._zeros)

    def _send(self, move: Move, carried: np.ndarray) -> None:
        """Sends one message. `carried`: uint8, the whole input or the logits."""
        zero_bytes = move.byte_count - move.carried_bytes
        with self.session.step(move.step, move.part):
            if zero_bytes > self._zeros.size:
                self._zeros = np.zeros(zero_bytes, np.uint8)
            if move.carried_bytes:
                self.session.send(carried[move.carried], self._zeros[:zero_bytes])
            else:
                self.session.send(self._zeros[:zero_bytes])

    def _receive(self, move: Move, carried: np.ndarray, meanwhile: Iterator[None] | None = None) -> None:
        """Receives one message, and puts the bytes that it carries into `carried`."""
        with self.session.step(move.step, move.part):
            if move.byte_count > self._received.size:
                self._received = np.zeros(move.byte_count, np.uint8)
            self.session.receive_into(self._received[: move.byte_count], meanwhile=meanwhile)
        if move.carried_bytes:
            carried[move.carried] = self._received[: move.carried_bytes]


class NullClient(_NullParty):
    """INSECURE: sends its input in the clear.

    Its messages have the sizes of the other protocol's:

    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_in_memory, small_network
    >>> program, weights = small_network()
    >>> inputs = [np.zeros((1, 2), np.uint32)]
    >>> (run,) = run_in_memory(find_protocol("null"), program, weights, inputs, ProtocolOptions("exact"))
    >>> sizes = [len(message.payload) for message in run.transcript if message.phase == "online 0"]
    >>> sum(sizes) == sum(find_protocol("delphi").predict(program, ProtocolOptions("exact")).online.values())
    True
    """

    def preprocess(self, inference_id: int) -> Preprocessing:
        """Plays the messages of the offline phase."""
        self._play(self._offline)
        if self.session.trace is not None:
            for op in self.program.linear_ops:
                self.session.trace.keep_linear(op.id, np.zeros(op.shape, np.uint32))
            for value in self.program.source_ops:
                self.session.trace.keep_activation(value.id, np.zeros(value.shape, np.uint32))
        return Preprocessing(NAME, inference_id, {})

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        """Plays the messages of the online phase, with the input in the clear."""
        assert encoded_input is not None
        material.claim(NAME)
        given = np.ascontiguousarray(encoded_input).reshape(-1).view(np.uint8)
        logits = np.empty(self.program.output.shape, np.uint32)
        gained = logits.reshape(-1).view(np.uint8)
        for move in self._online:
            if move.sends:
                self._send(move, given)
            else:
                self._receive(move, gained)
        return logits


class NullServer(_NullParty):
    """INSECURE: sees the input and computes the whole network in the clear.

    >>> from pi_bench.network.execution.reference import run_reference
    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_in_memory, small_network
    >>> program, weights = small_network()
    >>> inputs = [np.array([[100, 200]], np.uint32)]
    >>> (run,) = run_in_memory(find_protocol("null"), program, weights, inputs, ProtocolOptions("exact"))
    >>> bool(run.output == run_reference(program, weights, inputs[0]).values[program.output.id])
    True
    """

    def __init__(
        self,
        session: SessionLike,
        program: Program,
        options: ProtocolOptions,
        weights: Weights | None,
        prepared: object = None,
    ) -> None:
        super().__init__(session, program, options, weights, prepared)
        assert weights is not None
        self._law = self.law(options)
        self._linear = {op.id: PreparedLinear(op, weights, program.weight_bits) for op in program.linear_ops}
        self._workspace = workspace_for(self._linear.values())
        self._items = with_operators(program, self._role, self._online)
        self._coming = {
            place: [array for op in ops for array in self._linear[op.id].weights]
            for place, ops in coming_operators(self._items).items()
        }

    def preprocess(self, inference_id: int) -> Preprocessing:
        """Plays the messages of the offline phase, and lays out the biases."""
        self._play(self._offline)
        biases = {f"constant:{op.id}": self._bias(op) for op in self.program.linear_ops}
        return Preprocessing(NAME, inference_id, biases)

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        """Plays the messages of the online phase, and computes the network between them."""
        arrays = material.claim(NAME)
        source, output = self.program.input, self.program.output
        values = {source.id: np.empty(source.shape, np.uint32)}
        given = values[source.id].reshape(-1).view(np.uint8)
        logits = given  # until they are computed no message carries them
        meanwhile: Iterator[None] | None = None
        for place, item in enumerate(self._items):
            if not isinstance(item, Move):
                with self.session.step(item.id):
                    self._compute(item, values, arrays)
            elif item.sends:
                if item.carried_bytes:
                    logits = np.ascontiguousarray(values[output.source]).reshape(-1).view(np.uint8)
                self._send(item, logits)
            else:
                if place in self._coming:
                    meanwhile = prefetch(self._coming[place])
                self._receive(item, given, meanwhile)
        if self.session.trace is not None:
            for op in self.program.linear_ops:
                self.session.trace.keep_linear(op.id, values[op.id])
            for value in self.program.source_ops:
                self.session.trace.keep_activation(value.id, values[value.id])
        return None

    def _compute(self, op: Op, values: dict[int, np.ndarray], arrays: dict[str, np.ndarray]) -> None:
        """Adds an operator's value to `values`."""
        if isinstance(op, LinearOp):
            values[op.id] = arrays[f"constant:{op.id}"]
            self._linear[op.id].add(values, values[op.id], self._workspace, self.options.threads)
        elif isinstance(op, MultiplyOp):
            values[op.id] = values[op.left] * values[op.right]
        elif isinstance(op, ActivationOp):
            values[op.id] = _activate(op, values[op.source], self._law)

    def _bias(self, op: LinearOp) -> np.ndarray:
        total = np.zeros(op.shape, np.uint32)
        if op.bias is not None:
            assert self.weights is not None
            total += self.weights[op.bias].reshape(-1, *(1,) * (len(op.shape) - 2))
        return total


def _activate(op: ActivationOp, x: np.ndarray, law: ActivationLaw) -> np.ndarray:
    """Applies a law where the client's share is zero: uint32 of x's shape."""
    if isinstance(law, WindowLaw):
        return _activate_in_window(op, x, law)
    return activation_reference(op, x, np.zeros_like(x), law)


def _activate_in_window(op: ActivationOp, x: np.ndarray, law: WindowLaw) -> np.ndarray:
    """Applies the law of every window mode where the client's share is zero.

    With a zero share nothing carries. So the sign of a ReLU is bit `window_bits`, whatever is dropped below.
    """
    y = (x + np.uint32(law.offset(op.truncate_bits))).view(np.int32)
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
