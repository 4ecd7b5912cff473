"""The four IDX files of a data set: finds or downloads them, and checks that they are the publishers'.

A SHA-256 of each unpacked file finds damage. It also tells data sets apart whose files have the same names.
The SHA-256 is that of the content, so it does not depend on the program that packed the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pi_bench.errors import DataError
from pi_bench.progress import Progress

from .archive import fetch
from .dataset import Split
from .idx import read_idx

_PACKED = ".gz"


@dataclass(frozen=True, slots=True)
class IdxFile:
    """An IDX file as its publishers offer it.

    Attributes:
        name: the name of the unpacked file.
        packed_bytes: the size of the publishers' packed file.
        sha256: the SHA-256 of the unpacked file in hexadecimal digits.

    >>> from pi_bench.models.data.mnist import MNIST_FILES
    >>> MNIST_FILES.test[1].name
    't10k-labels-idx1-ubyte'
    """

    name: str
    packed_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class IdxFiles:
    """The four files of a data set.

    Attributes:
        name: the name of the data set.
        url: the address of the folder that holds the packed files.
        train: the training images and their labels.
        test: the test images and their labels.
        package: the name of the operating system's package; empty if there is none.
        installed: the folder that the package fills; None if there is none.

    >>> from pi_bench.models.data.mnist import FASHION_MNIST_FILES
    >>> FASHION_MNIST_FILES.package
    'dataset-fashion-mnist'
    """

    name: str
    url: str
    train: tuple[IdxFile, IdxFile]
    test: tuple[IdxFile, IdxFile]
    package: str = ""
    installed: Path | None = None


def obtain_files(
    files: IdxFiles, data_dir: Path, *, download: bool, progress: Progress, installed: bool = True
) -> Path:
    """Finds the files of a data set, and returns their folder.

    The folder is `data_dir`/`files.name`, `data_dir`, or that of the operating system's package: the first
    one that holds any of the files.

    Args:
        installed: whether the folder of the operating system's package counts.
        download: whether to fetch missing files from their official address, to `data_dir`/`files.name` if no
            folder holds any.

    Raises:
        DataError: A file is missing or cannot be downloaded.

    >>> from pi_bench.models.data.mnist import MNIST_FILES
    >>> from pi_bench.progress import silent
    >>> try:
    ...     obtain_files(MNIST_FILES, Path("nowhere"), download=False, progress=silent)
    ... except DataError as error:
    ...     print(str(error).partition(":")[0])
    nowhere/mnist/train-images-idx3-ubyte.gz is missing
    """
    wanted = (*files.train, *files.test)
    own = data_dir / files.name
    folders = [own, data_dir]
    if installed and files.installed is not None:
        folders.append(files.installed)
    folder = next((each for each in folders if any(_path(each, file).exists() for file in wanted)), own)
    for file in wanted:
        path = _path(folder, file)
        if path.exists():
            continue
        url = f"{files.url}/{path.name}"
        if folder == files.installed:
            raise DataError(f"{path} is missing: install the package {files.package} again")
        if not download:
            package = f"install the package {files.package}, " if files.package and installed else ""
            raise DataError(
                f"{path} is missing: {package}add --download to fetch it, or put {url} there by hand; "
                f"{_other_folder(files, installed)}"
            )
        fetch(url, path, file.packed_bytes, progress)
    return folder


def _other_folder(files: IdxFiles, installed: bool) -> str:
    """Returns what to do instead of putting files into the data folder."""
    if installed or files.installed is None or not files.installed.is_dir():
        return "--data-dir names another folder"
    return f"without --data-dir, the files in {files.installed} are read"


def read_split(
    folder: Path, files: tuple[IdxFile, IdxFile], side: int, class_count: int, known: dict[str, str]
) -> Split:
    """Returns the images in `folder`, uint8 (count, 1, side, side), with their labels.

    Args:
        files: the images, which are surrounded with black up to `side`, and their labels.
        known: data sets by the SHA-256 of their unpacked files, to name the one that a wrong file belongs to.

    Raises:
        DataError: A file cannot be read, is cut or damaged, holds something else, or is not the publishers'.

    >>> from pi_bench.models.data.mnist import MNIST_FILES
    >>> try:
    ...     read_split(Path("nowhere"), MNIST_FILES.test, 32, 10, {})
    ... except DataError as error:
    ...     print(error)
    cannot read nowhere/t10k-images-idx3-ubyte.gz: No such file or directory
    """
    images_path, labels_path = (_path(folder, file) for file in files)
    images, labels = read_idx(images_path, dimensions=3), read_idx(labels_path, dimensions=1)
    _, height, width = images.values.shape
    if height != width or height > side:
        raise DataError(f"{images_path} has images of {height} x {width}: it is another file under this name")
    if len(images.values) != len(labels.values):
        raise DataError(
            f"{images_path} has {len(images.values):,} images, {labels_path.name} has {len(labels.values):,} "
            "labels: they do not belong together, fetch both again"
        )
    highest = labels.values.max(initial=0)
    if highest >= class_count:
        raise DataError(f"{labels_path} has label {highest}, there are {class_count} classes")
    for path, found, file in zip((images_path, labels_path), (images, labels), files, strict=True):
        if found.sha256 != file.sha256:
            other = known.get(found.sha256)
            what = f"belongs to {other}" if other else "is not the publishers' file (its SHA-256 differs)"
            raise DataError(f"{path} {what}: delete it and fetch the right one, or name another --data-dir")
    border = (side - height) // 2
    padded = np.pad(images.values, ((0, 0), (border, border), (border, border)))
    return Split(padded[:, None], labels.values.astype(np.int64))


def _path(folder: Path, file: IdxFile) -> Path:
    """Returns the path of the unpacked file if `folder` holds it, else that of the packed one."""
    unpacked, packed = folder / file.name, folder / (file.name + _PACKED)
    return unpacked if unpacked.exists() and not packed.exists() else packed
