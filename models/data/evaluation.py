"""The test images of a data set, normalized for a trained network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pi_bench.errors import DataError
from pi_bench.progress import Progress

from .data_sets import image_shape, load_data
from .dataset import Dataset, mean_and_deviation


def evaluation_images(
    name: str,
    shape: tuple[int, ...],
    normalization: Mapping[str, Any] | None,
    *,
    data_dir: Path,
    download: bool,
    progress: Progress,
    installed: bool = True,
    say: Callable[[str], None] | None = None,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Returns the test images of the data set `name`, normalized for a network that takes `shape`.

    Args:
        data_dir, download, progress, installed, say: as `load_data` takes them.
        normalization: ``mean`` and ``deviation`` per channel of pixels from 0 to 1, as training writes them
            to a model file. With None, the statistics of the training images are used.

    Returns:
        Images, float32 (count, *shape), labels, int64 (count,), and a description of both in words.

    Raises:
        DataError: `load_data` fails, or the normalization has another number of channels.

    >>> from pi_bench.progress import silent
    >>> images, labels, words = evaluation_images(
    ...     "digits", (1, 8, 8), None, data_dir=Path("data"), download=False, progress=silent
    ... )
    >>> images.shape, words
    ((359, 1, 8, 8), "digits (test split, normalized by the training images' statistics)")
    """
    data = load_data(
        name,
        image_shape(name, shape),
        data_dir=data_dir,
        installed=installed,
        download=download,
        progress=progress,
        say=say,
    )
    if data.image_shape != tuple(shape):
        wanted, found = (" x ".join(map(str, each)) for each in (shape, data.image_shape))
        raise DataError(f"the images of {name} are {found}, the network takes {wanted}")
    if normalization is None:
        mean, deviation = mean_and_deviation(data.train.images)
        how = "normalized by the training images' statistics"
    else:
        mean, deviation = (_numbers(normalization.get(key), len(shape) and shape[0]) for key in _KEYS)
        how = "normalized as in training"
    images = data.test.images.astype(np.float32)
    images -= (mean * 255).astype(np.float32).reshape(1, -1, 1, 1)
    images *= (1 / (deviation * 255)).astype(np.float32).reshape(1, -1, 1, 1)
    return images, data.test.labels, f"{name} (test split, {_enlarged(data)}{how})"


def _enlarged(data: Dataset) -> str:
    if data.enlarged_from is None:
        return ""
    before, after = (" x ".join(map(str, size)) for size in (data.enlarged_from, data.image_shape[1:]))
    return f"{before} pixels enlarged to {after}, "


_KEYS = ("mean", "deviation")


def _numbers(values: Any, channels: int) -> np.ndarray:
    sound = isinstance(values, Sequence) and len(values) == channels
    if not sound or not all(isinstance(value, int | float) and value == value for value in values):
        raise DataError(f"the model's notes on normalization are not {channels} numbers: export it again")
    return np.array(values, np.float64)
