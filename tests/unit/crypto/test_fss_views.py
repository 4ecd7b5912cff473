"""Each party's view of an FSS gadget, enumerated: uniform, and so alike for every share of the other party.

tests/fss_view_gadgets.py holds the messages of the specification. The law is checked with them, so that a
view that is uniform because nothing is computed would be seen. The flaws are those that the specification
names.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.fss_view_gadgets import Ring, products, relu, truncate
from tests.fss_views import CLIENT, SERVER, View

TREE = Ring(4, 0, 3, digit=1)  # three bits of table: two levels, two leaves
WRAP = Ring(4, 2, 2)
WRAP_AND_TREE = Ring(4, 0, 2, digit=1)
EXACT = Ring(2, 1, 1, exact=True, digit=1)
EXACT_TREE = Ring(3, 1, 2, exact=True, digit=1)
TRUNCATE = Ring(4, 2, 3)
TRUNCATE_EXACT = Ring(4, 2, 3, exact=True, digit=1)


def histograms(
    party: str, gadget, ring: Ring, seed: int, flaw: str = "", multiply: bool = False, with_z: bool = True
) -> Iterator[np.ndarray]:
    """How often each value of all messages to `party` comes, for each share of the other party."""
    own = int(np.random.default_rng(seed).integers(0, 1 << ring.bits))
    for secret in range(1 << ring.bits):
        u, v = (own, secret) if party == SERVER else (secret, own)

        def seen(bits: int, u: int = u, v: int = v) -> View:
            view = View(party, seed, bits, flaw=flaw, with_z=with_z)
            result = gadget(view, ring, u, v)
            if not flaw:
                check_law(gadget, ring, u, v, result["result"][0])
            if multiply:
                products(view, ring, result["versions"])
            return view

        view = seen(seen(0).unknown_bits)
        yield np.bincount(view.key, minlength=1 << view.sent_bits)


def is_uniform(*arguments, **options) -> bool:
    return all(counts.min() == counts.max() > 0 for counts in histograms(*arguments, **options))


def is_independent(*arguments, **options) -> bool:
    first, *others = histograms(*arguments, **options)
    return all(np.array_equal(first, other) for other in others)


def check_law(gadget, ring: Ring, u: int, v: int, result: np.ndarray) -> None:
    x, f = u + v & (1 << ring.bits) - 1, ring.truncate_bits

    def quotient(bits: int) -> int:
        return (x >> bits) - int(not ring.exact and x % (1 << bits) < v % (1 << bits))

    if gadget is truncate:
        if not x >> ring.bits - 1:  # in range, with the lifting term
            expected = quotient(f) - (1 << ring.bits - 2 - f)
            assert np.all((result - expected) % (1 << ring.bits) == 0)
        return
    cut = f + ring.drop
    negative = quotient(cut) >> ring.window_bits - cut & 1
    expected = 0 if negative else quotient(f) % (2 << ring.window_bits - f)
    assert np.all((result - expected) % (1 << ring.bits) == 0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("party", [SERVER, CLIENT])
@pytest.mark.parametrize(
    ("gadget", "ring"),
    [
        (relu, TREE),
        (relu, WRAP),
        (relu, WRAP_AND_TREE),
        (relu, EXACT),
        (relu, EXACT_TREE),
        (truncate, TRUNCATE),
        (truncate, TRUNCATE_EXACT),
    ],
)
def test_the_view_is_uniform(party, gadget, ring) -> None:
    with_z = ring not in (TREE, EXACT_TREE)  # whose server sees enough without it
    seeds = range({WRAP_AND_TREE: 4, TREE: 2, EXACT_TREE: 1}.get(ring, 8))
    assert all(is_uniform(party, gadget, ring, seed, with_z=with_z) for seed in seeds)


@pytest.mark.parametrize(("gadget", "ring"), [(relu, Ring(2, 0, 1)), (truncate, Ring(3, 1, 2, exact=True))])
def test_the_client_sees_nothing_in_a_product_of_the_same_round(gadget, ring) -> None:
    assert all(is_uniform(CLIENT, gadget, ring, seed, multiply=True) for seed in range(4))


@pytest.mark.parametrize(
    ("flaw", "party", "gadget", "ring"),
    [
        ("one select bit", CLIENT, relu, EXACT_TREE),
        ("no key", CLIENT, relu, WRAP),
        ("no e", SERVER, relu, WRAP),
        ("one pad for both corrections", SERVER, relu, WRAP),
        ("no next mask", SERVER, relu, WRAP_AND_TREE),
        ("share in clear", CLIENT, relu, TREE),
        ("no kappa", CLIENT, truncate, TRUNCATE),
        ("no rho", CLIENT, truncate, TRUNCATE_EXACT),
        ("no next mask", SERVER, truncate, TRUNCATE),
    ],
)
def test_a_flaw_shows_the_other_share(flaw, party, gadget, ring) -> None:
    assert not is_independent(party, gadget, ring, 0, flaw)


def test_one_factor_for_both_versions_shows_the_other_share() -> None:
    """It gives the client K_0 + K_1 and with it the value up to its sign."""
    assert not is_independent(CLIENT, relu, Ring(2, 0, 1), 0, "one factor", multiply=True)
