"""A program by hand with every kind of term, which no compiler rule needs to make."""

from __future__ import annotations

import numpy as np

from pi_bench.network.program import (
    ActivationGroup,
    ActivationKind,
    ActivationOp,
    ChannelMap,
    ChannelSlice,
    Convolution,
    ElementMap,
    FullyConnected,
    InputOp,
    LinearOp,
    LinearTerm,
    MultiplyOp,
    OutputOp,
    Pad,
    Permute,
    Program,
    Reshape,
    Shape,
    Subsample,
    SumPool,
    SumWindows,
    Weights,
    Window,
    weighted_mac_count,
)

BATCH = 2


def term_program() -> tuple[Program, Weights]:
    """x -> dilated depthwise convolution d -> ReLU(d) - ReLU(d - c), max-pooled by one comparison, joined
    with parts of x, convolved by groups -> ReLU a -> a^2 + channels of a -> truncated times channels of a
    -> grouped connection, all at scales of small integers."""
    x = InputOp(0, "x", (BATCH, 3, 7, 6), 6, 2.0)
    depthwise = Convolution(
        "depthwise", x.shape, (BATCH, 6, 4, 5), (3, 2), (2, 1), (2, 1, 0, 1), (1, 2), groups=3
    )
    d = _linear(1, "d", 14, _term(0, depthwise, shift=np.arange(6) % 3), bias="d.bias")
    shifted = _linear(2, "d - c", 14, _term(1, shape=d.shape), bias="c")
    low, high = _activation(3, "low", d, 8), _activation(4, "high", shifted, 8)
    clamp = _linear(5, "clamp", 6, _term(3, shape=d.shape), _term(4, shape=d.shape, multiplier=-1))
    even = Subsample((2, 2), (0, 0), (2, 3))
    odd = Subsample((2, 2), (1, 1), (2, 3))  # the last column lies outside: the one at the edge
    difference = _linear(
        6,
        "difference",
        6,
        _term(5, local=(even,), shape=(BATCH, 6, 2, 3)),
        _term(5, local=(odd,), shape=(BATCH, 6, 2, 3), multiplier=-1),
    )
    positive = _activation(7, "positive", difference, 0, window=14)
    greater = _linear(
        8,
        "maximum",
        6,
        _term(5, local=(odd,), shape=difference.shape),
        _term(7, shape=difference.shape),
    )
    rows, columns = (Window(0, 4, 3), Window(3, 7, 1)), (Window(0, 1, 5), Window(1, 5, 1), Window(5, 6, 2))
    turned = (Reshape((BATCH, 1, 3, 7, 6)), Permute((0, 2, 1, 3, 4)), Reshape(x.shape))
    joined = _linear(
        9,
        "join",
        9,
        _term(8, shape=(BATCH, 6, 2, 3), shift=3),
        _term(0, local=(*turned, SumWindows(rows, columns)), shape=(BATCH, 3, 2, 3), place=6),
        _term(
            0,
            local=(ChannelSlice(1, 2), SumPool((3, 3), (3, 2), (0, 0, 1, 1))),
            shape=(BATCH, 2, 2, 3),
            place=9,
        ),
        shape=(BATCH, 12, 2, 3),
    )
    grouped = Convolution("grouped", joined.shape, (BATCH, 4, 2, 3), (3, 3), (1, 1), (1, 1, 1, 1), groups=2)
    corner = (Subsample((2, 2), (1, 1), (1, 2)), Pad((1, 0, 0, 1)))
    y = _linear(
        10,
        "y",
        17,
        _term(9, grouped),
        _term(2, local=(*corner, ChannelSlice(2, 3)), shape=(BATCH, 3, 2, 3), shift=3, place=1),
    )
    active = _activation(11, "active", y, 9)
    square = MultiplyOp(12, "square", active.shape, 16, 11, 11)
    picked = _linear(13, "picked", 8, _term(11, local=(ChannelMap((3, -1, 0, 0)),), shape=active.shape))
    polynomial = _linear(
        14,
        "polynomial",
        16,
        _term(12, shape=active.shape),
        _term(13, shape=active.shape, shift=8),
        bias="polynomial.bias",
    )
    cut = _activation(15, "cut", polynomial, 8, kind=ActivationKind.TRUNCATE)
    product = MultiplyOp(16, "product", active.shape, 16, 13, 15)
    reversed_elements = ElementMap(np.arange(23, -1, -1, dtype=np.int32), (BATCH, 24))
    by_parts = FullyConnected("parts", (BATCH, 24), (BATCH, 6), groups=2)
    whole = FullyConnected("whole", (BATCH, 24), (BATCH, 2))
    logits = _linear(
        17,
        "logits",
        16,
        _term(16, by_parts, local=(reversed_elements,)),
        _term(9, whole, local=(ChannelSlice(8, 4), Reshape((BATCH, 24))), place=4, shift=1),
        bias="logits.bias",
    )
    output = OutputOp(18, "out", logits.shape, 17, 16)
    ops = (
        *(x, d, shifted, low, high, clamp, difference, positive, greater, joined, y, active),
        *(square, picked, polynomial, cut, product, logits, output),
    )
    return Program("every term", ops, 6, ()), _weights()


def _term(
    source: int,
    weighted: Convolution | FullyConnected | None = None,
    *,
    local: tuple = (),
    shape: Shape | None = None,
    multiplier: int = 1,
    shift: int | np.ndarray = 0,
    place: int = 0,
) -> LinearTerm:
    out = weighted.out_shape if weighted is not None else shape
    assert out is not None
    bits = np.broadcast_to(np.asarray(shift, np.uint8), out[1:2]).copy()
    return LinearTerm(source, local, weighted, multiplier, bits, place)


def _linear(
    op_id: int,
    name: str,
    scale_bits: int,
    *terms: LinearTerm,
    bias: str | None = None,
    shape: Shape | None = None,
) -> LinearOp:
    if shape is None:
        shapes = {
            1: (6, 4, 5),
            2: (6, 4, 5),
            5: (6, 4, 5),
            6: (6, 2, 3),
            8: (6, 2, 3),
            10: (4, 2, 3),
            13: (4, 2, 3),
            14: (4, 2, 3),
            17: (6,),
        }
        shape = (BATCH, *shapes[op_id])
    macs = sum(weighted_mac_count(term.weighted) for term in terms if term.weighted is not None)
    return LinearOp(op_id, name, shape, scale_bits, terms, bias, macs)


def _activation(
    op_id: int,
    name: str,
    source: LinearOp,
    cut: int,
    window: int = 20,
    kind: ActivationKind = ActivationKind.RELU,
) -> ActivationOp:
    count = int(np.prod(source.shape))
    group = ActivationGroup(kind, count, None)
    scale = source.scale_bits - cut
    return ActivationOp(op_id, name, source.shape, scale, source.id, (group,), cut, window, 1.0)


def _weights() -> Weights:
    rng = np.random.default_rng(8)

    def integers(*shape: int) -> np.ndarray:
        return rng.integers(-31, 32, shape).astype(np.int16)

    return {
        "depthwise": integers(6, 1, 3, 2),
        "d.bias": rng.integers(0, 2**9, 6).astype(np.uint32),
        "c": (-rng.integers(2**9, 2**11, 6)).astype(np.uint32),
        "grouped": integers(4, 6, 3, 3),
        "polynomial.bias": rng.integers(-(2**14), 2**14, 4).astype(np.uint32),
        "parts": integers(6, 12),
        "whole": integers(2, 24),
        "logits.bias": rng.integers(0, 2**32, 6, dtype=np.uint32),
    }
