"""The data sets by name."""

from __future__ import annotations

from pathlib import Path

from pi_bench.errors import DataError, UsageError
from pi_bench.progress import Progress, silent
from pi_bench.unknown_name import unknown_name

from .archive import obtain
from .cifar import CIFAR10, CIFAR100
from .dataset import Dataset
from .digits import DIGITS
from .source import DataSource
from .tinyimagenet import TINYIMAGENET

SOURCES: dict[str, DataSource] = {source.name: source for source in (DIGITS, CIFAR10, CIFAR100, TINYIMAGENET)}
DATA_NAMES = tuple(SOURCES)


def image_shape(name: str, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Returns (channels, height, width) of a data set, or `wanted` if it comes in any size or is unknown.

    >>> image_shape("cifar100", (3, 224, 224)), image_shape("digits", (1, 16, 16))
    ((3, 32, 32), (1, 16, 16))
    """
    source = SOURCES.get(name)
    return wanted if source is None or source.shape is None else source.shape


def load_data(
    name: str,
    image_shape: tuple[int, ...],
    *,
    data_dir: Path,
    download: bool = False,
    progress: Progress = silent,
) -> Dataset:
    """Reads a data set into memory, with images of `image_shape` (channels, height, width).

    Args:
        data_dir: the folder of the official archive, or the folder to download it to. Digits need none.
        download: whether to fetch a missing archive from its publishers.

    Raises:
        UsageError: There is no data set of that name.
        DataError: The images have another shape, or the archive is missing, cannot be fetched, is truncated
            or is not the official one.

    >>> data = load_data("digits", (1, 8, 8), data_dir=Path("data"))
    >>> len(data.train), len(data.test), data.image_shape
    (1438, 359, (1, 8, 8))
    """
    if name not in SOURCES:
        raise UsageError(unknown_name("data set", name, SOURCES))
    source, path = SOURCES[name], data_dir
    if source.archive is not None:
        path = obtain(source.archive, data_dir, download=download, progress=progress)
    data = source.read(path, image_shape, progress)
    if data.image_shape != tuple(image_shape):
        wanted, found = (" x ".join(map(str, shape)) for shape in (image_shape, data.image_shape))
        raise DataError(f"the images of {name} are {found}, the recipe's input_shape is {wanted}")
    return data
