"""The data sets by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pi_bench.errors import DataError, UsageError
from pi_bench.progress import Progress, silent
from pi_bench.unknown_name import unknown_name

from .archive import obtain
from .cifar import CIFAR10, CIFAR100
from .dataset import Dataset
from .digits import DIGITS
from .mnist import FASHION_MNIST, MNIST
from .source import DataSource
from .tinyimagenet import TINYIMAGENET

SOURCES: dict[str, DataSource] = {
    source.name: source for source in (DIGITS, FASHION_MNIST, MNIST, CIFAR10, CIFAR100, TINYIMAGENET)
}
DATA_NAMES = tuple(SOURCES)


def image_shape(name: str, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the (channels, height, width) of a data set for a network that takes `wanted`.

    If the data set comes in several shapes, it is the one of the same height and width, else the usual one.
    It is `wanted` if the data set comes in any size or is unknown.

    >>> image_shape("cifar100", (3, 224, 224)), image_shape("digits", (1, 16, 16))
    ((3, 32, 32), (1, 16, 16))
    >>> image_shape("mnist", (3, 28, 28)), image_shape("mnist", (3, 64, 64))
    ((1, 28, 28), (1, 32, 32))
    """
    source = SOURCES.get(name)
    if source is None or not source.shapes:
        return wanted
    return next((shape for shape in source.shapes if shape[1:] == tuple(wanted[1:])), source.shapes[0])


def load_data(
    name: str,
    image_shape: tuple[int, ...],
    *,
    data_dir: Path,
    installed: bool = True,
    download: bool = False,
    progress: Progress = silent,
    say: Callable[[str], None] | None = None,
) -> Dataset:
    """Reads a data set into memory, with images of `image_shape` (channels, height, width).

    Args:
        data_dir: the folder of the official files, or the folder to download them to. Digits need none.
        installed: whether to read the operating system's package if `data_dir` holds none of the files.
        download: whether to fetch missing files from their publishers.
        say: is called with one line if the package is read.

    Raises:
        UsageError: There is no data set of that name.
        DataError: The images have another shape, or a file is missing, cannot be fetched, is truncated
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
    if source.obtain is not None:
        path = source.obtain(data_dir, installed, download, progress)
        if path == source.installed and say is not None:
            say(f"reading {name} from {path}: {data_dir} holds none of its files")
    if source.shapes and tuple(image_shape) not in source.shapes:
        found = " or ".join(map(_words, source.shapes))
        raise DataError(
            f"the images of {name} are {found}, the recipe's input_shape is {_words(image_shape)}"
        )
    return source.read(path, image_shape, progress)


def _words(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))
