"""The parameters of Ferret withstand the attacks of tests/lpn_estimate.py, for every size of a batch."""

from __future__ import annotations

import numpy as np
import pytest

from pi_bench.crypto.ferret_plan import LARGE, ROW_ONES, SMALL, FerretParameters
from tests.lpn_estimate import algebraic_bits, gauss_bits, random_share, smallest_share, subsystem_bits

PUBLISHED = [
    # Ferret's first parameters (10,485,760 samples), and three sets of today's EMP toolkit.
    (FerretParameters(13, 452_000, 1280), 128, False),
    (FerretParameters(12, 262_144, 1520), 128, True),
    (FerretParameters(10, 65_536, 850), 128, True),
]


EARLIER = FerretParameters(9, 40_960, 896), FerretParameters(12, 262_144, 700)
"""The first parameters of this project, which were chosen before subsystems were looked at."""


@pytest.mark.parametrize("parameters", [SMALL, LARGE])
def test_every_attack_costs_128_bits(parameters: FerretParameters) -> None:
    for trees in (parameters.most_trees, parameters.most_trees * 3 // 4, parameters.most_trees // 2):
        assert gauss_bits(parameters, trees) >= 136
        assert algebraic_bits(parameters, trees, sparse=True) >= 136
        assert algebraic_bits(parameters, trees, sparse=False) >= 140
        smallest = smallest_share(parameters, trees)
        assert subsystem_bits(parameters, trees, smallest, sparse=False) >= 134
        assert subsystem_bits(parameters, trees, smallest, sparse=True) >= 134


@pytest.mark.parametrize("parameters", [SMALL, LARGE])
def test_the_algebraic_attack_gains_too_little_from_random_subsystems(parameters: FerretParameters) -> None:
    assert min(_algebraic_bits_of_subsystems(parameters, sparse=True)) >= 150


def _algebraic_bits_of_subsystems(parameters: FerretParameters, *, sparse: bool) -> list[float]:
    shares = [percent / 100 for percent in range(60, 100, 2)]
    return [algebraic_bits(parameters, parameters.most_trees, sparse=sparse, share=share) for share in shares]


def test_the_figures_of_the_threat_model() -> None:
    """docs/threat-model.md, section 7, prints these."""
    figures = []
    for p in (SMALL, LARGE):
        shares = [share(p, p.most_trees) for share in (random_share, smallest_share)]
        row = [gauss_bits(p, p.most_trees)]
        row += [algebraic_bits(p, p.most_trees, sparse=sparse) for sparse in (False, True)]
        row += [subsystem_bits(p, p.most_trees, a, sparse=sparse) for a in shares for sparse in (False, True)]
        row += [min(_algebraic_bits_of_subsystems(p, sparse=sparse)) for sparse in (False, True)]
        figures.append([round(bits, 1) for bits in row])
    assert figures == [
        [213.9, 201.8, 188.7, 178.4, 170.9, 152.0, 144.8, 184.6, 179.9],
        [200.7, 199.8, 182.6, 168.8, 159.1, 145.9, 136.5, 180.0, 171.2],
    ]


@pytest.mark.parametrize("earlier", EARLIER)
def test_the_earlier_parameters_fell_to_random_subsystems(earlier: FerretParameters) -> None:
    """Negative control. The other estimates alone had let these parameters pass."""
    trees = earlier.most_trees
    assert min(gauss_bits(earlier, trees), algebraic_bits(earlier, trees, sparse=True)) >= 128
    assert subsystem_bits(earlier, trees, random_share(earlier, trees), sparse=True) < 128
    assert subsystem_bits(earlier, trees, smallest_share(earlier, trees), sparse=False) < 128


def test_a_random_share_has_as_many_rows_as_secrets() -> None:
    """Counts them in a drawn code. A smaller share has fewer rows than secrets, a larger one has more."""
    toy = FerretParameters(9, 4096, 90)
    generator = np.random.default_rng(3)
    code = generator.integers(0, toy.secrets, (toy.most_trees << toy.levels, ROW_ONES))
    excess = []
    for factor in (0.9, 1, 1.1):
        share = factor * random_share(toy, toy.most_trees)
        kept = generator.permutation(toy.secrets) < share * toy.secrets
        excess.append(int(kept[code].all(axis=1).sum()) / int(kept.sum()))
    assert excess[0] < 0.7 and 0.85 < excess[1] < 1.15 and excess[2] > 1.5


@pytest.mark.parametrize(("parameters", "least", "enough"), PUBLISHED)
def test_published_sets_miss_the_pessimistic_bound(parameters, least: int, enough: bool) -> None:
    """Negative control, and the reason why no published set is taken as it is."""
    trees = parameters.most_trees
    assert algebraic_bits(parameters, trees, sparse=True) < least
    assert (algebraic_bits(parameters, trees, sparse=False) >= least) == enough


def test_more_samples_are_never_harder() -> None:
    bits = [algebraic_bits(LARGE, trees, sparse=True) for trees in range(100, 1600, 300)]
    assert bits == sorted(bits, reverse=True)
