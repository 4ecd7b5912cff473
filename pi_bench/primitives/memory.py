"""Vector operations on words in memory, and random words from the operating system."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.costs import CostUnits
from pi_bench.crypto.randomness import random_words
from pi_bench.primitives.buffers import filled
from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork, Primitive, TimedCase

_WORDS = 1 << 22  # three arrays of them exceed the caches


def words_work(count: int) -> CostUnits:
    """Counts one vector operation on `count` words, such as adding, gathering or masking.

    >>> words_work(1000).units
    {'word': 1000.0}
    """
    return CostUnits({"word": float(count)})


def random_work(count: int) -> CostUnits:
    """Counts `count` words from the operating system's generator.

    >>> random_work(1000).units
    {'random word': 1000.0}
    """
    return CostUnits({"random word": float(count)})


def cases(settings: CaseSettings) -> Iterator[Case]:
    """Adds two arrays of words into a third, then draws as many random words.

    `settings` changes nothing: the arrays always exceed the caches, and one thread works on them.

    >>> [case.name for case in cases(CaseSettings())]
    ['add arrays of words', 'random words']
    """
    del settings
    for _, case in _works_and_cases():
        yield case


def timed_cases(settings: CaseSettings) -> Iterator[TimedCase]:
    """Yields the cases that the costs of memory are fitted to: those of `cases`.

    >>> [timed.work.units for timed in timed_cases(CaseSettings())]
    [{'word': 4194304.0}, {'random word': 4194304.0}]
    """
    del settings
    for work, case in _works_and_cases():
        yield TimedCase(work, case)


def _works_and_cases() -> Iterator[tuple[CostUnits, Case]]:
    left, right, out = filled(3 * WORD_BYTES * _WORDS).view(np.uint32).reshape(3, _WORDS)
    add = partial(np.add, left, right, out=out)
    moved = MinimalWork(memory_bytes=3 * WORD_BYTES)
    yield words_work(_WORDS), Case("add arrays of words", "word", _WORDS, 1, moved, add)
    draw = partial(random_words, (_WORDS,))
    written = MinimalWork(memory_bytes=WORD_BYTES)
    yield random_work(_WORDS), Case("random words", "word", _WORDS, 1, written, draw)


MEMORY = Primitive("memory operations", ("word", "random word"), {"memory": cases}, timed_cases)
