"""Tensors of a file that are read when they are needed, and the functions of pickles that make them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from pi_bench.network.files.pickle_data import Builder, Name, Placeholder

_MAX_REPEATED = 1 << 24
"""Elements of a tensor whose storage is smaller, because it repeats them (an expanded tensor)."""
_DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "uint8": torch.uint8,
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "bool": torch.bool,
}
_STORAGES: Mapping[str, torch.dtype] = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ShortStorage": torch.int16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}


@dataclass(slots=True, eq=False)
class Storage:
    """The `count` numbers of one or several tensors; `read` returns bytes, given their place and number.

    Attributes:
        first: the place of the first of the numbers.

    >>> Storage(torch.float32, 2, lambda place, size: bytes(size)).numbers().tolist()
    [0.0, 0.0]
    """

    dtype: torch.dtype
    count: int
    read: Callable[[int, int], bytes]
    first: int = 0
    _kept: torch.Tensor | None = None

    def numbers(self) -> torch.Tensor:
        """Reads the numbers, once.

        Raises:
            ValueError: the file has too few.
        """
        if self._kept is None:
            size = self.dtype.itemsize
            content = bytearray(self.read(self.first * size, self.count * size))
            if len(content) != self.count * size:
                raise ValueError("a storage is too short")
            empty = torch.empty(0, dtype=self.dtype)
            self._kept = torch.frombuffer(content, dtype=self.dtype) if content else empty
        return self._kept


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A tensor that lies in a file.

    >>> storage = Storage(torch.float32, 2, lambda place, size: bytes(size))
    >>> StoredTensor(storage, 0, (2, 1), (1, 1), torch.float32).read().tolist()
    [[0.0], [0.0]]
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def read(self) -> torch.Tensor:
        """Reads the tensor; its elements are its own.

        Raises:
            ValueError: it reaches beyond its storage, or repeats a few numbers too often.
        """
        numbers = self.storage.numbers()
        if numbers.dtype != self.dtype:
            numbers = numbers.view(self.dtype)
        count, reach = math.prod(self.shape), self.offset
        for size, step in zip(self.shape, self.stride, strict=True):
            reach += max(size - 1, 0) * step
        if count and (reach >= len(numbers) or count > max(len(numbers), _MAX_REPEATED)):
            raise ValueError("a tensor reaches beyond its storage")
        if not count:
            return torch.empty(self.shape, dtype=self.dtype)
        return numbers.as_strided(self.shape, self.stride, self.offset).clone(
            memory_format=torch.contiguous_format
        )


def dtype_of_storage(name: Any) -> torch.dtype | None:
    """Returns the type of a storage's numbers by the name of its class, or None for one that is not read.

    >>> dtype_of_storage(Name("torch.cuda.HalfStorage"))
    torch.float16
    """
    if not isinstance(name, Name) or not name.path.startswith("torch."):
        return None
    return _STORAGES.get(name.path.rpartition(".")[2])


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> Any:
    return _stored(storage, offset, shape, stride, None)


def _typed_tensor(
    storage: Any, offset: Any, shape: Any, stride: Any, grad: Any, hooks: Any, dtype: Any, *_: Any
) -> Any:
    known = _DTYPES.get(dtype.path.rpartition(".")[2]) if isinstance(dtype, Name) else None
    if known is None:
        return Placeholder("a tensor of another type")
    return _stored(storage, offset, shape, stride, known)


def _stored(storage: Any, offset: Any, shape: Any, stride: Any, dtype: torch.dtype | None) -> Any:
    if not isinstance(storage, Storage):
        return Placeholder("a tensor of another type")
    sizes, steps = tuple(shape), tuple(stride)
    numbers = (offset, *sizes, *steps)
    if any(type(number) is not int or not 0 <= number < 1 << 62 for number in numbers):
        raise ValueError("a tensor of impossible size")
    if len(sizes) != len(steps) or len(sizes) > 16:
        raise ValueError("a tensor of impossible size")
    return StoredTensor(storage, offset, sizes, steps, dtype or storage.dtype)


def _of_type(function: Any, kind: Any, arguments: Any, *_: Any) -> Any:
    """Makes the tensor of a subclass of torch.Tensor, whose own attributes are left out."""
    builder = BUILDERS.get(function.path) if isinstance(function, Name) else None
    return Placeholder("a tensor of another type") if builder is None else builder(*arguments)


def _mapping(*arguments: Any) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for argument in arguments:
        if isinstance(argument, dict):
            entries.update(argument)
        elif isinstance(argument, list):  # of pairs, as Python 2 wrote an OrderedDict
            entries.update((key, value) for key, value in argument if type(key) is str)
    return entries


def _reconstructed(kind: Any, *_: Any) -> Placeholder:
    return Placeholder(kind.path if isinstance(kind, Name) else "an object")


BUILDERS: Mapping[str, Builder] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch._utils._rebuild_parameter_with_state": lambda data, *_: data,
    "torch.nn.parameter.Parameter": lambda data, *_: data,
    "torch._tensor._rebuild_from_type_v2": _of_type,
    "torch.Size": lambda sizes=(): tuple(sizes),
    "collections.OrderedDict": _mapping,
    "collections.defaultdict": _mapping,
    "collections.Counter": _mapping,
    "builtins.dict": _mapping,
    "__builtin__.dict": _mapping,
    "copyreg._reconstructor": _reconstructed,
    "copy_reg._reconstructor": _reconstructed,
}
"""The functions that stand for torch's own, and for mappings; all else in a checkpoint is a placeholder."""
