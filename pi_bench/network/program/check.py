"""Checks that the operators of a program agree: order, wiring, shapes, windows."""

from __future__ import annotations

import math

import numpy as np

from pi_bench.network.program import (
    RING_BITS,
    ActivationOp,
    InputOp,
    LinearOp,
    MultiplyOp,
    Op,
    OutputOp,
    Program,
    derived_values,
    weighted_mac_count,
)
from pi_bench.network.program.check_terms import Elements, fault, term_shape
from pi_bench.network.program.fields import FieldError

_MAX_CHANNEL_BITS = 31


def check_program(program: Program) -> None:
    """Checks that a party can run the program.

    Raises:
        FieldError: the message names the operator that cannot be run.

    >>> ops = (InputOp(0, "input", (1, 4), 12, bound=4.0), OutputOp(1, "output", (1, 4), 0, 12))
    >>> check_program(Program("tiny", ops, weight_bits=10, labels=()))
    Traceback (most recent call last):
    pi_bench.network.program.fields.FieldError: it does not begin with an input and end with an output
    """
    ops = program.ops
    if len(ops) < 3 or not isinstance(ops[0], InputOp) or not isinstance(ops[-1], OutputOp):
        raise FieldError("it does not begin with an input and end with an output")
    batch = ops[0].shape[0]
    weight_names: set[str] = set()
    elements = Elements()
    readable = derived_values(program)
    for position, op in enumerate(ops):
        elements.take(op, *op.shape)
        if op.id != position:
            raise fault(op, f"is at position {position}")
        if op.shape[0] != batch:
            raise fault(op, f"has a batch of {op.shape[0]}, the input {batch}")
        if isinstance(op, InputOp):
            if position:
                raise fault(op, "is a second input")
            if not op.bound > 0:
                raise fault(op, "has no bound")
            bits = op.channel_bits
            if bits is not None and (bits.shape != op.shape[1:2] or bits.max() > _MAX_CHANNEL_BITS):
                raise fault(
                    op, f"has factors of {bits.size} channels, or of more than {_MAX_CHANNEL_BITS} bits"
                )
        elif isinstance(op, MultiplyOp):
            _check_multiply(op, ops[:position], readable)
        elif isinstance(op, LinearOp):
            _check_linear(op, ops[:position], readable, weight_names, elements)
        else:
            source = ops[op.source] if op.source < position else None
            if not isinstance(source, LinearOp) or source.shape != op.shape:
                raise fault(op, "does not read an earlier linear value of its shape")
            if isinstance(op, ActivationOp):
                _check_activation(op, source)
            elif position != len(ops) - 1 or op.scale_bits != source.scale_bits:
                raise fault(op, "is a second output, or of another scale than its source")
    if program.labels and len(program.labels) != ops[-1].shape[1]:
        raise FieldError(f"it has {len(program.labels)} labels for {ops[-1].shape[1]} outputs")


def _check_linear(
    op: LinearOp,
    earlier: tuple[Op, ...],
    readable: frozenset[int],
    weight_names: set[str],
    elements: Elements,
) -> None:
    if not op.terms:
        raise fault(op, "has no terms")
    mac_count = 0
    for term in op.terms:
        source = earlier[term.source] if term.source < len(earlier) else None
        if source is None or isinstance(source, OutputOp):
            raise fault(op, "reads something else than an earlier value")
        shape = term_shape(op, term, source.shape, elements)
        end = term.first_channel + shape[1]
        if (shape[0], *shape[2:]) != (op.shape[0], *op.shape[2:]) or end > op.shape[1]:
            raise fault(op, f"has a term of shape {shape} at channel {term.first_channel}")
        if term.shift_bits.shape != shape[1:2] or term.shift_bits.max() >= RING_BITS:
            raise fault(op, f"has a term of shape {shape} with {term.shift_bits.size} shifts")
        if term.multiplier == 0:
            raise fault(op, "has a term that is multiplied by zero")
        if term.weighted is not None:
            if term.multiplier != 1:
                raise fault(op, "has both a multiplier and weights")
            if term.source not in readable:
                raise fault(op, "applies weights to a value whose mask follows from a product")
            _claim(op, term.weighted.weight, weight_names)
            mac_count += weighted_mac_count(term.weighted)
    if op.bias is not None:
        _claim(op, op.bias, weight_names)
    if op.mac_count != mac_count:
        raise fault(op, f"counts {op.mac_count} multiplications instead of {mac_count}")


def _check_multiply(op: MultiplyOp, earlier: tuple[Op, ...], readable: frozenset[int]) -> None:
    if not op.left <= op.right < len(earlier) or not isinstance(earlier[op.right], ActivationOp):
        raise fault(op, "does not multiply an earlier activation with itself or with a value before it")
    left, right = earlier[op.left], earlier[op.right]
    if op.left not in readable:
        raise fault(op, "multiplies a value whose mask follows from a product under encryption")
    if not left.shape == right.shape == op.shape:
        raise fault(op, f"multiplies {left.shape} and {right.shape} to {op.shape}")
    if op.scale_bits != left.scale_bits + right.scale_bits:
        raise fault(op, "has a scale that is not the sum of its factors'")


def _claim(op: LinearOp, name: str, weight_names: set[str]) -> None:
    if name in weight_names:
        raise fault(op, f"uses the weights {name!r:.60} a second time")
    weight_names.add(name)


def _check_activation(op: ActivationOp, source: LinearOp) -> None:
    if source.scale_bits - op.truncate_bits != op.scale_bits:
        raise fault(op, "has a scale that its truncation does not give")
    if not op.truncate_bits < op.window_bits < RING_BITS:
        raise fault(op, f"has window {op.window_bits} and truncation {op.truncate_bits}")
    if op.truncate_bits == 0 and op.truncation_count:
        raise fault(op, "truncates by no bit")
    total = math.prod(op.shape)
    if not op.groups or sum(group.count for group in op.groups) != total:
        raise fault(op, "has groups that do not cover its elements")
    if len({group.kind for group in op.groups}) != len(op.groups):
        raise fault(op, "has two groups of one kind")
    if len(op.groups) == 1 and op.groups[0].index is None:
        return
    for group in op.groups:
        index = group.index
        if index is None or index.size != group.count:
            raise fault(op, "has a group whose index and count differ")
        if index[0] < 0 or index[-1] >= total or not bool((np.diff(index) > 0).all()):
            raise fault(op, "has an index that does not ascend within its elements")
    indexes = [group.index for group in op.groups if group.index is not None]
    if np.unique(np.concatenate(indexes)).size != total:
        raise fault(op, "has groups that overlap")
