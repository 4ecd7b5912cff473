"""How far each layer's fixed-point values are from the float network's, over a data set."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pi_bench.arithmetic.law import signed
from pi_bench.network.graph import Graph
from pi_bench.network.program import ActivationOp, OutputOp
from pi_bench.network.reference import activation_reference, out_of_range


@dataclass(slots=True)
class LayerError:
    """Of one activation or the output.

    error_square_sum, float_square_sum: over all its values; None-like 0 where the float network has no
    value of this name. largest_error: of one value. largest_integer: |x| that entered the window.
    outside_count: values outside the window; zeroed_count: made 0 by the sign drop alone.
    """

    op: ActivationOp | OutputOp
    compared_count: int = 0
    error_square_sum: float = 0.0
    float_square_sum: float = 0.0
    largest_error: float = 0.0
    largest_float: float = 0.0
    largest_integer: int = 0
    outside_count: int = 0
    zeroed_count: int = 0

    @property
    def relative_error(self) -> float | None:
        """Root mean square of the error over that of the float values; None without float values."""
        if not self.compared_count:
            return None
        if self.float_square_sum == 0:
            return 0.0 if self.error_square_sum == 0 else math.inf
        return math.sqrt(self.error_square_sum / self.float_square_sum)

    @property
    def room_bits(self) -> float:
        """log2 of the window over the largest value that entered it: what calibration has left.

        Negative where values were outside; of the output the window is the ring.
        """
        top_bits = 31
        if isinstance(self.op, ActivationOp):
            top_bits = self.op.window_bits if self.op.relu_count else 30
        return top_bits - math.log2(max(self.largest_integer, 1))


class LayerErrors:
    """Collects `LayerError`s by layer, in the program's order."""

    def __init__(self, graph: Graph, mode: str, sign_drop: int) -> None:
        self._shapes = {node.name: tuple(node.shape) for node in graph.nodes}
        self._mode = mode
        self._sign_drop = sign_drop
        self.by_name: dict[str, LayerError] = {}

    def observe(
        self,
        op: ActivationOp | OutputOp,
        x: np.ndarray,
        share: np.ndarray,
        y: np.ndarray,
        exact: np.ndarray | None,
    ) -> None:
        """One batch: the law took x, with the client's share of it, to y; `exact` is the float value."""
        layer = self.by_name.setdefault(op.name, LayerError(op))
        layer.largest_integer = max(layer.largest_integer, int(np.abs(signed(x)).max()))
        if isinstance(op, ActivationOp):
            outside = out_of_range(op, x, self._mode, self._sign_drop)
            layer.outside_count += 0 if outside is None else outside.count
            if self._sign_drop:
                kept = activation_reference(op, x, share, self._mode)
                layer.zeroed_count += int(np.count_nonzero((y == 0) & (kept != 0)))
        if exact is None or exact.shape != y.shape:
            return
        float_values = exact.astype(np.float64)
        errors = np.ldexp(y.view(np.int32).astype(np.float64), -op.scale_bits) - float_values
        layer.compared_count += errors.size
        layer.error_square_sum += float(np.vdot(errors, errors))
        layer.float_square_sum += float(np.vdot(float_values, float_values))
        layer.largest_error = max(layer.largest_error, float(np.abs(errors).max()))
        layer.largest_float = max(layer.largest_float, float(np.abs(float_values).max()))
