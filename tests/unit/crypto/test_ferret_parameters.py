"""The parameters of Ferret withstand the attacks of tests/lpn_estimate.py, for every size of a batch."""

from __future__ import annotations

from math import comb, log2

import numpy as np
import pytest

from pi_bench.crypto.ferret_plan import LARGE, ROW_ONES, SMALL, FerretParameters
from pi_bench.hybrid.security import LPN_BITS
from tests import lpn_estimate
from tests.lpn_estimate import (
    algebraic_bits,
    bjmm_bits,
    cover_rows,
    distinguishing_bits,
    gauss_bits,
    most_rows,
    peeled_subsystem,
    random_share,
    smallest_share,
    spread_log2,
    stern_bits,
    subsystem_bits,
)

PUBLISHED = [
    # Ferret's first parameters (10,485,760 samples), and three sets of today's EMP toolkit.
    (FerretParameters(13, 452_000, 1280), 128, False),
    (FerretParameters(12, 262_144, 1520), 128, True),
    (FerretParameters(10, 65_536, 850), 128, True),
]


EARLIER = FerretParameters(9, 40_960, 896), FerretParameters(12, 262_144, 700)
"""The first parameters of this project, which were chosen before subsystems were looked at."""

PUBLISHED_COSTS = [(EARLIER[0], 151.0, 151.0, 134.0), (EARLIER[1], 138.0, 141.8, 121.7)]
"""What the published estimator gives for regular decoding, what its charge gives here, and our own figure."""

FORMER = FerretParameters(9, 57_344, 896), FerretParameters(12, 393_216, 700)
"""The second ones, which were chosen before decoding with lists was looked at."""


PEELED = {SMALL: (46_936, 46_080), LARGE: (185_175, 184_960), FORMER[0]: (39_546, 39_424)}
"""The rows and secrets of the subsystem that `peeled_subsystem` constructs of a code drawn under seed 1."""

MARGINS = LPN_BITS.items()


@pytest.mark.parametrize(("parameters", "margin"), MARGINS)
def test_every_attack_that_is_computed_costs_the_margin_of_the_set(
    parameters: FerretParameters, margin: int
) -> None:
    for trees in (parameters.most_trees, parameters.most_trees * 3 // 4, parameters.most_trees // 2):
        assert _least_bits(parameters, trees) >= margin


def test_a_slightly_smaller_large_set_misses_the_margin() -> None:
    """Negative control."""
    assert _least_bits(FerretParameters(11, 270_336, 1400), 1400) < dict(MARGINS)[LARGE]


def _least_bits(parameters: FerretParameters, trees: int) -> float:
    smallest = smallest_share(parameters, trees)
    costs = [gauss_bits(parameters, trees)]
    for sparse in (False, True):
        costs.append(algebraic_bits(parameters, trees, sparse=sparse))
        for bits in (subsystem_bits, stern_bits, bjmm_bits):
            costs.append(bits(parameters, trees, smallest, sparse=sparse))
    return min(costs)


@pytest.mark.parametrize("parameters", [SMALL, LARGE])
def test_the_algebraic_attack_gains_too_little_from_subsystems(parameters: FerretParameters) -> None:
    """The subsystems have as many rows as a random one, or the most that the first moment allows."""
    for most in (False, True):
        assert min(_algebraic_bits_of_subsystems(parameters, sparse=True, most=most, step=0.005)) >= 150


def _algebraic_bits_of_subsystems(
    parameters: FerretParameters, *, sparse: bool, most: bool, step: float = 0.02
) -> list[float]:
    trees, costs = parameters.most_trees, []
    for share in np.arange(0.6, 0.99, step):
        rows = most_rows(parameters, trees, share) if most else None
        costs.append(algebraic_bits(parameters, trees, sparse=sparse, share=float(share), row_count=rows))
    return costs


def test_no_share_below_the_smallest_one_may_have_as_many_rows_as_secrets() -> None:
    for parameters in (SMALL, LARGE):
        trees = parameters.most_trees
        share = smallest_share(parameters, trees)
        assert most_rows(parameters, trees, share - 0.001) < (share - 0.001) * parameters.secrets
        assert most_rows(parameters, trees, share + 0.001) > (share + 0.001) * parameters.secrets


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [SMALL, pytest.param(LARGE, marks=pytest.mark.exhaustive), FORMER[0]])
def test_the_subsystems_of_the_threat_model_can_be_constructed(parameters: FerretParameters) -> None:
    assert peeled_subsystem(parameters, parameters.most_trees, seed=1) == PEELED[parameters]


@pytest.mark.slow
def test_typical_even_covers_have_the_rows_of_the_threat_model() -> None:
    found = [cover_rows(p, p.most_trees) for p in (SMALL, LARGE)]
    assert found == [8165, 30_333]
    bits = [distinguishing_bits(p, rows) for p, rows in zip((SMALL, LARGE), found, strict=True)]
    assert [round(b, 1) for b in bits] == [92.2, 85.5]
    assert distinguishing_bits(SMALL, PEELED[SMALL][1] // 2) > 256
    assert distinguishing_bits(LARGE, PEELED[LARGE][1] // 2) > 256


def test_the_figures_of_the_threat_model() -> None:
    """docs/threat-model.md, section 7, prints these."""
    both = False, True
    figures = []
    for p in (SMALL, LARGE):
        trees = p.most_trees
        shares = [random_share(p, trees), PEELED[p][1] / p.secrets, smallest_share(p, trees)]
        row = [gauss_bits(p, trees)]
        row += [subsystem_bits(p, trees, a, sparse=sparse) for a in shares for sparse in both]
        for bits in (stern_bits, bjmm_bits):
            row += [bits(p, trees, a, sparse=sparse) for a in (1, *shares) for sparse in both]
        row += [algebraic_bits(p, trees, sparse=sparse) for sparse in both]
        for most in both:
            row += [min(_algebraic_bits_of_subsystems(p, sparse=sparse, most=most)) for sparse in both]
        figures.append([round(bits, 1) for bits in row])
    assert figures == [
        [
            *(241.1, 202.0, 194.3, 180.2, 172.7, 171.7, 164.3),
            *(209.5, 205.8, 172.4, 168.2, 151.9, 147.5, 143.9, 139.4),
            *(204.1, 202.4, 167.3, 165.2, 147.1, 144.7, 139.2, 136.7),
            *(227.2, 214.4, 209.9, 205.0, 179.1, 172.8),
        ],
        [
            *(255.9, 207.0, 197.7, 183.7, 174.6, 175.5, 166.5),
            *(224.1, 218.8, 177.6, 171.7, 155.6, 149.5, 148.0, 141.8),
            *(221.0, 217.3, 174.8, 170.3, 153.1, 148.1, 145.6, 140.4),
            *(239.0, 218.9, 208.6, 199.7, 182.7, 175.4),
        ],
    ]


@pytest.mark.parametrize(
    ("former", "figures"),
    [(FORMER[0], [145.4, 143.0, 121.2, 118.5]), (FORMER[1], [139.8, 133.2, 118.8, 111.9])],
)
def test_the_former_parameters_fell_to_lists_on_the_smallest_subsystems(
    former: FerretParameters, figures: list[float]
) -> None:
    """Negative control. Gauss alone had let these parameters pass."""
    trees = former.most_trees
    shares = [share(former, trees) for share in (random_share, smallest_share)]
    assert subsystem_bits(former, trees, shares[1], sparse=True) >= 134
    found = [bjmm_bits(former, trees, a, sparse=sparse) for a in shares for sparse in (False, True)]
    assert [round(bits, 1) for bits in found] == figures


def test_the_former_small_parameters_fell_to_a_subsystem_that_can_be_constructed() -> None:
    """Negative control."""
    former = FORMER[0]
    share = PEELED[former][1] / former.secrets
    found = [bjmm_bits(former, former.most_trees, share, sparse=sparse) for sparse in (False, True)]
    assert [round(bits, 1) for bits in found] == [127.5, 124.8]


@pytest.mark.parametrize(("earlier", "published", "here", "ours"), PUBLISHED_COSTS)
def test_the_published_cost_of_an_iteration(
    earlier: FerretParameters, published: float, here: float, ours: float
) -> None:
    """Charges n (n - u)^2, and n per entry of both lists and per pair. It gives one figure of two."""
    trees, samples = earlier.most_trees, earlier.most_trees << earlier.levels
    solving = 2 * log2(samples - (earlier.secrets - trees))

    def iteration_bits(entries: float, pairs: float) -> float:
        return log2(samples) + max(solving, 1 + entries, pairs)

    assert round(stern_bits(earlier, trees, sparse=False, iteration_bits=iteration_bits), 1) == here
    assert round(stern_bits(earlier, trees, sparse=False), 1) == ours
    assert ours < published


def test_lists_make_decoding_cheaper_and_sums_make_lists_shorter() -> None:
    for parameters in (SMALL, LARGE):
        trees = parameters.most_trees
        bits = [gauss_bits(parameters, trees)]
        bits += [cost(parameters, trees, sparse=False) for cost in (stern_bits, bjmm_bits)]
        assert bits == sorted(bits, reverse=True)


@pytest.mark.slow
def test_the_search_for_the_best_decoding_is_wide_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[float]:
        return [
            cost(parameters, parameters.most_trees, share, sparse=sparse)
            for parameters in (SMALL, LARGE)
            for share in (1, smallest_share(parameters, parameters.most_trees))
            for cost in (stern_bits, bjmm_bits)
            for sparse in (False, True)
        ]

    before = found()
    monkeypatch.setattr(lpn_estimate, "_MOST_ERRORS", 20)
    monkeypatch.setattr(lpn_estimate, "_MOST_CHECK", 240)
    assert found() == before


def test_errors_fall_into_the_chosen_rows_as_often_as_estimated() -> None:
    """Draws regular noise, with 3 chosen rows of each of 6 blocks of 8."""
    toy = FerretParameters(3, 18, 6)
    places = np.random.default_rng(5).integers(0, 8, (200_000, 6))
    for errors in range(7):
        measured = ((places < 3).sum(axis=1) == errors).mean()
        assert measured == pytest.approx(comb(6, errors) * 2 ** spread_log2(toy, 6, 3, errors), abs=0.005)


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


def test_bjmm_on_random_subsystems_of_published_sets_costs_less_than_128_bits() -> None:
    """Negative control. docs/threat-model.md, section 7, prints these."""
    figures = []
    for parameters, _, _ in PUBLISHED:
        trees = parameters.most_trees
        share = random_share(parameters, trees)
        figures.append([round(bjmm_bits(parameters, trees, share, sparse=s), 1) for s in (False, True)])
    assert figures == [[85.8, 77.0], [91.3, 83.5], [89.6, 84.6]]


def test_more_samples_are_never_harder() -> None:
    bits = [algebraic_bits(LARGE, trees, sparse=True) for trees in range(100, 1600, 300)]
    assert bits == sorted(bits, reverse=True)
