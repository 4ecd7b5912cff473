"""INSECURE: client and dealer of the ideal functionality."""

from __future__ import annotations

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.crypto.randomness import random_words
from pi_bench.hybrid.modes import window_law
from pi_bench.network.execution.reference import activation_reference, multiply_reference
from pi_bench.network.execution.shares import apply_linear
from pi_bench.network.program import ActivationOp, LinearOp, MultiplyOp, Program, element_count
from pi_bench.protocol import Party, PartyProtocol, Preprocessing, ProtocolOptions
from pi_bench.protocol.prediction import PredictedBytes
from pi_bench.protocol.script import Purpose

NAME = "ideal"


class InsecureIdealClient(PartyProtocol):
    """Runs the client: gives its input to the dealer and keeps the shares that the dealer samples for it.

    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_in_memory, small_network
    >>> program, weights = small_network()
    >>> inputs = [np.zeros((1, 2), np.uint32)]
    >>> runs = run_in_memory(find_protocol("ideal"), program, weights, inputs, ProtocolOptions("exact"))
    >>> [(str(message.sender), len(message.payload)) for message in runs[0].transcript]
    [('server', 16), ('server', 4), ('client', 8), ('server', 4)]
    """

    def preprocess(self, inference_id: int) -> Preprocessing:
        """Receives the client's share of every linear value."""
        shares: dict[str, np.ndarray] = {}
        for op in self.program.linear_ops:
            with self.session.step(op.id, "dealer"):
                words = self.session.receive(WORD_BYTES * element_count(op.shape))
                shares[f"share:{op.id}"] = np.frombuffer(words, np.uint32).reshape(op.shape)
                if self.session.trace is not None:
                    self.session.trace.keep_linear(op.id, shares[f"share:{op.id}"])
        if self.session.trace is not None:
            for value in self.program.source_ops:
                self.session.trace.keep_activation(value.id, np.zeros(value.shape, np.uint32))
        return Preprocessing(NAME, inference_id, shares)

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        """Sends the input and receives the logits."""
        assert encoded_input is not None
        material.claim(NAME)
        with self.session.step(self.program.input.id):
            self.session.send(encoded_input)
        output = self.program.output
        with self.session.step(output.id):
            words = self.session.receive(WORD_BYTES * element_count(output.shape))
            return np.frombuffer(words, np.uint32).reshape(output.shape)


class InsecureIdealServer(PartyProtocol):
    """Runs the dealer: samples the client's shares and computes the network in the clear.

    Its answer equals the integer network's:

    >>> from pi_bench.network.execution.reference import run_reference
    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_in_memory, small_network
    >>> program, weights = small_network()
    >>> inputs = [np.array([[100, 200]], np.uint32)]
    >>> (run,) = run_in_memory(find_protocol("ideal"), program, weights, inputs, ProtocolOptions("exact"))
    >>> bool(run.output == run_reference(program, weights, inputs[0]).values[program.output.id])
    True
    """

    def preprocess(self, inference_id: int) -> Preprocessing:
        """Samples the client's share of every linear value and sends it."""
        shares: dict[str, np.ndarray] = {}
        for op in self.program.linear_ops:
            with self.session.step(op.id, "dealer"):
                shares[f"share:{op.id}"] = random_words(op.shape)
                self.session.send(shares[f"share:{op.id}"])
        return Preprocessing(NAME, inference_id, shares)

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        """Receives the input, computes the network and sends the logits."""
        assert self.weights is not None
        shares = material.claim(NAME)
        values: dict[int, np.ndarray] = {}
        program, trace = self.program, self.session.trace
        law = window_law(self.options)
        with self.session.step(program.input.id):
            words = self.session.receive(WORD_BYTES * element_count(program.input.shape))
            values[program.input.id] = np.frombuffer(words, np.uint32).reshape(program.input.shape)
        for op in program.ops[1:-1]:
            with self.session.step(op.id):
                if isinstance(op, LinearOp):
                    values[op.id] = apply_linear(op, values, self.weights)
                elif isinstance(op, ActivationOp):
                    share = shares[f"share:{op.source}"]
                    values[op.id] = activation_reference(op, values[op.source], share, law)
                elif isinstance(op, MultiplyOp):
                    values[op.id] = multiply_reference(op, values)
        with self.session.step(program.output.id):
            self.session.send(values[program.output.source])
        if trace is not None:
            for op in program.linear_ops:
                trace.keep_linear(op.id, values[op.id] - shares[f"share:{op.id}"])
            for value in program.source_ops:
                trace.keep_activation(value.id, values[value.id])
        return None


def predict(program: Program, options: ProtocolOptions) -> PredictedBytes:
    """Counts the payload bytes of one inference. They are the same under all options.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> predict(program, ProtocolOptions("exact")).online[Party.CLIENT]  # 2 words of input
    8
    """
    del options
    predicted = PredictedBytes()
    for op in program.linear_ops:
        byte_count = WORD_BYTES * element_count(op.shape)
        predicted.add_offline("dealer", Party.SERVER, byte_count, Purpose.LINEAR)
    predicted.add_online(program.input.id, Party.CLIENT, WORD_BYTES * element_count(program.input.shape))
    predicted.add_online(program.output.id, Party.SERVER, WORD_BYTES * element_count(program.output.shape))
    return predicted
