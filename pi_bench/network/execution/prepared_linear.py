"""Linear operators prepared for the online phase: weights are packed, and running allocates nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np

from pi_bench.arithmetic.convolution import RingConvolution, Task, scale_add, scale_add_task
from pi_bench.network.execution.shares import apply_local, prepare_weights, ring_convolution
from pi_bench.network.program import LinearOp, LinearTerm, Weights

Work = tuple[Task | Callable[[], object], tuple[np.ndarray, ...]]
"""A call, and the arrays that it reads apart from shares."""


class PreparedLinear:
    """One linear operator with its secret weights, |w| < 2**(weight_bits - 1), without its bias.

    Raises:
        ValueError: a weight is beyond the public bound, or weights have another shape.

    >>> from pi_bench.network.program import FullyConnected
    >>> head = LinearTerm(0, (), FullyConnected("w", (1, 2), (1, 1)), 1, np.zeros(1, np.uint8))
    >>> linear = LinearOp(1, "head", (1, 1), 4, (head,), None, mac_count=2)
    >>> prepared = PreparedLinear(linear, {"w": np.int16([[3, -1]])}, weight_bits=10)
    >>> out = np.zeros((1, 1), np.uint32)
    >>> prepared.add({0: np.uint32([[5, 7]])}, out, workspace_for([prepared]))
    >>> out.tolist()
    [[8]]
    """

    def __init__(self, op: LinearOp, weights: Weights, weight_bits: int) -> None:
        self.op = op
        self._terms: list[tuple[LinearTerm, RingConvolution | None, np.ndarray]] = []
        self._fills_value = [term.shift_bits.size == op.shape[1] for term in op.terms]
        for term in op.terms:
            if term.weighted is None:
                self._terms.append((term, None, np.empty(0, np.int16)))
            else:
                packed = prepare_weights(term.weighted, weights[term.weighted.weight], weight_bits).packed
                # Channels within wider ones are no contiguous memory across samples.
                batch = op.shape[0] if term.weighted.out_shape == op.shape else 1
                self._terms.append((term, ring_convolution(term.weighted, batch), packed))

    @property
    def workspace_words(self) -> int:
        """The number of uint32 words that `add` needs as its workspace."""
        return max((kernel.workspace_words for _, kernel, _ in self._terms if kernel is not None), default=0)

    @property
    def weights(self) -> list[np.ndarray]:
        """The arrays that `add` reads apart from shares, in its order."""
        return [packed for _, _, packed in self._terms]

    def add(
        self, shares: Mapping[int, np.ndarray], out: np.ndarray, workspace: np.ndarray, threads: int = 1
    ) -> None:
        """Adds every term to `out`, uint32 of the value's shape, C-contiguous.

        Args:
            shares: one party's share of each earlier value by id.
            workspace: uint32, see `workspace_for`.
        """
        for (term, kernel, packed), fills_value in zip(self._terms, self._fills_value, strict=True):
            value = np.ascontiguousarray(apply_local(term.local, shares[term.source]))
            if fills_value:
                _add(term, kernel, packed, value, out, workspace, threads)
                continue
            place = slice(term.first_channel, term.first_channel + term.shift_bits.size)
            for n in range(len(out)):
                made = out[n : n + 1, place]
                _add(term, kernel, packed, value[n : n + 1], made, workspace, threads)

    def work(
        self, values: Mapping[int, np.ndarray], out: np.ndarray, workspace: np.ndarray, threads: int = 1
    ) -> list[Work]:
        """Returns the calls that do as `add` does with these arrays, for any number of uses.

        Each call has the arrays that it reads apart from shares.

        >>> from pi_bench.testing import small_network
        >>> program, weights = small_network()
        >>> op = program.linear_ops[0]
        >>> prepared = PreparedLinear(op, weights, program.weight_bits)
        >>> values, workspace = {0: np.ones((1, 2), np.uint32)}, workspace_for([prepared])
        >>> added, worked = np.zeros((2, *op.shape), np.uint32)
        >>> prepared.add(values, added, workspace)
        >>> for work, _ in prepared.work(values, worked, workspace):
        ...     work()
        >>> bool((worked == added).all())
        True
        """
        calls: list[Work] = []
        for (term, kernel, packed), fills_value in zip(self._terms, self._fills_value, strict=True):
            source = values[term.source]
            value = np.ascontiguousarray(apply_local(term.local, source))
            if not np.may_share_memory(value, source):  # otherwise it is a view of the whole result
                calls.append((partial(_copy_local, term, source, value), ()))
            place = slice(term.first_channel, term.first_channel + term.shift_bits.size)
            for n in (slice(None),) if fills_value else (slice(n, n + 1) for n in range(len(out))):
                made = out[n] if fills_value else out[n, place]
                call = _task(term, kernel, packed, value[n], made, workspace, threads)
                calls.append((call, () if kernel is None else (packed,)))
        return calls


def _copy_local(term: LinearTerm, source: np.ndarray, value: np.ndarray) -> None:
    np.copyto(value, apply_local(term.local, source))


def _task(
    term: LinearTerm,
    kernel: RingConvolution | None,
    packed: np.ndarray,
    value: np.ndarray,
    out: np.ndarray,
    workspace: np.ndarray,
    threads: int,
) -> Task:
    if kernel is None:
        return scale_add_task(value, term.multiplier, term.shift_bits, out)
    return kernel.task(packed, value, term.multiplier, term.shift_bits, workspace, out, threads)


def _add(
    term: LinearTerm,
    kernel: RingConvolution | None,
    packed: np.ndarray,
    value: np.ndarray,
    out: np.ndarray,
    workspace: np.ndarray,
    threads: int,
) -> None:
    if kernel is None:
        scale_add(value, term.multiplier, term.shift_bits, out)
    else:
        kernel.add(packed, value, term.multiplier, term.shift_bits, workspace, out, threads)


def workspace_for(operators: Iterable[PreparedLinear]) -> np.ndarray:
    """Makes a workspace that is large enough for each of the operators, with its pages touched.

    >>> workspace_for([]).dtype
    dtype('uint32')
    """
    return np.full(max((op.workspace_words for op in operators), default=0), 1, np.uint32)
