"""A data set's test images as a trained network takes them: float32, normalized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pi_bench.errors import DataError
from pi_bench.progress import Progress

from .catalogue import image_shape, load_data
from .dataset import mean_and_deviation


def evaluation_images(
    name: str,
    shape: tuple[int, ...],
    normalization: Mapping[str, Any] | None,
    *,
    data_dir: Path,
    download: bool,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray, str]:
    """(images float32 (count, *shape), labels int64 (count,), what they are in words).

    Args:
        normalization: ``mean`` and ``deviation`` by channel of pixels from 0 to 1, as training notes them
            in a model file; None: those of the training images.

    Raises:
        DataError: as `load_data`, or a normalization of another number of channels.
    """
    data = load_data(name, image_shape(name, shape), data_dir=data_dir, download=download, progress=progress)
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
    return images, data.test.labels, f"{name} (test split, {how})"


_KEYS = ("mean", "deviation")


def _numbers(values: Any, channels: int) -> np.ndarray:
    sound = isinstance(values, Sequence) and len(values) == channels
    if not sound or not all(isinstance(value, int | float) and value == value for value in values):
        raise DataError(f"the model's notes on normalization are not {channels} numbers: export it again")
    return np.array(values, np.float64)
