"""Verifies one run against the integer network, from the shares of both parties, outside every clock.

A linear value must equal the integer linear operator of the inputs that it really had. An activation must
equal the law of its mode, given its layer's real value and the client's share (docs/threat-model.md). An
element-wise product must be the product. The output must equal the last linear value. If the law does not
depend on shares, every value must also equal the reference, from end to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pi_bench.arithmetic.activation_law import EXACT, ActivationLaw
from pi_bench.arithmetic.law import signed
from pi_bench.network.execution.reference import (
    activation_reference,
    linear_reference,
    multiply_reference,
    out_of_range,
    product_out_of_range,
    run_reference,
)
from pi_bench.network.program import ActivationOp, LinearOp, MultiplyOp, Program, Weights

Arrays = Mapping[str, np.ndarray]


@dataclass(slots=True)
class Verdict:
    """Result of verifying one run.

    Attributes:
        compared_count, mismatch_count: elements that were compared, and those that were wrong.
        out_of_range_count: elements outside their window or the ring.
        max_ulp_error: largest distance of an activation from its exact result, in units in the last place.
        zeroed_count: activations that are 0 and that the approximated law would have kept.
        failures: one sentence per failing layer, in the program's order.

    >>> Verdict(failures=["layer 'stem': 1 of 64 elements break the law"]).passed
    False
    """

    compared_count: int = 0
    mismatch_count: int = 0
    out_of_range_count: int = 0
    max_ulp_error: int = 0
    zeroed_count: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


class RunVerifier:
    """Verifier of the runs of one program on one input.

    >>> from pi_bench.network.compiler import compile_graph
    >>> from pi_bench.network.graph import Graph
    >>> from pi_bench.network.program.fixed_point import encode_input
    >>> from pi_bench.protocol import Party
    >>> from pi_bench.registry import default_protocol
    >>> from pi_bench.testing import run_in_memory
    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0), meta={"name": "tiny"})
    >>> (program, weights), info = compile_graph(graph), default_protocol()
    >>> encoded, options = encode_input(program, np.float32([[1, -2]])), info.configure()
    >>> (run,) = run_in_memory(info, program, weights, [encoded], options)
    >>> client, server = (run.traces[party].arrays for party in (Party.CLIENT, Party.SERVER))
    >>> RunVerifier(program, weights, info.law(options), encoded).verify(client, server, run.output).passed
    True
    """

    def __init__(
        self, program: Program, weights: Weights, law: ActivationLaw, encoded_input: np.ndarray
    ) -> None:
        self._program = program
        self._weights = weights
        self._law = law
        self._input = encoded_input
        self._reference = (
            None if law.depends_on_shares else run_reference(program, weights, encoded_input, law).values
        )

    def verify(self, client: Arrays, server: Arrays, output: np.ndarray) -> Verdict:
        """Verifies one run.

        Args:
            client: the shares of the client, by the names of `pi_bench.protocol.ShareTrace`.
            server: those of the server.
            output: the revealed output.
        """
        verdict = Verdict()
        values: dict[int, np.ndarray] = {}
        program = self._program
        for op in program.ops:
            try:
                if op is program.output:
                    self._compare(verdict, op.name, "the output", output, values[program.output.source])
                elif isinstance(op, LinearOp):
                    values[op.id] = _value(f"x:{op.id}", client, server, op.shape)
                    expected = linear_reference(op, values, self._weights)
                    self._compare(verdict, op.name, "the linear value", values[op.id], expected)
                else:
                    values[op.id] = _value(f"a:{op.id}", client, server, op.shape)
                    if isinstance(op, ActivationOp):
                        self._check_activation(verdict, op, values, client[f"x:{op.source}"])
                    elif isinstance(op, MultiplyOp):
                        self._check_product(verdict, op, values)
                    else:
                        self._compare(verdict, op.name, "the input", values[op.id], self._input)
            except _MissingShareError as missing:
                verdict.failures.append(f"layer {op.name!r}: {missing}")
                return verdict
            if self._reference is not None and op.id in self._reference and op.id in values:
                self._compare(verdict, op.name, "the reference", values[op.id], self._reference[op.id])
        return verdict

    def _check_activation(
        self, verdict: Verdict, op: ActivationOp, values: Mapping[int, np.ndarray], v: np.ndarray
    ) -> None:
        x, y = values[op.source], values[op.id]
        outside = out_of_range(op, x, self._law)
        if outside is not None:
            verdict.out_of_range_count += outside.count
            verdict.failures.append(
                f"layer {op.name!r}: {outside.count} of {x.size} values lie outside the window (the largest "
                f"is {outside.largest / 2**op.window_bits:.3g} of it); calibrate with inputs like this one"
            )
        expected = activation_reference(op, x, v, self._law)
        self._compare(verdict, op.name, "the law", y, expected)
        if self._law.approximated is not None:
            kept = activation_reference(op, x, v, self._law.approximated)
            verdict.zeroed_count += int(np.count_nonzero((expected == 0) & (kept != 0)))
        if outside is None and y.size:
            exact = activation_reference(op, x, v, EXACT)
            distance = int(np.abs(signed(y - exact)).max())
            verdict.max_ulp_error = max(verdict.max_ulp_error, distance)

    def _check_product(self, verdict: Verdict, op: MultiplyOp, values: Mapping[int, np.ndarray]) -> None:
        outside = product_out_of_range(op, values)
        if outside is not None:
            verdict.out_of_range_count += outside.count
            verdict.failures.append(
                f"layer {op.name!r}: {outside.count} of {values[op.id].size} products do not fit 32 bits "
                f"(the largest is 2^{outside.largest.bit_length() - 1}); calibrate with inputs like this one"
            )
        self._compare(verdict, op.name, "the product", values[op.id], multiply_reference(op, values))

    def _compare(
        self, verdict: Verdict, name: str, what: str, found: np.ndarray, expected: np.ndarray
    ) -> None:
        verdict.compared_count += expected.size
        if found.shape != expected.shape:
            verdict.mismatch_count += expected.size
            verdict.failures.append(f"layer {name!r}: shape {found.shape} where {expected.shape} was due")
            return
        wrong = int(np.count_nonzero(found != expected))
        if wrong:
            verdict.mismatch_count += wrong
            verdict.failures.append(f"layer {name!r}: {wrong} of {expected.size} elements break {what}")


class _MissingShareError(Exception):
    """Error of a party that did not hand over a share."""


def _value(name: str, client: Arrays, server: Arrays, shape: tuple[int, ...]) -> np.ndarray:
    for party, arrays in (("client", client), ("server", server)):
        if name not in arrays:
            raise _MissingShareError(f"the {party} handed over no share {name}")
        if arrays[name].dtype != np.uint32 or arrays[name].shape != shape:
            raise _MissingShareError(f"the {party}'s share {name} is not uint32 of shape {shape}")
    total: np.ndarray = client[name] + server[name]
    return total
