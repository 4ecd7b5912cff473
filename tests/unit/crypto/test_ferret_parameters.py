"""The parameters of Ferret withstand the attacks of tests/lpn_estimate.py, for every size of a batch."""

from __future__ import annotations

import pytest

from pi_bench.crypto.ferret_plan import LARGE, SMALL, FerretParameters
from tests.lpn_estimate import algebraic_bits, gauss_bits

PUBLISHED = [
    # Ferret's first parameters (10,485,760 samples), and three sets of today's EMP toolkit.
    (FerretParameters(13, 452_000, 1280), 128, False),
    (FerretParameters(12, 262_144, 1520), 128, True),
    (FerretParameters(10, 65_536, 850), 128, True),
]


@pytest.mark.parametrize("parameters", [SMALL, LARGE])
def test_every_attack_costs_128_bits(parameters: FerretParameters) -> None:
    for trees in (parameters.most_trees, parameters.most_trees * 3 // 4, parameters.most_trees // 2):
        assert gauss_bits(parameters, trees) >= 136
        assert algebraic_bits(parameters, trees, sparse=True) >= 128
        assert algebraic_bits(parameters, trees, sparse=False) >= 140


def test_the_figures_of_the_threat_model() -> None:
    """docs/threat-model.md, section 7, prints these."""
    assert [round(gauss_bits(p, p.most_trees), 1) for p in (SMALL, LARGE)] == [160.9, 146.9]
    assert [round(algebraic_bits(p, p.most_trees, sparse=True), 1) for p in (SMALL, LARGE)] == [137.4, 130.9]
    assert [round(algebraic_bits(p, p.most_trees, sparse=False), 1) for p in (SMALL, LARGE)] == [150.2, 148.3]


@pytest.mark.parametrize(("parameters", "least", "enough"), PUBLISHED)
def test_published_sets_miss_the_pessimistic_bound(parameters, least: int, enough: bool) -> None:
    """Negative control, and the reason why no published set is taken as it is."""
    trees = parameters.most_trees
    assert algebraic_bits(parameters, trees, sparse=True) < least
    assert (algebraic_bits(parameters, trees, sparse=False) >= least) == enough


def test_more_samples_are_never_harder() -> None:
    bits = [algebraic_bits(LARGE, trees, sparse=True) for trees in range(100, 1600, 300)]
    assert bits == sorted(bits, reverse=True)
