"""INSECURE: both parties of `null`, which send the messages of another protocol one by one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from itertools import accumulate, groupby

import numpy as np

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.arithmetic.prefetch import prefetch
from pi_bench.network.execution.prepared_linear import PreparedLinear, workspace_for
from pi_bench.network.program import ActivationOp, LinearOp, MultiplyOp, Op, Program, Weights
from pi_bench.protocol import PartyProtocol, Preprocessing, ProtocolOptions, SessionLike
from pi_bench.protocol.script import RunScript

from .activation import prepare_activation
from .moves import Move, online_moves, phase_moves, set_up_moves, with_operators

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
        most_bytes = max(move.byte_count for move in (*self._set_up, *self._offline, *self._online))
        self._zeros = memoryview(bytes(most_bytes))  # what messages carry beside the input and the logits
        self._received = memoryview(bytearray(most_bytes))

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
        """Plays moves whose messages hold zeros only, neither input nor logits."""
        for move in moves:
            with self.session.step(move.step, move.part):
                self._move(move, self._zeros)

    def _move(self, move: Move, carried: memoryview, meanwhile: Iterator[None] | None = None) -> None:
        """Sends or receives one message within its step.

        Args:
            carried: the whole input or the logits.
        """
        if move.sends:
            if move.carried_bytes:
                zeros = self._zeros[: move.byte_count - move.carried_bytes]
                self.session.send(carried[move.carried], zeros)
            else:
                self.session.send(self._zeros[: move.byte_count])
            return
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

    def __init__(
        self,
        session: SessionLike,
        program: Program,
        options: ProtocolOptions,
        weights: Weights | None,
        prepared: object = None,
    ) -> None:
        super().__init__(session, program, options, weights, prepared)
        self._stretches = [
            (step, list(moves)) for step, moves in groupby(self._online, lambda move: (move.step, move.part))
        ]

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
        logits = np.empty(self.program.output.shape, np.uint32)
        given, gained = _bytes_of(encoded_input), _bytes_of(logits)
        for (step, part), stretch in self._stretches:
            with self.session.step(step, part):
                for move in stretch:
                    self._move(move, given if move.sends else gained)
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
        law = self.law(options)
        self._activate = {op.id: prepare_activation(op, law) for op in program.activation_ops}
        self._linear = {op.id: PreparedLinear(op, weights, program.weight_bits) for op in program.linear_ops}
        self._workspace = workspace_for(self._linear.values())
        self._items = with_operators(program, self._role, self._online)
        coming = [self._linear[op.id].weights for op in program.linear_ops]
        self._coming = [array for arrays in coming for array in arrays]
        counts = accumulate(map(len, coming))
        self._used = {op.id: count for op, count in zip(program.linear_ops, counts, strict=True)}
        self._stretches = [(step, list(items)) for step, items in groupby(self._items, _step_of)]

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
        given = _bytes_of(values[source.id])
        logits = given  # until they are computed no message carries them
        ahead = prefetch(self._coming)
        for (step, part), stretch in self._stretches:
            with self.session.step(step, part):
                for item in stretch:
                    if not isinstance(item, Move):
                        self._compute(item, values, arrays)
                        ahead.drop(self._used.get(item.id, 0))
                    elif item.sends:
                        if item.carried_bytes:
                            logits = _bytes_of(values[output.source])
                        self._move(item, logits)
                    else:
                        self._move(item, given, ahead)
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
            values[op.id] = self._activate[op.id](values[op.source])

    def _bias(self, op: LinearOp) -> np.ndarray:
        total = np.zeros(op.shape, np.uint32)
        if op.bias is not None:
            assert self.weights is not None
            total += self.weights[op.bias].reshape(-1, *(1,) * (len(op.shape) - 2))
        return total


def _step_of(item: Move | Op) -> tuple[int, str]:
    return (item.step, item.part) if isinstance(item, Move) else (item.id, "")


def _bytes_of(array: np.ndarray) -> memoryview:
    return np.ascontiguousarray(array).data.cast("B")
