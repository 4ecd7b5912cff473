"""INSECURE: both parties of `null`, which send the messages of another protocol one by one.

The buffers of the online phase are the same in every inference, so each party makes one schedule of its
messages and of the work between them. A session carries it out.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.arithmetic.plain import fill_channels_task
from pi_bench.channel.schedule import Item, ReceiveItem, Schedule, SendItem, WorkItem
from pi_bench.network.execution.prepared_linear import PreparedLinear, workspace_for
from pi_bench.network.program import ActivationOp, LinearOp, MultiplyOp, Op, OutputOp, Program, Weights
from pi_bench.protocol import PartyProtocol, Preprocessing, ProtocolOptions, SessionLike
from pi_bench.protocol.script import RunScript

from .activation import activation_work
from .messages import PlannedMessage, online_messages, phase_messages, set_up_messages, with_operators

NAME = "null"
_ZEROS = memoryview(bytes(64 << 10))  # what messages carry beside the input and the logits


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
        self._set_up = set_up_messages(script.set_up, party)
        self._offline = phase_messages(script.offline.roles[party])
        self._ahead = script.ahead  # the inferences that its offline phase is for
        self._role = script.online.roles[party]
        self._online = online_messages(program, self._role, party)
        most_bytes = max(message.byte_count for message in (*self._set_up, *self._offline, *self._online))
        self._received = memoryview(bytearray(most_bytes))

    @staticmethod
    @abstractmethod
    def script(program: Program, options: ProtocolOptions) -> RunScript:
        """Returns the script whose messages are exchanged."""

    @staticmethod
    @abstractmethod
    def law(options: ProtocolOptions) -> ActivationLaw:
        """Returns the law that activations follow."""

    def set_up(self) -> None:
        """Exchanges the messages of the set-up."""
        self._exchange(self._set_up)

    def preprocess_ahead(self, first_id: int) -> list[Preprocessing]:
        """Exchanges the messages of the offline phase, as often as the other protocol does."""
        for _ in range(self.options.ahead // self._ahead):
            self._exchange(self._offline)
        return super().preprocess_ahead(first_id)

    def _exchange(self, messages: Iterable[PlannedMessage]) -> None:
        """Exchanges messages that hold zeros only, neither input nor logits."""
        for message in messages:
            with self.session.step(message.step, message.part):
                if message.sends:
                    self.session.send(*_zeros(message.byte_count))
                else:
                    self.session.receive_into(self._received[: message.byte_count])

    def _items(self, message: PlannedMessage, carried: memoryview) -> Iterator[Item]:
        """Yields the items of one message. `carried` is the whole input or the whole logits."""
        place, zeros = carried[message.carried], message.byte_count - message.carried_bytes
        if message.sends:
            yield SendItem(message.step, message.part, (*([place] if place else []), *_zeros(zeros)))
        elif zeros == 0 and place:
            yield ReceiveItem(message.step, message.part, place)
        else:
            arrived = self._received[: message.byte_count]
            yield ReceiveItem(message.step, message.part, arrived)
            if place:
                begin = np.frombuffer(arrived[: len(place)], np.uint8)
                yield WorkItem(
                    message.step, message.part, partial(np.copyto, np.frombuffer(place, np.uint8), begin)
                )


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
        self._input = np.zeros(program.input.shape, np.uint32)
        self._logits = np.zeros(program.output.shape, np.uint32)
        given, gained = _bytes_of(self._input), _bytes_of(self._logits)
        self._schedule = Schedule(
            [
                item
                for message in self._online
                for item in self._items(message, given if message.sends else gained)
            ]
        )

    def preprocess(self, inference_id: int) -> Preprocessing:
        """Makes empty material. `preprocess_ahead` exchanges the messages."""
        if self.session.trace is not None:
            for op in self.program.linear_ops:
                self.session.trace.keep_linear(op.id, np.zeros(op.shape, np.uint32))
            for value in self.program.source_ops:
                self.session.trace.keep_activation(value.id, np.zeros(value.shape, np.uint32))
        return Preprocessing(NAME, inference_id, {})

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        """Exchanges the messages of the online phase, with the input in the clear."""
        assert encoded_input is not None
        material.claim(NAME)
        self._input[...] = encoded_input
        self.session.carry_out(self._schedule)
        return self._logits.copy()


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
        self._weights = weights
        # The pages are touched here: np.empty would leave that to the online phase.
        self._values = {
            op.id: np.full(op.shape, 1, np.uint32) for op in program.ops if not isinstance(op, OutputOp)
        }
        self._linear = {op.id: PreparedLinear(op, weights, program.weight_bits) for op in program.linear_ops}
        self._workspace = workspace_for(self._linear.values())
        given = _bytes_of(self._values[program.input.id])
        logits = _bytes_of(self._values[program.output.source])
        items: list[Item] = []
        for item in with_operators(program, self._role, self._online):
            if isinstance(item, PlannedMessage):
                items += self._items(item, logits if item.sends else given)
            else:
                items += self._work(item)
        self._schedule = Schedule(items)

    def preprocess(self, inference_id: int) -> Preprocessing:
        """Makes empty material. `preprocess_ahead` exchanges the messages."""
        return Preprocessing(NAME, inference_id, {})

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        """Exchanges the messages of the online phase, and computes the network between them."""
        material.claim(NAME)
        self.session.carry_out(self._schedule)
        if self.session.trace is not None:
            # Copied, since the next inference uses the same memory.
            for op in self.program.linear_ops:
                self.session.trace.keep_linear(op.id, self._values[op.id].copy())
            for value in self.program.source_ops:
                self.session.trace.keep_activation(value.id, self._values[value.id].copy())
        return None

    def _work(self, op: Op) -> Iterator[Item]:
        """Yields the calls that compute an operator's value."""
        values = self._values
        if isinstance(op, LinearOp):
            out = values[op.id]
            yield WorkItem(op.id, "", fill_channels_task(self._bias(op), out))
            for call, reads in self._linear[op.id].work(values, out, self._workspace, self.options.threads):
                yield WorkItem(op.id, "", call, reads)
        elif isinstance(op, MultiplyOp):
            yield WorkItem(op.id, "", partial(np.multiply, values[op.left], values[op.right], values[op.id]))
        elif isinstance(op, ActivationOp):
            for call in activation_work(op, self.law(self.options), values[op.source], values[op.id]):
                yield WorkItem(op.id, "", call)

    def _bias(self, op: LinearOp) -> np.ndarray:
        bias = np.zeros(op.shape[1], np.uint32)
        if op.bias is not None:
            bias += self._weights[op.bias].reshape(-1)
        return bias


def _zeros(byte_count: int) -> list[memoryview]:
    """Returns views of zeros that have so many bytes together.

    They are all of one short block. So nothing but the network's own data has to come from memory.
    """
    whole, rest = divmod(byte_count, len(_ZEROS))
    return [*[_ZEROS] * whole, *([_ZEROS[:rest]] if rest else [])]


def _bytes_of(array: np.ndarray) -> memoryview:
    return array.data.cast("B")
