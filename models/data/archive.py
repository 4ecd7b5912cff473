"""Official archives: finds them in the data folder or downloads them, and checks every bit."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pi_bench.atomic_file import whole_file
from pi_bench.errors import DataError, reason
from pi_bench.progress import Progress

_TIMEOUT_S = 30
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """A file as its publishers offer it.

    Attributes:
        file_name: the name in the data folder.
        url: the official address.
        size_bytes: the exact size.
        sha256: the SHA-256 in hexadecimal digits.

    >>> from pi_bench.models.data.data_sets import SOURCES
    >>> SOURCES["tinyimagenet"].archive.file_name
    'tiny-imagenet-200.zip'
    """

    file_name: str
    url: str
    size_bytes: int
    sha256: str


def obtain(source: ArchiveSource, data_dir: Path, *, download: bool, progress: Progress) -> Path:
    """Returns the path of the archive in `data_dir` after checking its size and SHA-256.

    Args:
        download: whether to fetch a missing archive from its official address.
        progress: called during the download and the check, in bytes.

    Raises:
        DataError: The archive is missing, cannot be fetched, is truncated, or is another file. The message
            says what to do.

    >>> from pi_bench.models.data.data_sets import SOURCES
    >>> from pi_bench.progress import silent
    >>> try:
    ...     obtain(SOURCES["cifar10"].archive, Path("nowhere"), download=False, progress=silent)
    ... except DataError as error:
    ...     print(str(error).partition(":")[0])
    nowhere/cifar-10-binary.tar.gz is missing
    """
    path = data_dir / source.file_name
    try:
        if not path.exists():
            if not download:
                raise DataError(
                    f"{path} is missing: add --download to fetch it, or put {source.url} there "
                    "by hand; --data-dir names another folder"
                )
            fetch(source.url, path, source.size_bytes, progress)
        with open(path, "rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            if size_bytes < source.size_bytes:
                raise DataError(
                    f"{path} is truncated: it has {size_bytes:,} of {source.size_bytes:,} bytes; "
                    f"delete it and fetch {source.url} again"
                )
            if size_bytes > source.size_bytes or _sha256(file, progress, source) != source.sha256:
                raise DataError(
                    f"{path} is not the official archive (its SHA-256 differs): "
                    f"delete it and fetch {source.url} again"
                )
    except OSError as error:
        raise DataError(f"cannot read {path}: {reason(error)}") from None
    return path


def fetch(url: str, path: Path, size_bytes: int, progress: Progress) -> None:
    """Downloads `url` to `path`, whole or not at all.

    Args:
        size_bytes: the size of the official file. Nothing beyond it is read.
        progress: called with the finished and all bytes.

    Raises:
        DataError: The address cannot be read, or its file is larger.

    >>> import tempfile
    >>> from pi_bench.progress import silent
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name, "copy")
    ...     fetch(Path("/etc/hostname").as_uri(), path, 1000, silent)
    ...     path.read_bytes() == Path("/etc/hostname").read_bytes()
    True
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response, whole_file(path) as file:
            done = 0
            while chunk := response.read(_CHUNK_BYTES):
                done += len(chunk)
                if done > size_bytes:
                    raise DataError(
                        f"{url} is larger than the official file: "
                        f"get {size_bytes:,} bytes elsewhere and put them at {path}"
                    )
                file.write(chunk)
                progress(f"downloading {path.name}", done, size_bytes)
    except OSError as error:  # URLError is one
        cause = getattr(error, "reason", error)
        why = reason(cause) if isinstance(cause, OSError) else cause
        raise DataError(
            f"cannot download {url}: {why}; get it on a machine with network "
            f"and put it at {path}, or name its folder with --data-dir"
        ) from None


def _sha256(file: BinaryIO, progress: Progress, source: ArchiveSource) -> str:
    digest = hashlib.sha256()
    done = 0
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        done += len(chunk)
        progress(f"checking {source.file_name}", done, source.size_bytes)
    return digest.hexdigest()
