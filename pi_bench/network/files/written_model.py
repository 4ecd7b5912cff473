"""Reads the files of `save_model` without torch, whose import takes longer than most commands need.

The pickle in the archive is interpreted here and nothing in it runs: an operation is one of those that
``torch.save`` uses for plain values and dense tensors, or the file is left to torch, which explains it.
"""

from __future__ import annotations

import math
import os
import pickletools
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

_DTYPES = {"torch FloatStorage": np.dtype("<f4"), "torch BoolStorage": np.dtype(np.bool_)}
_TENSOR = "torch._utils _rebuild_tensor_v2"
_HOOKS = "collections OrderedDict"
"""The hooks of a tensor's backward pass, of which a file of weights has none."""

_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
_LENGTHS = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _OtherFileError(Exception):
    """Reports a file with an entry that `save_model` does not write."""


@dataclass(frozen=True)
class _Global:
    """The module and the name of a class or function, which is never looked up."""

    name: str


def read_written(file: BinaryIO) -> dict[str, Any] | None:
    """Reads the plain values and arrays in a file of `save_model`; returns None for any other file.

    >>> import io, torch
    >>> file = io.BytesIO()
    >>> torch.save({"a": [1, None], "w": torch.ones(2)}, file)
    >>> read_written(file)
    {'a': [1, None], 'w': array([1., 1.], dtype=float32)}
    >>> torch.save({"a": torch.nn.ReLU()}, file)
    >>> read_written(file) is None
    True
    """
    limit_bytes = file.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(file) as archive:
            found = _Archive(archive, limit_bytes).content()
    except Exception:  # zipfile and pickletools raise whatever a hostile file makes their parts raise
        return None
    return found if isinstance(found, dict) else None


class _Archive:
    def __init__(self, archive: zipfile.ZipFile, limit_bytes: int) -> None:
        """Finds the pickle.

        Args:
            limit_bytes: size of the file, which its records together do not exceed.
        """
        (pickle,) = (name for name in archive.namelist() if name.partition("/")[2] == "data.pkl")
        self._archive, self._folder = archive, pickle.partition("/")[0]
        self._left_bytes = limit_bytes
        self._storages: dict[tuple[str, str], np.ndarray] = {}
        if self._record("byteorder") != b"little":
            raise _OtherFileError("other byte order")

    def content(self) -> Any:
        return _interpret(self._record("data.pkl"), self._storage, self._tensor)

    def _record(self, name: str) -> bytes:
        info = self._archive.getinfo(f"{self._folder}/{name}")
        self._left_bytes -= info.file_size
        if info.compress_type != zipfile.ZIP_STORED or self._left_bytes < 0:
            raise _OtherFileError("compressed or overlapping records")
        return self._archive.read(info)

    def _storage(self, reference: Any) -> np.ndarray:
        kind, storage, key, device, count = reference
        if kind != "storage" or device != "cpu" or not isinstance(key, str):
            raise _OtherFileError("storage elsewhere")
        found = self._storages.get((storage.name, key))
        if found is None:
            # A copy, because the arrays of a graph can be written.
            found = np.frombuffer(bytearray(self._record(f"data/{key}")), _DTYPES[storage.name])
            self._storages[storage.name, key] = found
        if found.size != count:
            raise _OtherFileError("storage of another size")
        return found

    @staticmethod
    def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, gradient: Any, hooks: Any) -> np.ndarray:
        dense = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
        whole = offset == 0 and math.prod(shape) == storage.size and strides == dense
        if not whole or gradient is not False or hooks != _Global(_HOOKS):
            raise _OtherFileError("tensor that is a view or has a gradient")
        array: np.ndarray = storage.reshape(shape)
        return array


def _interpret(data: bytes, storage: Callable[[Any], Any], tensor: Callable[..., Any]) -> Any:
    """Returns the value that a pickle describes; `storage` and `tensor` make its only objects."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def after_mark() -> list[Any]:
        index = len(stack) - 1
        while stack[index] is not _MARK:
            index -= 1
        items = stack[index + 1 :]
        del stack[index:]
        return items

    operations: Iterable[tuple[Any, Any, Any]] = pickletools.genops(data)
    for operation, argument, _ in operations:
        name = operation.name
        if name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name in _LENGTHS:
            length = _LENGTHS[name]
            items = [stack.pop() for _ in range(length)]
            stack.append(tuple(reversed(items)))
        elif name == "TUPLE":
            stack.append(tuple(after_mark()))
        elif name in ("APPEND", "APPENDS"):
            items = after_mark() if name == "APPENDS" else [stack.pop()]
            _of(list, stack[-1]).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = after_mark() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            keys = [_of(str, key) for key in items[::2]]
            _of(dict, stack[-1]).update(zip(keys, items[1::2], strict=True))
        elif name == "GLOBAL":
            stack.append(_Global(argument))
        elif name == "BINPERSID":
            stack.append(storage(stack.pop()))
        elif name == "REDUCE":
            arguments, function = _of(tuple, stack.pop()), _of(_Global, stack.pop())
            if function.name == _TENSOR:
                stack.append(tensor(*arguments))
            elif function.name == _HOOKS and not arguments:
                stack.append(function)
            else:
                raise _OtherFileError(f"call of {function.name}")
        elif name == "STOP":
            (value,) = stack
            return value
        elif name != "PROTO":
            raise _OtherFileError(f"operation {name}")
    raise _OtherFileError("no end")


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise _OtherFileError(f"{type(value).__name__} instead of {kind.__name__}")
    return value
