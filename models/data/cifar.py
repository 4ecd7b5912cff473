"""CIFAR-10 and CIFAR-100 from their binary releases, which hold bytes and no Python objects.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. A record is one label byte
(CIFAR-10) or a coarse and a fine one (CIFAR-100), then 32 x 32 bytes each of red, green and blue.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pi_bench.errors import DataError

from .archive import ArchiveSource
from .dataset import Dataset, Split
from .source import DataSource

_IMAGE_SHAPE = (3, 32, 32)
_IMAGE_BYTES = 3 * 32 * 32
_MEMBER_LIMIT_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class _Layout:
    name: str
    train_files: tuple[str, ...]
    test_file: str
    names_file: str
    label_bytes: int  # the last of them is the class


_CIFAR10 = _Layout(
    "cifar10",
    tuple(f"cifar-10-batches-bin/data_batch_{batch}.bin" for batch in range(1, 6)),
    "cifar-10-batches-bin/test_batch.bin",
    "cifar-10-batches-bin/batches.meta.txt",
    label_bytes=1,
)
_CIFAR100 = _Layout(
    "cifar100",
    ("cifar-100-binary/train.bin",),
    "cifar-100-binary/test.bin",
    "cifar-100-binary/fine_label_names.txt",
    label_bytes=2,
)


def read_cifar10(path: Path) -> Dataset:
    """Returns the images of CIFAR-10 in the archive `path`: uint8 (count, 3, 32, 32), ten classes.

    Raises:
        DataError: `path` is another file or is damaged.

    >>> try:
    ...     read_cifar10(Path("nowhere.tar.gz"))
    ... except DataError as error:
    ...     print(error)
    cannot read nowhere.tar.gz: No such file or directory
    """
    return _read(path, _CIFAR10)


def read_cifar100(path: Path) -> Dataset:
    """Returns the images of CIFAR-100 in the archive `path`: uint8 (count, 3, 32, 32), the 100 fine classes.

    Raises:
        DataError: `path` is another file or is damaged.

    >>> try:
    ...     read_cifar100(Path("nowhere.tar.gz"))
    ... except DataError as error:
    ...     print(error)
    cannot read nowhere.tar.gz: No such file or directory
    """
    return _read(path, _CIFAR100)


CIFAR10 = DataSource(
    name="cifar10",
    read=lambda path, shape, progress: read_cifar10(path),
    shapes=(_IMAGE_SHAPE,),
    archive=ArchiveSource(
        "cifar-10-binary.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    training={"epochs": 150, "schedule": "cosine"},
)
CIFAR100 = DataSource(
    name="cifar100",
    read=lambda path, shape, progress: read_cifar100(path),
    shapes=(_IMAGE_SHAPE,),
    archive=ArchiveSource(
        "cifar-100-binary.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        168_513_733,
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    ),
)


def _read(path: Path, layout: _Layout) -> Dataset:
    contents = _members(path, {*layout.train_files, layout.test_file, layout.names_file})
    try:
        lines = contents[layout.names_file].decode("ascii").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: {layout.names_file} is not text") from None
    class_names = tuple(line.strip() for line in lines if line.strip())
    parts = [_records(path, file, contents[file], layout, len(class_names)) for file in layout.train_files]
    train = Split(
        np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts])
    )
    test = _records(path, layout.test_file, contents[layout.test_file], layout, len(class_names))
    return Dataset(layout.name, class_names, train, test, crop_padding=4, flips=True)


def _members(path: Path, wanted: set[str]) -> dict[str, bytes]:
    """Returns the bytes of the wanted files, and writes nothing to the disk."""
    contents = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if name not in wanted or not member.isreg():
                    continue
                if member.size > _MEMBER_LIMIT_BYTES:
                    raise DataError(f"{path}: {name} has {member.size:,} bytes, which no release of it has")
                file = archive.extractfile(member)
                assert file is not None  # it is a regular file
                contents[name] = file.read()
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError):
        raise DataError(f"{path} is truncated or no .tar.gz archive: delete it and fetch it again") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    missing = sorted(wanted - set(contents))
    if missing:
        raise DataError(f"{path} lacks {missing[0]}: it is not the binary release")
    return contents


def _records(path: Path, file: str, content: bytes, layout: _Layout, class_count: int) -> Split:
    record_bytes = layout.label_bytes + _IMAGE_BYTES
    if not content or len(content) % record_bytes:
        raise DataError(f"{path}: {file} has {len(content):,} bytes, not a multiple of {record_bytes}")
    records = np.frombuffer(content, np.uint8).reshape(-1, record_bytes)
    labels = records[:, layout.label_bytes - 1].astype(np.int64)
    if labels.max() >= class_count:
        raise DataError(f"{path}: {file} has label {labels.max()}, there are {class_count} classes")
    images = records[:, layout.label_bytes :].reshape(-1, *_IMAGE_SHAPE)
    return Split(np.ascontiguousarray(images), labels)
