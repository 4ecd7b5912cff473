"""Labeled images in memory, their statistics, and the split that chooses an epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_CHUNK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Images and their classes in a fixed order.

    Attributes:
        images: uint8 (count, channels, height, width).
        labels: int64 (count,), from 0.

    >>> split = Split(np.zeros((4, 1, 8, 8), np.uint8), np.array([0, 1, 0, 1]))
    >>> len(split), split[split.labels == 1].labels
    (4, array([1, 1]))
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: np.ndarray) -> Split:
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A data set as its publishers split it, with the variations that its training images allow.

    Attributes:
        name: the name of the data set.
        class_names: the name of each class.
        train: the training images.
        test: the test images.
        crop_padding: the largest shift of an image in pixels.
        flips: whether a mirrored image still belongs to its class.
        enlarged_from: height and width of the published images, if these are enlarged ones.

    >>> part = Split(np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1]))
    >>> Dataset("dots", ("light", "dark"), part, part, crop_padding=1, flips=True).image_shape
    (1, 8, 8)
    """

    name: str
    class_names: tuple[str, ...]
    train: Split
    test: Split
    crop_padding: int
    flips: bool
    enlarged_from: tuple[int, int] | None = None

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape (channels, height, width)."""
        shape: tuple[int, ...] = self.train.images.shape[1:]
        return shape


def mean_and_deviation(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the exact mean and standard deviation of each channel, for pixels from 0 to 1.

    Args:
        images: uint8 (count, channels, height, width).

    Returns:
        Mean and deviation, float64 (channels,) each. A constant channel has deviation 1, so that dividing
        by the deviation is safe.

    >>> mean_and_deviation(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1))
    (array([0.5]), array([0.5]))
    """
    channels = images.shape[1]
    counts = np.zeros((channels, 256))
    for start in range(0, len(images), _CHUNK):
        for channel in range(channels):
            values = images[start : start + _CHUNK, channel].ravel()
            counts[channel] += np.bincount(values, minlength=256)
    levels = np.arange(256) / 255
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    mean = frequencies @ levels
    deviation = np.sqrt(np.maximum(frequencies @ levels**2 - mean**2, 0))
    return mean, np.where(deviation > 1e-6, deviation, 1.0)


def hold_out(split: Split, fraction: float, seed: int) -> tuple[Split, Split]:
    """Holds out `fraction` of each class, and at least one image of a class that has two.

    Returns:
        The images that stay and the images that are held out, both in the order of `split`. The choice
        depends on the labels and `seed` alone, so that every network is judged on the same images.

    >>> split = Split(np.zeros((10, 1, 8, 8), np.uint8), np.repeat([0, 1], 5))
    >>> kept, held = hold_out(split, 0.2, seed=0)
    >>> len(kept), held.labels
    (8, array([0, 1]))
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    held = np.zeros(len(split), bool)
    if fraction > 0:
        for label in np.unique(split.labels):
            members = generator.permutation(np.flatnonzero(split.labels == label))
            count = min(max(1, round(fraction * len(members))), len(members) - 1)
            held[members[:count]] = True
    return split[~held], split[held]
