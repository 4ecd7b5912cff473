"""Estimates the cost in bits of known attacks on learning parity with regular noise and a sparse code.

Sources, from which the formulas are written anew:

- Gauss: guess `secrets` samples without noise and solve (Liu, Wang, Yang, Yu, EUROCRYPT 2024), here with the
  same number of samples from each block, the best choice against regular noise.
- Algebraic: Briaud and Oygarden, EUROCRYPT 2023. The products of two noise bits of one block are zero. The
  attacker guesses `zeros` noise-free places per block, and linearizes at the first degree at which the
  Hilbert series (1 + (block - 1 - zeros) z)^trees / (1 + z)^(samples - secrets) has no positive coefficient.
- Subsystem: domain reduction (arXiv 2407.19215) uses that rows of the code are sparse. The attacker keeps a
  share a of the secrets and the rows whose ones all lie there. Gauss and the algebraic attack then work on
  that subsystem. It has fewer unknown bits, and fewer rows that must be without noise.
- Stern and Dumer, BJMM (Becker, Joux, May, Meurer, EUROCRYPT 2012): decoding by information sets with lists,
  for regular noise as Esser and Santini (CRYPTO 2024) do it, on the whole code or on a subsystem. Prange's
  algorithm is their case without errors in the set, which is Gauss.

Lists are charged one operation per entry and no memory. Published estimates charge each iteration of
decoding n (n - k)^2. An attacker can keep fewer samples and solve faster, so here an iteration costs that of
Gauss, u^2.8. With `sparse` it costs u^2, as if one sample were exchanged for another one at a time.

The algebraic attack with `sparse` is the project's own assumption and is pessimistic: linear algebra uses the
sparse rows of the code and costs three times the square of the number of monomials times the terms per
equation, although guessing zeros, which is taken to be free, makes rows dense. Gauss on a subsystem with
`sparse` is no pessimism: it is Wiedemann's algorithm on rows that are really sparse.

Subsystems of sums of rows are not estimated, nor BJMM of more than two levels, nor nearest neighbors.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb, lgamma, log, log2

import numpy as np
from scipy.sparse import csr_array

from pi_bench.crypto.ferret_plan import ROW_ONES, FerretParameters

MOST_DEGREE = 6
_MOST_ERRORS, _MOST_CHECK = 14, 160
"""The bounds of the search for the best decoding. The best choices lie far below them (a test checks it)."""


def gauss_bits(parameters: FerretParameters, trees: int) -> float:
    """Each block's sum is 1, which leaves `trees` fewer unknown bits."""
    unknown = parameters.secrets - trees
    samples = trees << parameters.levels
    return -trees * log2(1 - unknown / samples) + 2.8 * log2(unknown)


def random_share(parameters: FerretParameters, trees: int) -> float:
    """The share a of the secrets, chosen at random, that has as many rows (samples a^10) as secrets."""
    samples = trees << parameters.levels
    return float((parameters.secrets / samples) ** (1 / (ROW_ONES - 1)))


def peeled_subsystem(parameters: FerretParameters, trees: int, seed: int) -> tuple[int, int]:
    """Returns the rows and secrets of a subsystem of a drawn code, which an attacker can construct.

    It removes the 1/256 of the secrets that occur in the fewest rows, with these rows, again and again, as
    long as there are as many rows as secrets. A better search may find a smaller one.
    """
    secrets, step = parameters.secrets, parameters.secrets // 256
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, secrets, (trees << parameters.levels, ROW_ONES), dtype=np.uint32)
    places, starts = rows.view(np.int32).ravel(), np.arange(0, rows.size + 1, ROW_ONES, dtype=np.int32)
    by_secret = csr_array((np.ones(rows.size, np.int8), places, starts), (len(rows), secrets)).tocsc()
    counts = np.diff(by_secret.indptr)
    kept, live = np.ones(secrets, bool), np.ones(len(rows), bool)
    left = len(rows)
    while left >= kept.sum():
        found = left, int(kept.sum())
        # Among secrets of as many rows, the first ones.
        fewest_first = np.where(kept, counts, rows.size).astype(np.int64) * secrets + np.arange(secrets)
        removed = np.argpartition(fewest_first, step)[:step]
        kept[removed] = False
        before = live.copy()
        occurrences = [by_secret.indices[slice(*by_secret.indptr[i : i + 2])] for i in removed]
        live[np.concatenate(occurrences)] = False
        gone = np.flatnonzero(before & ~live)
        counts -= np.bincount(rows[gone].ravel(), minlength=secrets)
        left -= len(gone)
    return found


def most_rows(parameters: FerretParameters, trees: int, share: float) -> int:
    """The most rows that a subsystem of this share may have, by the first moment of `smallest_share`."""
    secrets, samples = parameters.secrets, trees << parameters.levels
    low, high = int(samples * share**ROW_ONES), samples - 1
    while low < high:
        rows = (low + high + 1) // 2
        rarity = samples * _divergence(rows / samples, share**ROW_ONES)
        low, high = (rows, high) if secrets * _entropy(share) >= rarity else (low, rows - 1)
    return low


def cover_rows(parameters: FerretParameters, trees: int) -> int:
    """The least number of rows of a typical even cover, a set of rows whose sum is zero, by the first moment.

    The sum of w rows is that of 10 w unit vectors, and is zero with the probability that the characters
    give, 2^-k sum C(k, i) (1 - 2i/k)^(10 w). The search begins at k / 64 rows.
    """
    secrets, samples = parameters.secrets, trees << parameters.levels
    character = np.arange(secrets // 2)
    binomials = np.array([_log2_comb(secrets, int(i)) for i in character])

    def covers_log2(rows: int) -> float:
        terms = binomials + ROW_ONES * rows * np.log2(1 - 2 * character / secrets)
        zero = 1 - secrets + terms.max() + np.log2(np.exp2(terms - terms.max()).sum())
        return _log2_comb(samples, rows) + float(zero)

    low, high = secrets // 64, secrets // 2
    assert covers_log2(low) < 0 <= covers_log2(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if covers_log2(middle) >= 0 else (middle, high)
    return high


def distinguishing_bits(parameters: FerretParameters, rows: int) -> float:
    """The samples 1/bias^2 that statistical decoding needs, if it has as many covers of so many rows.

    Each row's error has bias 1 - 2/2^h. Two rows of one block have less than the product of theirs.
    """
    return -2 * rows * log2(1 - 2 / (1 << parameters.levels))


def smallest_share(parameters: FerretParameters, trees: int) -> float:
    """The share below which the expected number of sets with as many rows as secrets vanishes.

    A code has exp(secrets H(a)) sets of a share a. One of them has at least a `secrets` rows with a
    probability of at most exp(-samples KL), by Chernoff's bound. No search finds a set that does not exist.
    """
    secrets, samples = parameters.secrets, trees << parameters.levels

    def may_exist(share: float) -> bool:
        rarity = samples * _divergence(share * secrets / samples, share**ROW_ONES)
        return secrets * _entropy(share) >= rarity

    low, high = 0.01, random_share(parameters, trees)
    assert may_exist(high) and not may_exist(low)
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if may_exist(middle) else (middle, high)
    return high


def subsystem_bits(parameters: FerretParameters, trees: int, share: float, *, sparse: bool) -> float:
    """Gauss on a subsystem with as many rows as secrets, spread evenly over the blocks.

    The sum of a block involves secrets outside the subsystem and is of no use here. An uneven spread costs
    more, because log(1 - x) is concave. The search for the subsystem is taken to be free.
    """
    unknown = share * parameters.secrets
    samples = trees << parameters.levels
    solving = log2(3 * ROW_ONES) + 2 * log2(unknown) if sparse else 2.8 * log2(unknown)
    return -trees * log2(1 - unknown / samples) + solving


def stern_bits(
    parameters: FerretParameters,
    trees: int,
    share: float = 1,
    *,
    sparse: bool,
    iteration_bits: Callable[[float, float], float] | None = None,
) -> float:
    """Allows p errors among u + l rows, half of them in each half of the blocks, and lists both halves.

    The l rows above the u unknown bits are a check, by which the entries of the two lists are matched.
    `iteration_bits` charges an iteration in another way, by the bits of a list's entries and of the pairs.
    """
    unknown = _unknown(parameters, trees, share)
    work = (2.0 if sparse else 2.8) * log2(unknown)
    costs = []
    for errors in range(0, _MOST_ERRORS, 2):
        for check in range(_MOST_CHECK):
            rows = (unknown + check) / trees
            entries = _log2_comb(trees / 2, errors // 2) + errors / 2 * log2(rows)
            chance = 2 * _log2_comb(trees / 2, errors // 2) + spread_log2(parameters, trees, rows, errors)
            if iteration_bits:
                costs.append(iteration_bits(entries, 2 * entries - check) - chance)
            else:
                costs.append(_log2_sum(work, entries, 2 * entries - check) - chance)
    return min(costs)


def bjmm_bits(parameters: FerretParameters, trees: int, share: float = 1, *, sparse: bool) -> float:
    """As Stern, but the p errors are a sum of two vectors of p/2 + e errors each, which have many such sums.

    Of both vectors only those are listed that meet a condition of as many bits as there are sums. Lists of
    half their errors make them. The bits of the condition are part of the check.
    """
    unknown = _unknown(parameters, trees, share)
    work = (2.0 if sparse else 2.8) * log2(unknown)
    costs = []
    for errors in range(4, _MOST_ERRORS, 2):
        for more in range(errors // 2 % 2, 6, 2):
            weight, per_block = errors // 2 + more, log2(unknown / trees)
            sums = _log2_comb(errors, errors // 2) + _log2_comb(trees - errors, more) + more * per_block
            half = _log2_comb(trees / 2, weight // 2) + weight / 2 * per_block
            whole = _log2_comb(trees, weight) + weight * per_block - sums
            for check in range(int(sums), _MOST_CHECK):
                rows = (unknown + check) / trees
                chance = _log2_comb(trees, errors) + spread_log2(parameters, trees, rows, errors)
                lists = half, 2 * half - sums, whole, 2 * whole - (check - sums)
                costs.append(_log2_sum(work, *lists) - chance)
    return min(costs)


def spread_log2(parameters: FerretParameters, trees: int, rows: float, errors: int) -> float:
    """log2 of the chance that exactly `errors` named blocks have their error among `rows` chosen in each."""
    inside = rows / (1 << parameters.levels)
    return errors * log2(inside) + (trees - errors) * log2(1 - inside)


def _unknown(parameters: FerretParameters, trees: int, share: float) -> float:
    """The unknown bits. The sum of a block is known in the whole code alone."""
    return parameters.secrets - trees if share == 1 else share * parameters.secrets


def _log2_sum(*terms: float) -> float:
    most = max(terms)
    return most + log2(sum(2 ** (term - most) for term in terms))


def algebraic_bits(
    parameters: FerretParameters,
    trees: int,
    *,
    sparse: bool,
    share: float = 1,
    row_count: int | None = None,
) -> float:
    """`sparse`: with the pessimistic linear algebra of this file, else of exponent 2.8 on dense rows.

    A `share` below 1 is that of a subsystem, which has `row_count` rows, or as many as a random one. Its rows
    in a block have at most one error, and the sum of the errors is unknown. Each guess is charged an
    elimination, as Gauss is. Returns infinity if the attack does not work at any degree that is tried.
    """
    block = 1 << parameters.levels
    secrets = int(share * parameters.secrets)
    rows = int(block * share**ROW_ONES) if row_count is None else row_count // trees
    eliminating = log2(3 * ROW_ONES) + 2 * log2(secrets) if sparse else 2.8 * log2(secrets)
    places = block - 1 if share == 1 else rows
    costs = [float("inf")]
    for degree in range(2, MOST_DEGREE + 1):
        zeros = _least_zeros(places, trees, trees * rows - secrets, degree)
        if zeros is None:
            continue
        unknown = secrets - zeros * trees
        if unknown < degree:
            continue
        monomials = log2(sum(2 ** _log2_comb(unknown, d) for d in range(degree + 1)))
        solving = log2(3) + degree * log2(ROW_ONES + 1) + 2 * monomials if sparse else 2.8 * monomials
        costs.append(-trees * log2(1 - zeros / block) + _log2_sum(eliminating, solving))
    return min(costs)


def _entropy(p: float) -> float:
    """The entropy in nats of a bit that is 1 with probability p."""
    return -p * log(p) - (1 - p) * log(1 - p)


def _divergence(p: float, q: float) -> float:
    """The divergence in nats of a bit that is 1 with probability p from one with probability q."""
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))


def _least_zeros(places: int, trees: int, equations: int, degree: int) -> int | None:
    low, high = 0, places - 1
    if equations <= 0 or not _is_solved(places - high, trees, equations, degree):
        return None
    while low < high:
        middle = (low + high) // 2
        if _is_solved(places - middle, trees, equations, degree):
            high = middle
        else:
            low = middle + 1
    return low


def _is_solved(places: int, trees: int, equations: int, degree: int) -> bool:
    """Whether a coefficient up to z^degree of the series is not positive, in exact integers."""
    noise = [comb(trees, d) * places**d for d in range(degree + 1)]
    linear = [(-1) ** d * comb(equations + d - 1, d) for d in range(degree + 1)]
    return any(sum(noise[i] * linear[d - i] for i in range(d + 1)) <= 0 for d in range(degree + 1))


def _log2_comb(n: float, k: int) -> float:
    return (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) / log(2)
