"""Images on the computing device: a whole data set as bytes, cropped and flipped batch by batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..data import Dataset, Split, hold_out
from ..data.dataset import mean_and_deviation
from .workers import shard

# Every network of a search chooses its epoch on the same images, whatever its own seed is.
_HOLD_OUT_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class DeviceSplit:
    """Images and their classes on the computing device.

    Attributes:
        images: uint8 (count, channels, height, width).
        labels: int64 (count,).

    >>> len(DeviceSplit(torch.zeros(5, 1, 8, 8, dtype=torch.uint8), torch.arange(5)))
    5
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


class Batches:
    """The normalized batches of one data set.

    Pixels from 0 to 1 are normalized per channel by `mean` and `deviation`, float64 (channels,), those of the
    training images. An inference must normalize its input in the same way.

    >>> from pathlib import Path
    >>> from pi_bench.models.data import load_data
    >>> data = load_data("digits", (1, 8, 8), data_dir=Path("data"))
    >>> batches = Batches(data, 0.1, torch.device("cpu"))
    >>> images, labels = next(batches.epoch(seed=1, epoch=0, batch_size=32))
    >>> len(batches.validation), images.shape
    (143, torch.Size([32, 1, 8, 8]))
    """

    def __init__(self, data: Dataset, validation_fraction: float, device: torch.device) -> None:
        kept, held = hold_out(data.train, validation_fraction, _HOLD_OUT_SEED)
        self.mean, self.deviation = mean_and_deviation(kept.images)
        self._shift = _by_channel(self.mean * 255, device)
        self._factor = _by_channel(1 / (self.deviation * 255), device)
        self._crop_padding, self._flips = data.crop_padding, data.flips
        self.class_count = len(data.class_names)
        self.train, self.validation, self.test = (
            _on_device(split, device) for split in (kept, held, data.test)
        )

    def epoch(self, seed: int, epoch: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields the varied training images in random order, as batches of float32 images and labels.

        The batches depend on `seed` and `epoch` alone, so that an epoch can be repeated. Images that do not
        fill the last batch are left out, because batch norm needs batches of one size. Of several workers,
        each gets its part of every batch.
        """
        return self.varied(self.train, seed, epoch, batch_size)

    def varied(
        self, split: DeviceSplit, seed: int, epoch: int, batch_size: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields the varied images of a split as `epoch` yields the training images."""
        generator = torch.Generator().manual_seed(_mixed(seed, epoch))
        order = torch.randperm(len(split), generator=generator)
        for start in range(0, _batch_count(split, batch_size) * batch_size, batch_size):
            index = order[start : start + batch_size].to(split.labels.device)
            # Each worker varies the whole batch, so that all of them draw the same numbers.
            images = augment(split.images[index], self._crop_padding, self._flips, generator)
            mine = shard(len(index))
            yield self.normalized(images[mine]), split.labels[index[mine]]

    def batch_count(self, batch_size: int) -> int:
        """Returns the number of batches per epoch."""
        return _batch_count(self.train, batch_size)

    def normalized(self, images: Tensor) -> Tensor:
        """Returns float32 values of uint8 (count, channels, height, width), in channels-last layout."""
        values = (images.float() - self._shift) * self._factor
        return values.contiguous(memory_format=torch.channels_last)


def without_validation(data: Dataset, validation_fraction: float) -> Dataset:
    """Returns the data set without the images that `Batches` of this fraction validate on.

    >>> from pathlib import Path
    >>> from pi_bench.models.data import load_data
    >>> data = load_data("digits", (1, 8, 8), data_dir=Path("data"))
    >>> len(without_validation(data, 0.1).train) == len(Batches(data, 0.1, torch.device("cpu")).train)
    True
    """
    kept, _ = hold_out(data.train, validation_fraction, _HOLD_OUT_SEED)
    return dataclasses.replace(data, train=kept)


def augment(images: Tensor, padding: int, flips: bool, generator: torch.Generator) -> Tensor:
    """Returns the images, each shifted by up to `padding` pixels either way and perhaps mirrored.

    Args:
        images: (count, channels, height, width), any dtype and device. Black moves in at the borders.
        padding: the largest shift.
        flips: whether half of the images, drawn at random, are mirrored.
        generator: on the CPU, so that every device makes the same choices.

    >>> images = torch.arange(9).reshape(1, 1, 3, 3)
    >>> same = augment(images, padding=0, flips=False, generator=torch.Generator())
    >>> torch.equal(same, images)
    True
    """
    count, _, height, width = images.shape
    top, left = (torch.randint(2 * padding + 1, (count, 1), generator=generator) for _ in range(2))
    rows, columns = top + torch.arange(height), left + torch.arange(width)
    if flips:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    rows, columns = rows.to(images.device), columns.to(images.device)
    each = torch.arange(count, device=images.device)
    padded = functional.pad(images, (padding,) * 4)
    # Indices on both sides of a slice put their own axes first: (count, height, width, channels).
    return padded[each[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _batch_count(split: DeviceSplit, batch_size: int) -> int:
    return max(1, len(split) // batch_size)


def _mixed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)


def _by_channel(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).reshape(1, -1, 1, 1)


def _on_device(split: Split, device: torch.device) -> DeviceSplit:
    return DeviceSplit(torch.from_numpy(split.images).to(device), torch.from_numpy(split.labels).to(device))
