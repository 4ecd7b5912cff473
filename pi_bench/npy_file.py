"""Reads ``.npy`` files of users. It refuses invalid files with a clear message and runs nothing in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from pi_bench.errors import InputError, reason

MAX_FILE_BYTES = 1 << 30
_MAGIC = b"\x93NUMPY"
_ARCHIVE_MAGIC = b"PK\x03\x04"
_PICKLE_MAGIC = b"\x80"


def read_npy(path: Path) -> np.ndarray:
    """Reads the real numbers in a ``.npy`` file, with the file's shape and dtype.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "x.npy")
    ...     np.save(path, np.float32([[1, 2]]))
    ...     read_npy(path)
    array([[1., 2.]], dtype=float32)

    Raises:
        InputError: the file does not exist, is larger than 1 GiB, is not a whole ``.npy`` file, or holds
            other values than real numbers.
    """
    try:
        with path.open("rb") as file:
            return parse_npy(str(path), file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise InputError(f"{path}: {why_unread(error)}") from error


def as_native_float(array: np.ndarray) -> np.ndarray:
    """Converts real numbers to float32 or float64 in this machine's byte order.

    The result is float32 if that holds every value of the array's dtype, as of float16 and of integers of up
    to 16 bits. Otherwise it is float64.

    >>> as_native_float(np.array([1, 2], np.uint8)).dtype, as_native_float(np.array([1, 2])).dtype
    (dtype('float32'), dtype('float64'))
    """
    target = np.result_type(array.dtype, np.float32)
    return array.astype(np.float64 if target.itemsize > 8 else target.newbyteorder("="), copy=False)


def parse_npy(name: str, file: BinaryIO, file_bytes: int) -> np.ndarray:
    """Reads an open file at its start, as `read_npy` does. `name` is the file's name in messages.

    >>> import io
    >>> parse_npy("x.npy", io.BytesIO(b"1 2 3"), file_bytes=5)
    Traceback (most recent call last):
    pi_bench.errors.InputError: x.npy: it is text, not a .npy file; save a numeric array with numpy.save

    Raises:
        InputError: as for `read_npy`.
    """
    if file_bytes > MAX_FILE_BYTES:
        raise InputError(f"{name}: larger than {MAX_FILE_BYTES} bytes; save the inputs of one run alone")
    start = file.read(512)
    if not start.startswith(_MAGIC):
        raise InputError(f"{name}: {_what_else(start)}; save a numeric array with numpy.save")
    file.seek(0)
    shape, fortran_order, dtype = _header(name, file)
    if dtype.hasobject:
        raise InputError(f"{name}: it holds Python objects; save a numeric array with numpy.save")
    if dtype.kind not in "fiu":
        raise InputError(f"{name}: dtype {dtype}; an array of real numbers (float32) is needed")
    count = 1
    for length in shape:  # numpy's product may overflow
        count *= length
    announced_bytes, held_bytes = count * dtype.itemsize, file_bytes - file.tell()
    if announced_bytes != held_bytes:
        how = (
            "is truncated, or its header is wrong"
            if held_bytes < announced_bytes
            else "holds more than one array"
        )
        raise InputError(
            f"{name}: it {how}: shape {shape} of {dtype} takes {announced_bytes} bytes, "
            f"{held_bytes} follow the header; save one array with numpy.save"
        )
    values = np.frombuffer(file.read(), dtype, count)
    return values.reshape(shape, order="F" if fortran_order else "C")


def _header(name: str, file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    try:
        version = npy_format.read_magic(file)
        read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, fortran_order, dtype = read(file)
    except Exception as error:  # numpy reads the header with Python's own parser, which raises many things
        raise InputError(
            f"{name}: a .npy file with a damaged header; save the array again with numpy.save"
        ) from error
    if any(length < 0 for length in shape):
        raise InputError(f"{name}: its header announces the impossible shape {shape}")
    return shape, fortran_order, dtype


def why_unread(error: OSError) -> str:
    """Says why the system does not read a file of the user, and what to do.

    >>> why_unread(FileNotFoundError())
    'there is no such file; check its name and its folder'
    """
    match error:
        case FileNotFoundError():
            return "there is no such file; check its name and its folder"
        case IsADirectoryError():
            return "it is a folder; name one file in it"
        case PermissionError():
            return "this user may not read it; change its permissions (chmod u+r)"
        case _:
            return f"it cannot be read: {reason(error)}; copy it to another disk"


def _what_else(start: bytes) -> str:
    if not start:
        return "it is empty, not a .npy file"
    if start.startswith(_ARCHIVE_MAGIC):
        return "it is an archive (.npz, or a model or checkpoint), not a .npy file"
    if start.startswith(_PICKLE_MAGIC):
        return "it holds Python objects (a pickle), not a .npy file"
    try:
        text = start[:-4].decode() if len(start) == 512 else start.decode()
    except UnicodeDecodeError:
        return "it is not a .npy file"
    return "it is text, not a .npy file" if text.isprintable() or "\n" in text else "it is not a .npy file"
