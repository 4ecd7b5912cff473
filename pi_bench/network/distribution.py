"""Sums a program's parameters, multiply-accumulates, ReLUs and truncations by resolution.

DeepReDuce (Jha et al., ICML 2021) shows this in Figure 3. A stage of its section 2.1 is a run of layers of
equal resolution, so operators are summed by the height and width of their values.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

from pi_bench.network.program import ActivationOp, ElementMap, LinearOp, MultiplyOp, Op, Program, operands


@dataclass(frozen=True, slots=True)
class ResolutionCounts:
    """The counts of all operators of one resolution, (height, width) or None for vectors.

    Counts are of one inference, whole batch.

    >>> ResolutionCounts((8, 8), relu_count=64).relu_count
    64
    """

    resolution: tuple[int, int] | None
    parameter_count: int = 0
    mac_count: int = 0
    relu_count: int = 0
    truncation_count: int = 0


def parameter_count(op: Op) -> int:
    """Counts the weights and biases of an operator as it runs; batch normalizations are folded into them.

    >>> import numpy as np
    >>> from pi_bench.network.program import FullyConnected, LinearTerm
    >>> head = LinearTerm(0, (), FullyConnected("w", (1, 4), (1, 2)), 1, np.zeros(2, np.uint8))
    >>> parameter_count(LinearOp(1, "head", (1, 2), 22, (head,), bias="b", mac_count=8))
    10
    """
    if not isinstance(op, LinearOp):
        return 0
    weights = sum(math.prod(term.weighted.weight_shape) for term in op.terms if term.weighted is not None)
    return weights + (0 if op.bias is None else op.shape[1])


def by_resolution(program: Program) -> list[ResolutionCounts]:
    """Sums the counts of a program by resolution, in the order in which the program first meets them.

    >>> import numpy as np
    >>> from pi_bench.network.program import FullyConnected, LinearTerm
    >>> head = LinearTerm(0, (), FullyConnected("w", (1, 4), (1, 2)), 1, np.zeros(2, np.uint8))
    >>> linear = LinearOp(1, "head", (1, 2), 22, (head,), bias="b", mac_count=8)
    >>> [counts.parameter_count for counts in by_resolution(Program("tiny", (linear,), 10, ()))]
    [10]
    """
    found: dict[tuple[int, int] | None, ResolutionCounts] = {}
    resolutions: dict[int, tuple[int, int] | None] = {}
    for op in program.ops:
        resolution = resolutions[op.id] = _resolution(op, resolutions)
        if not isinstance(op, LinearOp | ActivationOp):
            continue
        counts = found.get(resolution, ResolutionCounts(resolution))
        if isinstance(op, LinearOp):
            counts = dataclasses.replace(
                counts,
                parameter_count=counts.parameter_count + parameter_count(op),
                mac_count=counts.mac_count + op.mac_count,
            )
        else:
            counts = dataclasses.replace(
                counts,
                relu_count=counts.relu_count + op.relu_count,
                truncation_count=counts.truncation_count + op.truncation_count,
            )
        found[resolution] = counts
    return list(found.values())


def _resolution(op: Op, earlier: Mapping[int, tuple[int, int] | None]) -> tuple[int, int] | None:
    """Returns the height and width of a value. Elements gathered from a map have those of the map."""
    if len(op.shape) == 4:
        return op.shape[2], op.shape[3]
    gathers = isinstance(op, LinearOp) and any(
        isinstance(local, ElementMap) for term in op.terms for local in term.local
    )
    if gathers or isinstance(op, ActivationOp | MultiplyOp):
        return earlier[operands(op)[0]]
    return None
