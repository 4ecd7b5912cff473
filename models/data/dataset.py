"""Labelled images in memory, their statistics, and the split for choosing an epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_CHUNK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Images and their classes, in a fixed order."""

    images: np.ndarray  # uint8 (count, channels, height, width)
    labels: np.ndarray  # int64 (count,), from 0

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: np.ndarray) -> Split:
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A data set as its publishers split it, and how its training images may be varied."""

    name: str
    class_names: tuple[str, ...]
    train: Split
    test: Split
    crop_padding: int  # pixels by which a random crop may be off
    flips: bool  # whether a mirrored image is still of its class

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channels, height, width)"""
        shape: tuple[int, ...] = self.train.images.shape[1:]
        return shape


def mean_and_deviation(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By channel, of pixels from 0 to 1, exact: float64 (channels,) twice.

    A channel that is the same everywhere has deviation 1, so that dividing by it is harmless.
    """
    channels = images.shape[1]
    counts = np.zeros((channels, 256))
    for start in range(0, len(images), _CHUNK):
        for channel in range(channels):
            values = images[start : start + _CHUNK, channel].ravel()
            counts[channel] += np.bincount(values, minlength=256)
    levels = np.arange(256) / 255
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ levels
    deviation = np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0))
    return mean, np.where(deviation > 1e-6, deviation, 1.0)


def hold_out(split: Split, fraction: float, seed: int) -> tuple[Split, Split]:
    """Splits off `fraction` of each class (at least one image of a class that has two).

    Returns:
        What stays, and what was held out, both in the order of `split`; a function of the labels and
        `seed` alone, so that every network is judged on the same images.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    held = np.zeros(len(split), bool)
    if fraction > 0:
        for label in np.unique(split.labels):
            members = generator.permutation(np.flatnonzero(split.labels == label))
            count = min(max(1, round(fraction * len(members))), len(members) - 1)
            held[members[:count]] = True
    return split[~held], split[held]
