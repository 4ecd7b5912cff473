"""Reads ``.npz`` archives of users. Their sizes are bounded, and nothing in them can run."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from pi_bench.errors import InputError
from pi_bench.npy_file import MAX_FILE_BYTES, parse_npy, why_unread

_MAX_ARRAYS = 64


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Reads arrays of real numbers by their names in an archive of numpy.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "inputs.npz")
    ...     np.savez(path, first=np.float32([1, 2]))
    ...     read_npz(path)
    {'first': array([1., 2.], dtype=float32)}

    Raises:
        InputError: the file does not exist, is not a whole archive, takes more than 1 GiB unpacked, or holds
            other values than real numbers.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return _arrays(path, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise InputError(f"{path}: no whole .npz archive; save the arrays with numpy.savez") from None
    except OSError as error:
        raise InputError(f"{path}: {why_unread(error)}") from None


def _arrays(path: Path, archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
    if not members or len(members) > _MAX_ARRAYS:
        raise InputError(f"{path}: {len(members)} arrays; 1 to {_MAX_ARRAYS} of numpy.savez are possible")
    if sum(member.file_size for member in members) > MAX_FILE_BYTES:
        raise InputError(f"{path}: larger than {MAX_FILE_BYTES} bytes unpacked; save fewer inputs")
    arrays = {}
    for member in members:
        with archive.open(member) as part:
            content = part.read(member.file_size + 1)  # a directory that lies cannot unpack to more
        name = member.filename.removesuffix(".npy")
        arrays[name] = parse_npy(f"{path}, array {name!r:.40}", io.BytesIO(content), len(content))
    return arrays
