"""Three-halves garbling of one AND gate, slowly and by its linear algebra.

Written from Rosulek and Roy (CRYPTO 2021) for halves of any width: the garbler solves eight equations, one
for each half of the result and each pair of colors. The kernels compute the solution directly
(docs/threat-model.md, "Three-halves garbling"), so its solving is independent of theirs. The rule for the
dice is not: this module and the kernels take it from the same design, which differs from the paper (the dice
of colors (0, 0) come from the hashes, and each color adds the permutation times a factor in GF(4)).

A label is a pair of integers, its lower and upper half. The color is the lowest bit of the lower half. A hash
gives a half and one control bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import product
from operator import xor

Label = tuple[int, int]
Hash = Callable[[int, Label], tuple[int, int]]
"""Hash number 0 to 2 (of A, of B, of A xor B) and a label, to a half and a control bit."""

COLORS = tuple(product((0, 1), repeat=2))  # of A and of B

# Rows: for each pair of colors the lower half, then the upper half of the result.
RESULT_AND_ROWS = [
    row
    for i, j in COLORS
    for row in ([1, 0, i, 0, i ^ j], [0, 1, 0, j, i ^ j])
]  # fmt: skip
"""Coefficients of the result's halves and of the three rows of the table: the matrix V."""
HASHES = [
    row
    for i, j in COLORS
    for row in (
        [1 - i, i, 0, 0, 1 - (i ^ j), i ^ j],
        [0, 0, 1 - j, j, 1 - (i ^ j), i ^ j],
    )
]
"""Coefficients of the hashes of A, B and A xor B, each with color 0 and with color 1: the matrix M."""


@dataclass(frozen=True)
class Garbled:
    """A table: three halves and three control bits."""

    rows: tuple[int, int, int]
    control: tuple[int, int, int]


def added(a: Label, b: Label) -> Label:
    return a[0] ^ b[0], a[1] ^ b[1]


def color(label: Label) -> int:
    return label[0] & 1


def times(factor: tuple[int, int], by: tuple[int, int]) -> tuple[int, int]:
    """A product in GF(4) = {0, 1, w, w + 1} with w^2 = w + 1, as coefficients of (1, w)."""
    both = factor[1] & by[1]
    return factor[0] & by[0] ^ both, factor[0] & by[1] ^ factor[1] & by[0] ^ both


def dice(control: tuple[int, int], i: int, j: int) -> list[list[int]]:
    """The coefficients of (A lower, A upper, B lower, B upper) in each half of the result.

    The control bits choose a sum of two 2 x 4 matrices, to which a public term of an AND is added.
    """
    once, twice = times((0, 1), control), times((1, 1), control)
    lower = [control[0], control[1], once[0] ^ i, once[1]]
    upper = [once[0], once[1] ^ j, twice[0], twice[1]]
    return [lower, upper]


def halves_of(dice_rows: list[list[int]], a: Label, b: Label) -> list[int]:
    slices = (*a, *b)
    return [reduce(xor, (c * x for c, x in zip(row, slices, strict=True)), 0) for row in dice_rows]


def solved(matrix: list[list[int]], right: list[int]) -> list[int]:
    """The one solution over GF(2), with integers as vectors of bits; every equation is checked."""
    rows = [(list(row), value) for row, value in zip(matrix, right, strict=True)]
    width = len(matrix[0])
    for column in range(width):
        pivot = next(at for at in range(column, len(rows)) if rows[at][0][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for at, (row, value) in enumerate(rows):
            if at != column and row[column]:
                of = rows[column]
                rows[at] = [x ^ y for x, y in zip(row, of[0], strict=True)], value ^ of[1]
    assert all(value == 0 for _, value in rows[width:]), "the equations contradict each other"
    return [value for _, value in rows[:width]]


def mixed(coefficients: list[int], values: list[int]) -> int:
    return reduce(xor, (c * x for c, x in zip(coefficients, values, strict=True)), 0)


def garble_and(zero_a: Label, zero_b: Label, delta: Label, hashed: Hash) -> tuple[Label, Garbled]:
    """Returns the result's label for 0, and the table."""
    permute = color(zero_a), color(zero_b)
    a = [zero_a, added(zero_a, delta)][:: 1 - 2 * permute[0]]  # by color
    b = [zero_b, added(zero_b, delta)][:: 1 - 2 * permute[1]]
    x = [added(a[0], b[0]), added(a[0], b[1])]
    outputs = [hashed(number, label) for number, pair in enumerate((a, b, x)) for label in pair]
    pads, bits = [pad for pad, _ in outputs], [bit for _, bit in outputs]

    # The control bits of colors (0, 0) are those of the hashes, so that two of five bits are always zero.
    # Those of other colors differ by the secret permutation, in GF(4).
    first = mixed(HASHES[0], bits), mixed(HASHES[1], bits)
    step = times((0, 1), permute)
    control = {
        (i, j): (first[0] ^ i * permute[0] ^ j * step[0], first[1] ^ i * permute[1] ^ j * step[1])
        for i, j in COLORS
    }
    masked = [control[at][half] ^ mixed(HASHES[2 * n + half], bits)
              for n, at in enumerate(COLORS) for half in (0, 1)]  # fmt: skip
    *none, z0, z1, z2 = solved(RESULT_AND_ROWS, masked)
    assert none == [0, 0]

    right = []
    for n, (i, j) in enumerate(COLORS):
        truth = (i ^ permute[0]) & (j ^ permute[1])
        parts = halves_of(dice(control[i, j], i, j), a[i], b[j])
        for half in (0, 1):
            right.append(mixed(HASHES[2 * n + half], pads) ^ parts[half] ^ truth * delta[half])
    lower, upper, *rows = solved(RESULT_AND_ROWS, right)
    return (lower, upper), Garbled(tuple(rows), (z0, z1, z2))  # type: ignore[arg-type]


def evaluate_and(a: Label, b: Label, table: Garbled, hashed: Hash) -> Label:
    """Returns the result's active label, from active labels."""
    i, j = color(a), color(b)
    outputs = [hashed(number, label) for number, label in enumerate((a, b, added(a, b)))]
    chosen = [row[2:] for row in RESULT_AND_ROWS[2 * (2 * i + j) : 2 * (2 * i + j) + 2]]
    control = [outputs[half][1] ^ outputs[2][1] ^ mixed(chosen[half], list(table.control)) for half in (0, 1)]
    parts = halves_of(dice((control[0], control[1]), i, j), a, b)
    halves = [outputs[half][0] ^ outputs[2][0] ^ mixed(chosen[half], list(table.rows)) ^ parts[half]
              for half in (0, 1)]  # fmt: skip
    return halves[0], halves[1]
