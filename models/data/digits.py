"""Handwritten digits inside scikit-learn: 1,797 real images, no download (the default data set).

Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part): 8 x 8
pixels of 17 levels. They are enlarged to the network's input, so that networks for 32 x 32 need no change.
A fifth of each class is the test split, the same one always.
"""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from pi_bench.errors import DataError

from .dataset import Dataset, Split, hold_out
from .source import DataSource

_SIDE = 8
_LEVELS = 16
_TEST_FRACTION = 0.2
_TEST_SEED = 0


def read_digits(shape: tuple[int, ...]) -> Dataset:
    """Returns the digits as images of `shape` (channels, height, width), with equal channels.

    Raises:
        DataError: The digits do not come in that shape, or scikit-learn is not installed.

    >>> read_digits((3, 32, 32)).train.images.shape
    (1438, 3, 32, 32)
    """
    channels, height, width = shape
    if channels not in (1, 3) or height != width or not _SIDE <= height <= 8 * _SIDE or height % _SIDE:
        raise DataError(
            f"digits have no images of {channels} x {height} x {width}: 1 or 3 channels, square, "
            f"{_SIDE} to {8 * _SIDE} pixels wide in steps of {_SIDE} are there; see input_shape in the recipe"
        )
    images, labels = _originals()
    grid = images.reshape(-1, _SIDE, _SIDE) * (255 / _LEVELS)
    enlarge = interpolation(_SIDE, height)
    large = np.rint(enlarge @ grid @ enlarge.T).astype(np.uint8)
    everything = Split(np.repeat(large[:, None], channels, axis=1), labels.astype(np.int64))
    train, test = hold_out(everything, _TEST_FRACTION, _TEST_SEED)
    # One pixel of the original either way; a mirrored digit is another one or none.
    padding = height // _SIDE
    return Dataset(
        "digits",
        tuple("0123456789"),
        train,
        test,
        crop_padding=padding,
        flips=False,
        enlarged_from=None if height == _SIDE else (_SIDE, _SIDE),
    )


def _originals() -> tuple[np.ndarray, np.ndarray]:
    """Returns the flat images and the labels.

    The import of scikit-learn would add a second to the start of each training process, so that its file is
    read directly. A version with the file at another place is imported.
    """
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataError('the digits are part of scikit-learn: pip install "pi-bench[train]"')
    path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if path.is_file():
        with gzip.open(path, "rt") as file:
            rows = np.loadtxt(file, delimiter=",")
        return rows[:, :-1], rows[:, -1]
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return images, labels


def interpolation(small: int, large: int) -> np.ndarray:
    """Returns the matrix (large, small) of linear interpolation between pixel centers; rows add up to 1.

    >>> interpolation(2, 4)
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]])
    """
    centers = (np.arange(large) + 0.5) * small / large - 0.5
    centers = np.clip(centers, 0, small - 1)
    matrix: np.ndarray = np.maximum(0.0, 1 - np.abs(centers[:, None] - np.arange(small)))
    return matrix


DIGITS = DataSource(
    name="digits",
    read=lambda path, shape, progress: read_digits(shape),
    training={"epochs": 30, "schedule": "cosine", "learning_rate": 0.05},
    # An epoch has about ten batches, so each epoch has to do more.
    linearization={"learning_rate": 5e-3, "lasso": 1e-4, "epoch_limit": 400},
    finetuning={"epochs": 10, "learning_rate": 1e-2},
    replacement={"epochs": 60, "learning_rate": 2e-3, "indicator_learning_rate": 1e-2},
    cells={"epochs": 10, "width": 2, "choice_rate": 0.1},
)
