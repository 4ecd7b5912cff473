"""Estimates the cost in bits of known attacks on learning parity with regular noise.

Sources, from which the formulas are written anew:

- Gauss: guess `secrets` samples without noise and solve (Liu, Wang, Yang, Yu, EUROCRYPT 2024), here with the
  same number of samples from each block, the best choice against regular noise.
- Algebraic: Briaud and Oygarden, EUROCRYPT 2023. The products of two noise bits of one block are zero. The
  attacker guesses `zeros` noise-free places per block, and linearizes at the first degree at which the
  Hilbert series (1 + (block - 1 - zeros) z)^trees / (1 + z)^(samples - secrets) has no positive coefficient.

The project's own assumption is pessimistic: linear algebra uses the sparse rows of the code and costs three
times the square of the number of monomials times the terms per equation, although guessing zeros, which is
taken to be free, makes rows dense. No estimate of the literature claims so little.
"""

from __future__ import annotations

from math import comb, lgamma, log, log2

from pi_bench.crypto.ferret_plan import ROW_ONES, FerretParameters

MOST_DEGREE = 6


def gauss_bits(parameters: FerretParameters, trees: int) -> float:
    """Each block's sum is 1, which leaves `trees` fewer unknown bits."""
    unknown = parameters.secrets - trees
    samples = trees << parameters.levels
    return -trees * log2(1 - unknown / samples) + 2.8 * log2(unknown)


def algebraic_bits(parameters: FerretParameters, trees: int, *, sparse: bool) -> float:
    """`sparse`: with the pessimistic linear algebra of this file, else of exponent 2.8 on dense rows."""
    block = 1 << parameters.levels
    equations = (trees << parameters.levels) - parameters.secrets
    costs = []
    for degree in range(2, MOST_DEGREE + 1):
        zeros = _least_zeros(block, trees, equations, degree)
        if zeros is None:
            continue
        unknown = parameters.secrets - zeros * trees
        if unknown < degree:
            continue
        monomials = log2(sum(2 ** _log2_comb(unknown, d) for d in range(degree + 1)))
        solving = log2(3) + degree * log2(ROW_ONES + 1) + 2 * monomials if sparse else 2.8 * monomials
        costs.append(-trees * log2(1 - zeros / block) + solving)
    return min(costs)


def _least_zeros(block: int, trees: int, equations: int, degree: int) -> int | None:
    low, high = 0, block - 2
    if not _is_solved(block - 1 - high, trees, equations, degree):
        return None
    while low < high:
        middle = (low + high) // 2
        if _is_solved(block - 1 - middle, trees, equations, degree):
            high = middle
        else:
            low = middle + 1
    return low


def _is_solved(places: int, trees: int, equations: int, degree: int) -> bool:
    """Whether a coefficient up to z^degree of the series is not positive, in exact integers."""
    noise = [comb(trees, d) * places**d for d in range(degree + 1)]
    linear = [(-1) ** d * comb(equations + d - 1, d) for d in range(degree + 1)]
    return any(sum(noise[i] * linear[d - i] for i in range(d + 1)) <= 0 for d in range(degree + 1))


def _log2_comb(n: int, k: int) -> float:
    return (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) / log(2)
