"""Samples of a data set, answered in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

CHUNK_SAMPLES = 64


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Images of a data set.

    Attributes:
        inputs: float, of shape (count, *input shape).
        labels: int64, of shape (count,), or None.
        source: the origin of the images in words.
        class_count: number of classes of the data; None without labels, or if they are too few to tell.

    >>> Samples(np.zeros((2, 3, 8, 8)), np.array([0, 1]), "two images").class_count is None
    True
    """

    inputs: np.ndarray
    labels: np.ndarray | None
    source: str
    class_count: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers to the images that `index` numbers.

    Attributes:
        logits: float64, of shape (images, outputs).

    >>> Answers(np.array([0, 3]), np.zeros((2, 10))).logits.shape
    (2, 10)
    """

    index: np.ndarray
    logits: np.ndarray


def evenly_spread(index: np.ndarray, count: int) -> np.ndarray:
    """Chooses `count` of the numbers in `index`, evenly spread, or all if there are not more.

    >>> evenly_spread(np.arange(100), 3).tolist()
    [0, 50, 99]
    """
    positions = np.linspace(0, len(index) - 1, min(count, len(index)))
    chosen: np.ndarray = index[np.unique(np.rint(positions).astype(np.int64))]
    return chosen


def chunk_bounds(count: int, size: int) -> Iterator[tuple[int, int]]:
    """Yields start and end of each chunk of at most `size` of `count` samples.

    >>> list(chunk_bounds(5, 2))
    [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, count, size):
        yield start, min(start + size, count)


def answers_of(index: np.ndarray, parts: list[np.ndarray]) -> Answers:
    """Joins the logits of chunks, each of shape (samples, *output shape), to the answers numbered `index`.

    >>> answers_of(np.arange(3), [np.zeros((2, 10)), np.zeros((1, 10))]).logits.shape
    (3, 10)
    """
    flat = [part.reshape(len(part), -1).astype(np.float64) for part in parts]
    return Answers(index, np.concatenate(flat) if flat else np.empty((0, 1)))
