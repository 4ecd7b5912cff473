"""Reads checkpoints that ``torch.save`` wrote, as data: archives, and the format of torch before 1.6.

The older format is a magic number, a version, facts of the machine, the object and a list of storage keys,
each as a pickle, and then the storages: a count of 8 bytes and the numbers of each.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

from pi_bench.errors import ModelError
from pi_bench.network.files.pickle_data import Name, Placeholder, TooManyOperations, read_pickle
from pi_bench.network.files.stored_tensors import BUILDERS, Storage, dtype_of_storage
from pi_bench.network.files.torch_file import check_archive

_LEGACY_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the number with which older files begin
_MAGIC_END = 32
_LEGACY_VERSION = 1001
_MAX_PICKLE_BYTES = 1 << 26


def read_checkpoint(name: str, file: BinaryIO) -> Any:
    """Reads the object in a checkpoint; nothing of the file runs, and tensors are read when they are needed.

    Mappings and lists are plain, tensors are `StoredTensor`s, and other objects are `Placeholder`s.
    `file` must stay open as long as tensors are read.

    Raises:
        ModelError: it is another kind of file, damaged, or too large.

    >>> import argparse, torch
    >>> file = io.BytesIO()
    >>> torch.save({"net": {"weight": torch.ones(2)}, "args": argparse.Namespace(lr=0.1)}, file)
    >>> _ = file.seek(0)
    >>> content = read_checkpoint("checkpoint.pt", file)
    >>> content["net"]["weight"].read().tolist(), content["args"].path
    ([1.0, 1.0], 'argparse.Namespace')
    """
    is_legacy = _LEGACY_MAGIC in file.read(_MAGIC_END)
    file.seek(0)
    if not is_legacy:
        check_archive(name, file)
    try:
        return _Legacy(name, file).content() if is_legacy else _Archive(name, file).content()
    except ModelError:
        raise
    except TooManyOperations:
        raise _too_long(name) from None
    except Exception:  # a hostile pickle makes its reader raise whatever it likes
        raise damaged(name) from None


def damaged(name: str) -> ModelError:
    """Makes the error for a checkpoint whose parts do not fit together.

    >>> str(damaged("net.pt"))
    'net.pt is truncated or damaged: copy it or save it again'
    """
    return ModelError(f"{name} is truncated or damaged: copy it or save it again")


def _too_long(name: str) -> ModelError:
    return ModelError(
        f"{name} has more than {_MAX_PICKLE_BYTES >> 20} MiB of objects besides its tensors: save the "
        "state_dict alone, torch.save(module.state_dict(), file)"
    )


class _Archive:
    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name = name
        self._archive = zipfile.ZipFile(file)
        self._records = {each.filename.partition("/")[2]: each for each in self._archive.infolist()}
        self._storages: dict[str, Storage] = {}
        self._left = file.seek(0, io.SEEK_END)  # records may overlap; all tensors together may not

    def content(self) -> Any:
        if "byteorder" in self._records and self._bytes("byteorder") != b"little":
            raise ModelError(f"{self._name} was written on a big-endian machine: save it on another")
        if self._records["data.pkl"].file_size > _MAX_PICKLE_BYTES:
            raise _too_long(self._name)
        return read_pickle(io.BytesIO(self._bytes("data.pkl")), BUILDERS, self._storage)

    def _storage(self, identifier: Any) -> Any:
        if not isinstance(identifier, tuple) or identifier[0] != "storage":
            return Placeholder("an object of another file")
        _, kind, key, _, count = identifier
        dtype = dtype_of_storage(kind)
        if dtype is None:
            return Placeholder("a storage of another type")
        if key not in self._storages:
            self._storages[key] = Storage(dtype, _count(count), self._reader(key))
        return self._storages[key]

    def _reader(self, key: str) -> Callable[[int, int], bytes]:
        return lambda place, size: self._bytes(f"data/{key}")[place : place + size]

    def _bytes(self, record: str) -> bytes:
        self._left -= self._records[record].file_size
        if self._left < 0:
            raise ValueError("records overlap")
        return self._archive.read(self._records[record])


class _Legacy:
    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name = name
        self._file = file
        self._storages: dict[str, Storage] = {}
        self._left = 2 * file.seek(0, io.SEEK_END)  # views overlap, but not so often
        file.seek(0)
        self._places: dict[str, tuple[int, int]] = {}  # storage key → first byte, number of bytes

    def content(self) -> Any:
        head = self._file.read(_MAX_PICKLE_BYTES)
        pickles = io.BytesIO(head)
        try:
            _, version, machine = (read_pickle(pickles, BUILDERS) for _ in range(3))
            if version != _LEGACY_VERSION or machine.get("little_endian") is not True:
                raise ModelError(
                    f"{self._name} has version {version!r:.20} or another byte order: save it again"
                )
            content = read_pickle(pickles, BUILDERS, self._storage)
            keys = read_pickle(pickles, BUILDERS)
        except Exception:
            if len(head) == _MAX_PICKLE_BYTES and pickles.read(1) == b"":
                raise _too_long(self._name) from None
            raise
        self._find_storages(keys, pickles.tell())
        return content

    def _find_storages(self, keys: list[str], place: int) -> None:
        end = self._file.seek(0, io.SEEK_END)
        for key in keys:
            self._file.seek(place)
            count = int.from_bytes(self._file.read(8), "little")
            size = self._storages[key].dtype.itemsize * count
            place += 8
            if place + size > end or count < self._storages[key].count:
                raise ValueError("a storage is too short")
            self._places[key] = (place, size)
            place += size

    def _storage(self, identifier: Any) -> Any:
        if not isinstance(identifier, tuple) or identifier[0] != "storage":
            named = isinstance(identifier, tuple) and isinstance(identifier[1], Name)
            return identifier[1] if named else Placeholder("an unknown class")
        _, kind, key, _, count, view = identifier
        dtype = dtype_of_storage(kind)
        if dtype is None:
            raise ModelError(f"{self._name} has tensors of a type that is not read: save them as float32")
        if key not in self._storages:
            self._storages[key] = Storage(dtype, _count(count), self._reader(key))
        if view is None:
            return self._storages[key]
        _, first, size = view
        return Storage(dtype, _count(size), self._reader(key), first=_count(first))

    def _reader(self, key: str) -> Callable[[int, int], bytes]:
        def read(place: int, size: int) -> bytes:
            begin, available = self._places[key]
            self._left -= size
            if place + size > available or self._left < 0:
                raise ValueError("a tensor reaches beyond its storage")
            self._file.seek(begin + place)
            return self._file.read(size)

        return read


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 48:
        raise ValueError("an impossible size")
    return value
