"""Agreement between the operators of a program: order, wiring, shapes, windows."""

from __future__ import annotations

import math

import numpy as np

from pi_bench.network.program import (
    RING_BITS,
    ActivationOp,
    Convolution,
    InputOp,
    LinearOp,
    LinearTerm,
    LocalOp,
    Op,
    OutputOp,
    Program,
    Reshape,
    Shape,
    Subsample,
    SumPool,
)
from pi_bench.network.program_fields import FieldError

_MOST_ELEMENTS = 1 << 28
"""Of all tensors of a program together, padding included: a few bytes from a peer must not make a party
allocate without bound."""


class _Elements:
    """Counts the elements that a party running the program has to hold."""

    def __init__(self) -> None:
        self._left = _MOST_ELEMENTS

    def take(self, op: Op, *sizes: int) -> None:
        self._left -= math.prod(sizes)
        if self._left < 0:
            raise _fault(
                op, f"brings the program above {_MOST_ELEMENTS} elements: too large an input or batch"
            )


def check_program(program: Program) -> None:
    """Returns if a party can run the program.

    Raises:
        FieldError: naming the operator that cannot be run.
    """
    ops = program.ops
    if len(ops) < 3 or not isinstance(ops[0], InputOp) or not isinstance(ops[-1], OutputOp):
        raise FieldError("it does not begin with an input and end with an output")
    batch = ops[0].shape[0]
    weight_names: set[str] = set()
    elements = _Elements()
    for position, op in enumerate(ops):
        elements.take(op, *op.shape)
        if op.id != position:
            raise _fault(op, f"stands at position {position}")
        if op.shape[0] != batch:
            raise _fault(op, f"has a batch of {op.shape[0]}, the input {batch}")
        if isinstance(op, InputOp):
            if position:
                raise _fault(op, "is a second input")
            if not op.bound > 0:
                raise _fault(op, "has no bound")
        elif isinstance(op, LinearOp):
            _check_linear(op, ops[:position], weight_names, elements)
        else:
            source = ops[op.source] if op.source < position else None
            if not isinstance(source, LinearOp) or source.shape != op.shape:
                raise _fault(op, "does not read an earlier linear value of its shape")
            if isinstance(op, ActivationOp):
                _check_activation(op, source)
            elif position != len(ops) - 1 or op.scale_bits != source.scale_bits:
                raise _fault(op, "is a second output, or of another scale than its source")
    if program.labels and len(program.labels) != ops[-1].shape[1]:
        raise FieldError(f"it has {len(program.labels)} labels for {ops[-1].shape[1]} outputs")


def _check_linear(op: LinearOp, earlier: tuple[Op, ...], weight_names: set[str], elements: _Elements) -> None:
    if not op.terms:
        raise _fault(op, "has no terms")
    mac_count = 0
    for term in op.terms:
        source = earlier[term.source] if term.source < len(earlier) else None
        if not isinstance(source, InputOp | ActivationOp):
            raise _fault(op, "reads something else than an earlier activation")
        shape = _term_shape(op, term, source.shape, elements)
        if shape != op.shape or term.shift_bits.shape != (op.shape[1],) or term.shift_bits.max() >= RING_BITS:
            raise _fault(op, f"has a term of shape {shape} with {term.shift_bits.size} shifts")
        if term.weighted is not None:
            if term.multiplier != 1:
                raise _fault(op, "has a multiplier beside weights")
            _claim(op, term.weighted.weight, weight_names)
            fan_in = term.weighted.in_shape[1]
            if isinstance(term.weighted, Convolution):
                fan_in *= math.prod(term.weighted.kernel)
            mac_count += fan_in * math.prod(op.shape)
    if op.bias is not None:
        _claim(op, op.bias, weight_names)
    if op.mac_count != mac_count:
        raise _fault(op, f"counts {op.mac_count} multiplications instead of {mac_count}")


def _claim(op: LinearOp, name: str, weight_names: set[str]) -> None:
    if name in weight_names:
        raise _fault(op, f"uses the weights {name!r:.60} a second time")
    weight_names.add(name)


def _term_shape(op: LinearOp, term: LinearTerm, shape: Shape, elements: _Elements) -> Shape:
    for local in term.local:
        shape = _local_shape(op, local, shape, elements)
        elements.take(op, *shape)
    weighted = term.weighted
    if weighted is None:
        return shape
    if weighted.in_shape != shape or weighted.out_shape[0] != shape[0]:
        raise _fault(op, f"applies weights for {weighted.in_shape} to {shape}")
    if isinstance(weighted, Convolution):
        expected = _windows(op, shape, weighted.kernel, weighted.stride, weighted.padding, elements)
        if len(weighted.out_shape) != 4 or weighted.out_shape[2:] != expected:
            raise _fault(op, f"says {weighted.out_shape} where the windows give {expected}")
    elif len(shape) != 2 or len(weighted.out_shape) != 2:
        raise _fault(op, "connects fully what is not flat")
    elements.take(op, *weighted.out_shape)
    return weighted.out_shape


def _local_shape(op: LinearOp, local: LocalOp, shape: Shape, elements: _Elements) -> Shape:
    if isinstance(local, Reshape):
        if math.prod(local.shape) != math.prod(shape) or local.shape[0] != shape[0]:
            raise _fault(op, f"reshapes {shape} to {local.shape}")
        return local.shape
    if len(shape) != 4:
        raise _fault(op, f"pools or subsamples {shape}")
    if isinstance(local, Subsample):
        rows, columns = (-(-size // step) for size, step in zip(shape[2:], local.stride, strict=True))
    else:
        assert isinstance(local, SumPool)
        rows, columns = _windows(op, shape, local.kernel, local.stride, local.padding, elements)
    return (*shape[:2], rows, columns)


def _windows(
    op: LinearOp,
    shape: Shape,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    elements: _Elements,
) -> tuple[int, int]:
    if len(shape) != 4:
        raise _fault(op, f"convolves or pools {shape}")
    height, width = shape[2] + padding[0] + padding[1], shape[3] + padding[2] + padding[3]
    elements.take(op, *shape[:2], height, width)
    if kernel[0] > height or kernel[1] > width:
        raise _fault(op, f"has a window {kernel} larger than its input {shape}")
    return (height - kernel[0]) // stride[0] + 1, (width - kernel[1]) // stride[1] + 1


def _check_activation(op: ActivationOp, source: LinearOp) -> None:
    if source.scale_bits - op.truncate_bits != op.scale_bits:
        raise _fault(op, "has a scale that its truncation does not give")
    if not op.truncate_bits < op.window_bits < RING_BITS:
        raise _fault(op, f"has window {op.window_bits} and truncation {op.truncate_bits}")
    total = math.prod(op.shape)
    if not op.groups or sum(group.count for group in op.groups) != total:
        raise _fault(op, "has groups that do not cover its elements")
    if len({group.kind for group in op.groups}) != len(op.groups):
        raise _fault(op, "has two groups of one kind")
    if len(op.groups) == 1 and op.groups[0].index is None:
        return
    for group in op.groups:
        index = group.index
        if index is None or index.size != group.count:
            raise _fault(op, "has a group whose index and count differ")
        if index[0] < 0 or index[-1] >= total or not bool((np.diff(index) > 0).all()):
            raise _fault(op, "has an index that does not ascend within its elements")
    indexes = [group.index for group in op.groups if group.index is not None]
    if np.unique(np.concatenate(indexes)).size != total:
        raise _fault(op, "has groups that overlap")


def _fault(op: Op, what: str) -> FieldError:
    return FieldError(f"operator {op.id} {op.name!r:.80} {what}")
