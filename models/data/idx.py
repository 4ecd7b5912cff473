"""IDX files: arrays of bytes as MNIST and Fashion-MNIST are published, packed by gzip or not.

A file has two zero bytes, a byte for the type of the elements, a byte for the number of dimensions, four
bytes (big-endian) per dimension, and then the elements (LeCun, Cortes and Burges, "The MNIST database").
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from pi_bench.errors import DataError, reason

_UNSIGNED_BYTE = 0x08
_TYPES = {
    0x08: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floats",
    0x0E: "64-bit floats",
}
_MAX_DIMENSIONS = 3
_LIMIT_BYTES = 1 << 28
_GZIP_START = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, eq=False)
class IdxArray:
    """The content of an IDX file.

    Attributes:
        values: uint8, of the shape that the file declares.
        sha256: the SHA-256 of the unpacked file in hexadecimal digits.

    >>> IdxArray(np.zeros((2, 28, 28), np.uint8), sha256="00" * 32).values.shape
    (2, 28, 28)
    """

    values: np.ndarray
    sha256: str


def read_idx(path: Path, dimensions: int) -> IdxArray:
    """Reads the IDX file `path`, which holds unsigned bytes and may be packed by gzip.

    A file that unpacks to more than its header declares is not unpacked further.

    Args:
        dimensions: the number of dimensions that the file must have.

    Raises:
        DataError: The file cannot be read, is cut or damaged, or holds something else.

    >>> import tempfile
    >>> content = bytes([0, 0, 8, 1]) + struct.pack(">I", 3) + bytes([7, 8, 9])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name, "labels")
    ...     _ = path.write_bytes(gzip.compress(content))
    ...     read_idx(path, dimensions=1).values
    array([7, 8, 9], dtype=uint8)
    """
    try:
        with ExitStack() as stack:
            file: BinaryIO = stack.enter_context(open(path, "rb"))
            packed = file.read(2) == _GZIP_START
            file.seek(0)
            if packed:
                file = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=file)))
            return _read(path, file, dimensions)
    except (gzip.BadGzipFile, zlib.error, EOFError):
        raise DataError(f"{path} is cut or damaged: its gzip stream does not end; fetch it again") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {reason(error)}") from None


def _read(path: Path, file: BinaryIO, dimensions: int) -> IdxArray:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES:
        raise DataError(f"{path} is no IDX file: it starts with {start.hex(' ') or 'nothing'}")
    if start[2] != _UNSIGNED_BYTE:
        raise DataError(f"{path} holds {_TYPES[start[2]]}: images and labels are unsigned bytes")
    if start[3] != dimensions:
        wanted = {1: "labels have one", _MAX_DIMENSIONS: "images have three"}[dimensions]
        raise DataError(f"{path} has {start[3]} dimensions, {wanted}: it is another file under this name")
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{path} is cut: its header ends after {4 + len(sizes)} bytes; fetch it again")
    shape = struct.unpack(f">{dimensions}I", sizes)
    size_bytes = math.prod(shape)
    if size_bytes > _LIMIT_BYTES:
        raise DataError(f"{path} declares {size_bytes:,} bytes, more than {_LIMIT_BYTES:,} are not read")
    content = file.read(size_bytes + 1)
    if len(content) < size_bytes:
        raise DataError(
            f"{path} is cut: it has {len(content):,} of the {size_bytes:,} bytes that its header declares; "
            "fetch it again"
        )
    if len(content) > size_bytes:
        raise DataError(f"{path} has more than the {size_bytes:,} bytes that its header declares")
    digest = hashlib.sha256(start + sizes + content).hexdigest()
    return IdxArray(np.frombuffer(content, np.uint8).reshape(shape), digest)
