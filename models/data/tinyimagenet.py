"""TinyImageNet from its official archive: 200 classes of 64 x 64 JPEGs (Le and Yang, 2015).

The archive's test images have no labels. As in the papers, accuracy is measured on its "val" images,
which are the test split here. Epochs are chosen on images held out from "train".
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pi_bench.errors import DataError
from pi_bench.progress import Progress

from .archive import ArchiveSource
from .dataset import Dataset, Split
from .source import DataSource

_ROOT = "tiny-imagenet-200"
_SIDE = 64
_MEMBER_LIMIT_BYTES = 1 << 23
_NAME_LIMIT = 60
_REPORTED_EVERY = 200


def read_tinyimagenet(path: Path, progress: Progress) -> Dataset:
    """Decodes all images of the archive `path` into memory: uint8 (count, 3, 64, 64), 200 classes.

    Raises:
        DataError: `path` is another file or is damaged, or Pillow is not installed.

    >>> from pi_bench.progress import silent
    >>> try:
    ...     read_tinyimagenet(Path("nowhere.zip"), silent)
    ... except DataError as error:
    ...     print(error)
    cannot read nowhere.zip: No such file or directory
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive, progress)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError):
        raise DataError(f"{path} is truncated or no .zip archive: delete it and fetch it again") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None


def _read(path: Path, archive: zipfile.ZipFile, progress: Progress) -> Dataset:
    codes = _lines(path, archive, f"{_ROOT}/wnids.txt")
    words = dict(line.split("\t", 1) for line in _lines(path, archive, f"{_ROOT}/words.txt") if "\t" in line)
    class_names = tuple(words.get(code, code).split(",")[0].strip()[:_NAME_LIMIT] for code in codes)
    label_of = {code: label for label, code in enumerate(codes)}

    train: list[tuple[str, int]] = []
    for name in sorted(archive.namelist()):
        parts = name.split("/")
        if len(parts) == 5 and parts[:2] == [_ROOT, "train"] and parts[3] == "images" and parts[4]:
            train.append((name, _label(path, parts[2], label_of)))
    test = []
    for line in _lines(path, archive, f"{_ROOT}/val/val_annotations.txt"):
        file, code, *_ = (*line.split("\t"), "")
        test.append((f"{_ROOT}/val/images/{file}", _label(path, code, label_of)))
    if not train or not test:
        raise DataError(f"{path} has no images below {_ROOT}/: it is not the official archive")
    return Dataset(
        "tinyimagenet",
        class_names,
        _decoded(path, archive, train, "decoding training images", progress),
        _decoded(path, archive, test, "decoding test images", progress),
        crop_padding=8,
        flips=True,
    )


def _label(path: Path, code: str, label_of: dict[str, int]) -> int:
    if code not in label_of:
        raise DataError(f"{path}: class {code!r:.40} is not in wnids.txt")
    return label_of[code]


def _lines(path: Path, archive: zipfile.ZipFile, name: str) -> list[str]:
    try:
        text = _bytes(path, archive, name).decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path}: {name} is not text") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _bytes(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise DataError(f"{path} lacks {name}: it is not the official archive") from None
    if entry.file_size > _MEMBER_LIMIT_BYTES:
        raise DataError(f"{path}: {name} has {entry.file_size:,} bytes, which no release of it has")
    return archive.read(entry)


def _decoded(
    path: Path,
    archive: zipfile.ZipFile,
    entries: Sequence[tuple[str, int]],
    what: str,
    progress: Progress,
) -> Split:
    images = np.empty((len(entries), 3, _SIDE, _SIDE), np.uint8)

    def decode(index: int) -> None:
        name = entries[index][0]
        images[index] = _decode(path, name, _bytes(path, archive, name))

    with ThreadPoolExecutor(os.cpu_count()) as executor:  # Pillow decodes without the interpreter's lock
        for done, _ in enumerate(executor.map(decode, range(len(entries))), 1):
            if done % _REPORTED_EVERY == 0 or done == len(entries):
                progress(what, done, len(entries))
    return Split(images, np.array([label for _, label in entries], np.int64))


def _decode(path: Path, name: str, content: bytes) -> np.ndarray:
    """Returns an image as uint8 (3, 64, 64). Some are gray in the archive."""
    try:
        from PIL import Image
    except ImportError:
        raise DataError('reading TinyImageNet needs Pillow: pip install "pi-bench[train]"') from None
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            if image.size != (_SIDE, _SIDE):
                raise DataError(f"{path}: {name} is {image.size} pixels, {_SIDE} x {_SIDE} is needed")
            pixels = np.asarray(image.convert("RGB"))  # (64, 64, 3)
    except (OSError, SyntaxError, ValueError):
        raise DataError(f"{path}: {name} is no whole JPEG") from None
    return pixels.transpose(2, 0, 1)


TINYIMAGENET = DataSource(
    name="tinyimagenet",
    read=lambda path, shape, progress: read_tinyimagenet(path, progress),
    shapes=((3, _SIDE, _SIDE),),
    archive=ArchiveSource(
        "tiny-imagenet-200.zip",
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        248_100_043,
        "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
    ),
)
