"""The data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pi_bench.errors import DataError
from pi_bench.progress import Progress, silent

from .archive import ArchiveSource, obtain
from .cifar import read_cifar10, read_cifar100
from .dataset import Dataset
from .digits import read_digits
from .tinyimagenet import read_tinyimagenet

ARCHIVES = {
    "cifar10": ArchiveSource(
        "cifar-10-binary.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    "cifar100": ArchiveSource(
        "cifar-100-binary.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        168_513_733,
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    ),
    "tinyimagenet": ArchiveSource(
        "tiny-imagenet-200.zip",
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        248_100_043,
        "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
    ),
}

_READERS: dict[str, Callable[[Path, Progress], Dataset]] = {
    "cifar10": lambda path, progress: read_cifar10(path),
    "cifar100": lambda path, progress: read_cifar100(path),
    "tinyimagenet": read_tinyimagenet,
}

_SHAPES = {"cifar10": (3, 32, 32), "cifar100": (3, 32, 32), "tinyimagenet": (3, 64, 64)}

DATA_NAMES = ("digits", *ARCHIVES)


def image_shape(name: str, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """(channels, height, width) of a data set; `wanted` where it comes in the size that is asked for."""
    return _SHAPES.get(name, wanted)


def load_data(
    name: str,
    image_shape: tuple[int, ...],
    *,
    data_dir: Path,
    download: bool = False,
    progress: Progress = silent,
) -> Dataset:
    """A data set in memory, its images of `image_shape` (channels, height, width).

    Args:
        data_dir: where the official archive lies, or where it is downloaded to; digits need none.
        download: whether a missing archive may be fetched from its publishers.

    Raises:
        DataError: an unknown name, images of another shape, or an archive that is missing, cannot be
            fetched, is truncated or is not the official one.
    """
    if name not in DATA_NAMES:
        raise DataError(f"there is no data set {name!r:.40}; there are {', '.join(DATA_NAMES)}")
    if name == "digits":
        return read_digits(image_shape)
    path = obtain(ARCHIVES[name], data_dir, download=download, progress=progress)
    data = _READERS[name](path, progress)
    if data.image_shape != tuple(image_shape):
        wanted, found = (" x ".join(map(str, shape)) for shape in (image_shape, data.image_shape))
        raise DataError(f"the images of {name} are {found}, the recipe's input_shape is {wanted}")
    return data
