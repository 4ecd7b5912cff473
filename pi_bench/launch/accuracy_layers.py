"""Measures how far the fixed-point values of each layer are from the float network's, over a data set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.arithmetic.law import signed
from pi_bench.network.execution.integer_run import OperatorValues
from pi_bench.network.execution.reference import (
    activation_reference,
    beyond_ring,
    exact_product,
    out_of_range,
)
from pi_bench.network.graph import Graph, operator_name
from pi_bench.network.program import UNWINDOWED_BITS, ActivationOp, LinearOp, MultiplyOp, OutputOp, Program

_COMPOSED = ("clamp", "leaky_relu", "max_pool", "prelu")
_SIGNED_BITS = 31


@dataclass(slots=True)
class LayerError:
    """Errors of one layer with activations or products, or of the output.

    Attributes:
        operator: the operator of the float network.
        compared_count, error_square_sum, float_square_sum, largest_error, largest_float: over all its values.
        headroom_bits: log2 of the window over the largest value that entered it, the least of the layer's
            activations. For products and for the output the ring takes the place of the window.
        outside_count: number of values outside the window.
        zeroed_count: number of values that are 0 under the law and not under the one that it approximates.

    >>> LayerError("relu", compared_count=4, error_square_sum=0.01, float_square_sum=1.0).relative_error
    0.1
    """

    operator: str
    compared_count: int = 0
    error_square_sum: float = 0.0
    float_square_sum: float = 0.0
    largest_error: float = 0.0
    largest_float: float = 0.0
    headroom_bits: float = math.inf
    outside_count: int = 0
    zeroed_count: int = 0

    @property
    def relative_error(self) -> float | None:
        """Root mean square of the error over that of the float values. None without float values."""
        if not self.compared_count:
            return None
        if self.float_square_sum == 0:
            return 0.0 if self.error_square_sum == 0 else math.inf
        return math.sqrt(self.error_square_sum / self.float_square_sum)


class LayerErrorCollector:
    """Collector of a `LayerError` per layer, in the order of the program.

    A layer of the float network may be several operators of the program, as a max-pool is a tournament. The
    last of them makes its value.

    >>> from pi_bench.arithmetic.activation_law import EXACT
    >>> from pi_bench.network.compiler import compile_graph
    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0), meta={"name": "tiny"})
    >>> list(LayerErrorCollector(graph, compile_graph(graph)[0], EXACT).by_name)
    ['relu', 'o']
    """

    def __init__(self, graph: Graph, program: Program, law: ActivationLaw) -> None:
        operators = {node.name: operator_name(node) for node in graph.nodes}
        self._law = law
        self._makers = _makers(program, operators)
        self.by_name = {
            op.name: LayerError(operators.get(op.name, "activation"))
            for op in program.ops
            if isinstance(op, ActivationOp | MultiplyOp | OutputOp)
        }

    def observe(self, step: OperatorValues, exact: Mapping[str, np.ndarray]) -> None:
        """Adds one batch at one operator.

        Args:
            exact: the float values by the names of nodes.
        """
        op, y = step.op, step.made
        layer = self.by_name.get(op.name)
        if layer is None:
            return
        if isinstance(op, ActivationOp):
            self._observe_window(layer, op, step)
        elif isinstance(op, MultiplyOp):
            product = exact_product(*step.read)
            layer.headroom_bits = min(layer.headroom_bits, _headroom(_SIGNED_BITS, product))
            layer.outside_count += int(np.count_nonzero(beyond_ring(product)))
        elif isinstance(op, OutputOp):
            layer.headroom_bits = min(layer.headroom_bits, _headroom(_SIGNED_BITS, signed(y)))
        if self._makers.get(op.name) == op.id and op.name in exact and exact[op.name].shape == y.shape:
            _compare(layer, y, op.scale_bits, exact[op.name].astype(np.float64))

    def _observe_window(self, layer: LayerError, op: ActivationOp, step: OperatorValues) -> None:
        (x,) = step.read
        window_bits = op.window_bits if op.relu_count else UNWINDOWED_BITS
        layer.headroom_bits = min(layer.headroom_bits, _headroom(window_bits, signed(x)))
        outside = out_of_range(op, x, self._law)
        layer.outside_count += 0 if outside is None else outside.count
        if self._law.approximated is not None:
            kept = activation_reference(op, x, step.share, self._law.approximated)
            layer.zeroed_count += int(np.count_nonzero((step.made == 0) & (kept != 0)))


def _makers(program: Program, operators: Mapping[str, str]) -> dict[str, int]:
    """Maps each layer to the id of the operator that makes its value, which is the last of its name.

    Sums with weights are left out: they have the name of the weights, not of the value that is made of them.
    So are activations that are a part of something else, because the rest may be in a later sum.
    """
    makers: dict[str, int] = {}
    for op in program.ops:
        weighted = isinstance(op, LinearOp) and any(term.weighted is not None for term in op.terms)
        kind = operators.get(op.name)
        whole = kind in ("relu", "polynomial")
        part = kind in _COMPOSED or (not whole and isinstance(op, ActivationOp) and op.relu_count > 0)
        if weighted:
            continue
        if part and isinstance(op, ActivationOp):
            makers.pop(op.name, None)
        else:
            makers[op.name] = op.id
    return makers


def _compare(layer: LayerError, y: np.ndarray, scale_bits: int, exact: np.ndarray) -> None:
    errors = np.ldexp(y.view(np.int32).astype(np.float64), -scale_bits) - exact
    layer.compared_count += errors.size
    layer.error_square_sum += float(np.vdot(errors, errors))
    layer.float_square_sum += float(np.vdot(exact, exact))
    layer.largest_error = max(layer.largest_error, float(np.abs(errors).max()))
    layer.largest_float = max(layer.largest_float, float(np.abs(exact).max()))


def _headroom(window_bits: int, x: np.ndarray) -> float:
    return window_bits - math.log2(max(int(np.abs(x).max()), 1))
