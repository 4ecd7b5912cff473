"""The slow three-halves gate: correct for all inputs, and a view that says nothing about them.

Halves of two or three bits and hashes that are tables of random values let every value of the unknown hashes
be enumerated, so that distributions are compared exactly.
"""

from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import product

import numpy as np
import pytest

from tests.unit.crypto import three_halves
from tests.unit.crypto.three_halves import (
    COLORS,
    Garbled,
    Label,
    added,
    color,
    evaluate_and,
    garble_and,
    times,
)

WIDTH = 2  # bits of a half
HALVES = range(1 << WIDTH)
DELTAS = [delta for delta in product(HALVES, HALVES) if color(delta)]


class Tables:
    """Three hashes as tables, which a test may change in places."""

    def __init__(self, seed: int, width: int = WIDTH) -> None:
        rng = np.random.default_rng(seed)
        labels = list(product(range(1 << width), repeat=2))
        self.of = {
            (number, label): (int(rng.integers(1 << width)), int(rng.integers(2)))
            for number in range(3)
            for label in labels
        }

    def __call__(self, number: int, label: Label) -> tuple[int, int]:
        return self.of[number, label]


def inputs_of(a: Label, b: Label, delta: Label, values: tuple[int, int]) -> tuple[Label, Label]:
    """The labels for 0 if `a` and `b` are the active ones of two values."""
    return tuple(added(label, delta) if value else label for label, value in zip((a, b), values, strict=True))


@pytest.mark.parametrize("delta", DELTAS, ids=str)
def test_every_pair_of_values_gives_the_label_of_their_and(delta) -> None:
    for a, b in product(product(HALVES, HALVES), repeat=2):
        hashed = Tables(seed=a[0] + 4 * b[0])
        result, table = garble_and(a, b, delta, hashed)
        for p, q in COLORS:
            active = [added(label, delta) if value else label for label, value in ((a, p), (b, q))]
            got = evaluate_and(*active, table, hashed)
            assert got == (added(result, delta) if p and q else result)


def view_of(a: Label, b: Label, delta: Label, values: tuple[int, int], seed: int) -> Counter:
    """How often each table occurs over all values of the three hashes that the evaluator cannot compute."""
    zero = inputs_of(a, b, delta, values)
    hashed = Tables(seed)
    unknown = [(number, added(label, delta)) for number, label in enumerate((a, b, added(a, b)))]
    seen: Counter[Garbled] = Counter()
    for outputs in product(product(HALVES, (0, 1)), repeat=3):
        hashed.of.update(zip(unknown, outputs, strict=True))
        seen[garble_and(*zero, delta, hashed)[1]] += 1
    return seen


@pytest.mark.parametrize("values", COLORS, ids=str)
@pytest.mark.parametrize("delta", DELTAS[3::4], ids=str)
def test_the_table_is_uniform_whatever_the_values_and_delta(values, delta) -> None:
    """Every one of 2^(3 * 2 + 3) tables once, for fixed active labels and known hashes."""
    for seed, (a, b) in enumerate([((0, 1), (3, 2)), ((1, 3), (2, 0))]):
        seen = view_of(a, b, delta, values, seed)
        assert len(seen) == 1 << 3 * WIDTH + 3
        assert set(seen.values()) == {1}


Outcome = tuple[Label, Label, Garbled]
"""The result's label for 0, its active label, and the table."""


def outcomes_of(
    hashed: Tables, zero: tuple[Label, Label], delta: Label, values: tuple[int, int]
) -> list[Outcome]:
    """Garbles and evaluates a gate for all values of the three hashes that the evaluator cannot compute."""
    active = inputs_of(*zero, delta, values)
    unknown = [(n, added(label, delta)) for n, label in enumerate((*active, added(*active)))]
    found = []
    for outputs in product(product((0, 1), (0, 1)), repeat=3):
        hashed.of.update(zip(unknown, outputs, strict=True))
        result, table = garble_and(*zero, delta, hashed)
        found.append((result, evaluate_and(*active, table, hashed), table))
    return found


def chain_of(values: list[tuple[int, int]], delta: Label) -> Counter:
    """How often each pair of tables occurs in two gates of the adder, with tweaks of their own.

    The labels of the bits that enter the gates are fixed as the evaluator has them. Its own label of the
    carry, which is the first gate's result, enters both inputs of the second gate.
    """
    first, second = Tables(2, width=1), Tables(5, width=1)
    active = [((0, 1), (1, 1)), ((1, 0), (1, 1))]
    zero = [inputs_of(*pair, delta, bits) for pair, bits in zip(active, values, strict=True)]
    carry = values[0][0] & values[0][1]
    bits = values[1][0] ^ carry, values[1][1] ^ carry

    @cache
    def of_second(result: Label) -> list[Outcome]:
        return outcomes_of(second, (added(zero[1][0], result), added(zero[1][1], result)), delta, bits)

    seen: Counter[tuple[Garbled, Garbled]] = Counter()
    for result, known, table in outcomes_of(first, zero[0], delta, values[0]):
        assert known == (added(result, delta) if carry else result)
        for after, known_after, other in of_second(result):
            assert known_after == (added(after, delta) if bits[0] & bits[1] else after)
            seen[table, other] += 1
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("delta", [(1, 0), (1, 1)], ids=str)
def test_the_tables_of_two_gates_are_uniform_together(delta: Label) -> None:
    """Every pair of 2^6 tables once, for halves of one bit and all values of the four bits that enter."""
    for values in product(COLORS, repeat=2):
        seen = chain_of(list(values), delta)
        assert len(seen) == 1 << 12
        assert set(seen.values()) == {1}


def test_the_result_is_uniform_over_the_hashes_that_the_evaluator_knows() -> None:
    """So its color says nothing about the gate's value either."""
    a, b = (0, 1), (3, 2)
    hashed = Tables(1)
    known = [(number, label) for number, label in enumerate((a, b, added(a, b)))]
    for rows, control in [((1, 2, 3), (0, 1, 1)), ((0, 0, 0), (0, 0, 0))]:
        seen: Counter[Label] = Counter()
        for outputs in product(product(HALVES, (0, 1)), repeat=3):
            hashed.of.update(zip(known, outputs, strict=True))
            seen[evaluate_and(a, b, Garbled(rows, control), hashed)] += 1
        assert len(seen) == 1 << 2 * WIDTH and len(set(seen.values())) == 1


@pytest.mark.parametrize("active", COLORS, ids=str)
def test_the_control_bits_show_no_permutation(active) -> None:
    """Over all control bits of the hashes: what the evaluator has of them is uniform for each permutation."""
    seen_by = {}
    for permute in COLORS:
        a, b, delta = (permute[0], 0), (permute[1], 0), (1, 0)  # labels for 0
        pairs = [(0, a), (0, added(a, delta)), (1, b), (1, added(b, delta))]
        pairs += [(2, added(a, b)), (2, added(added(a, b), delta))]
        now = [label if color(label) == wanted else added(label, delta)
               for label, wanted in zip((a, b), active, strict=True)]  # fmt: skip
        seen: Counter = Counter()
        for bits in product((0, 1), repeat=6):
            hashed = Tables(0)
            hashed.of.update({place: (0, bit) for place, bit in zip(pairs, bits, strict=True)})
            table = garble_and(a, b, delta, hashed)[1]
            own = tuple(hashed(n, label)[1] for n, label in enumerate((*now, added(*now))))
            seen[table.control, own] += 1
        seen_by[permute] = seen
    assert all(seen == seen_by[0, 0] and set(seen.values()) == {1} for seen in seen_by.values())


def test_a_table_without_dice_shows_the_permutation(monkeypatch) -> None:
    """The negative control: if the control bits are the public ones of color (0, 0), the equations fail."""
    monkeypatch.setattr(three_halves, "times", lambda factor, by: (0, 0))
    with pytest.raises(AssertionError, match="contradict"):
        garble_and((1, 2), (1, 0), (1, 1), Tables(0))


def test_a_control_bit_without_a_pad_shows_the_permutation() -> None:
    """The second negative control: hashes without control bits leave tables that depend on the values."""
    a, b, delta = (0, 1), (3, 2), (3, 1)
    seen = set()
    for values in COLORS:
        hashed = Tables(0)
        hashed.of = {place: (pad, 0) for place, (pad, _) in hashed.of.items()}
        seen.add(garble_and(*inputs_of(a, b, delta, values), delta, hashed)[1].control)
    assert len(seen) == 4


def rank(rows: list[int]) -> int:
    basis: list[int] = []
    for row in rows:
        for other in basis:
            row = min(row, row ^ other)
        if row:
            basis.append(row)
    return len(basis)


def linear_rows(function) -> list[int]:
    """Images of the 128 unit vectors."""
    return [function(1 << bit) for bit in range(128)]


MASK = 2**64 - 1


def feed_forward(x: int) -> int:
    """A label's own part of the hash, its words rotated by one: the pad's 64 bits, then the control bit."""
    rotated = (x << 32 | x >> 96) & (1 << 128) - 1
    return rotated >> 64 << 1 | rotated & 1


def kept(lower: int, upper: int, own: Callable[[int], int] = feed_forward) -> list[int]:
    """Images of the bits of delta in a hash to which a table adds halves of delta."""
    return linear_rows(lambda x: own(x) ^ (lower * (x & MASK) ^ upper * (x >> 64)) << 1)


@pytest.mark.parametrize(("lower", "upper"), COLORS, ids=str)
def test_no_half_of_delta_cancels_in_the_hash(lower: int, upper: int) -> None:
    """The sum with the hash's own part of delta keeps all 65 bits, of which the public bit may be one."""
    rows = kept(lower, upper)
    assert rank(rows) == 65
    assert rank(rows[1:]) == (64 if lower and upper else 65)


def halves_in_tables() -> Counter:
    """Counts the halves of delta that the G's contain beside what the evaluator knows.

    For all permutations, dice of colors (0, 0) and active colors: each of the three G's, by the equations of
    docs/threat-model.md with every label for 0 written as the active label and a multiple of delta.
    """
    w, w_squared = (0, 1), (1, 1)
    seen: Counter[tuple[int, int]] = Counter()
    for p, d, colors in product(COLORS, repeat=3):
        moved = added(times(p, added(colors, p)), d)  # T = moved delta + known
        once, twice = times(w, moved), times(w_squared, moved)
        seen[twice[0] ^ colors[1], twice[1]] += 1
        seen[moved[0], moved[1] ^ colors[0]] += 1  # the upper half of w^2 T is the lower half of w^3 T = T
        seen[once] += 1
    return seen


def test_the_rank_of_each_table() -> None:
    """65 bits of delta in 144 of 192 cases and 64 in the others, as the lowest bit of delta is fixed."""
    ranks: Counter[int] = Counter()
    for halves, count in halves_in_tables().items():
        ranks[rank(kept(*halves)[1:])] += count
    assert ranks == {65: 144, 64: 48}


def test_delta_would_cancel_with_the_feed_forward_of_half_gates() -> None:
    """The negative control: sigma gives sums of halves, which are also the terms of a table."""

    def of_sigma(x: int) -> int:
        return ((x & MASK) ^ x >> 64) << 1 | x >> 64 & 1

    assert rank(kept(0, 0, of_sigma)) == 65
    ranks: Counter[int] = Counter()
    for halves, count in halves_in_tables().items():
        ranks[rank(kept(*halves, of_sigma)[1:])] += count
    assert ranks[1] == 48
