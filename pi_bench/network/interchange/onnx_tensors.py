"""Reads the tensors of an ONNX file: inside it, in a file beside it, dense and sparse."""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.graph.check import MAX_ELEMENTS

MAX_TENSOR_BYTES = 1 << 32
"""All tensors of one file together: many may name the same bytes of a file beside it."""

_MAX_READINGS = 4
"""The bytes that are read of a file beside the model, in multiples of its size."""

_EXTERNAL = 1
_BFLOAT16 = 16
_DTYPES: dict[int, Any] = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
    12: np.uint32,
    _BFLOAT16: np.uint16,
}
"""Types of TensorProto.DataType; strings, complex numbers and small floats are left out."""


class TensorReader:
    """A reader of the tensors of the file `name`; external data is read from its `folder`.

    >>> from onnx import numpy_helper
    >>> reader = TensorReader("tiny.onnx", Path("."))
    >>> reader.dense(numpy_helper.from_array(np.array([1, 2])))
    array([1, 2])
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder
        self._bytes_left = MAX_TENSOR_BYTES
        self._read: dict[str, int] = {}

    def dense(self, tensor: Any) -> np.ndarray:
        """Returns the values of a TensorProto in native byte order, bfloat16 as float32.

        Raises:
            ModelError: a dtype that is not supported, or missing data.
        """
        what = f"{self._name}: tensor {tensor.name!r:.60}"
        dtype = _DTYPES.get(tensor.data_type)
        if dtype is None:
            raise ModelError(f"{what} has a dtype that is not supported; use float32")
        shape = tuple(int(size) for size in tensor.dims)
        if min(shape, default=0) < 0 or len(shape) > 32:
            raise ModelError(f"{what} has the shape {shape!s:.80}")
        byte_count = math.prod(shape) * np.dtype(dtype).itemsize
        self._bytes_left -= byte_count
        if self._bytes_left < 0:
            raise ModelError(f"the tensors of {self._name} take more than {MAX_TENSOR_BYTES} bytes")
        if tensor.data_location == _EXTERNAL:
            data = self._external(what, tensor, byte_count)
            values = np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)
            return _widened(values) if tensor.data_type == _BFLOAT16 else values
        from onnx import numpy_helper

        try:
            found: np.ndarray = numpy_helper.to_array(tensor)
            return found.reshape(shape).astype(np.float32 if tensor.data_type == _BFLOAT16 else dtype)
        except (ValueError, TypeError):
            raise ModelError(f"{what} does not hold {shape} numbers: export it again") from None

    def sparse(self, tensor: Any) -> np.ndarray:
        """Returns the values of a SparseTensorProto, with its zeros.

        Raises:
            ModelError: its positions lie outside of its shape, or its shape is larger than a network's.
        """
        what = f"{self._name}: sparse tensor {tensor.values.name!r:.60}"
        shape = tuple(int(size) for size in tensor.dims)
        if min(shape, default=0) < 1 or math.prod(shape) > MAX_ELEMENTS:
            raise ModelError(f"{what} has the shape {shape!s:.80}")
        values, places = self.dense(tensor.values).reshape(-1), self.dense(tensor.indices)
        if places.dtype.kind != "i" or places.shape not in ((len(values),), (len(values), len(shape))):
            raise ModelError(f"{what} has {len(values)} values at positions of shape {places.shape}")
        limits = np.array(shape if places.ndim == 2 else math.prod(shape))
        if (places < 0).any() or (places >= limits).any():
            raise ModelError(f"{what} has positions outside of its shape {shape}")
        flat = places if places.ndim == 1 else np.ravel_multi_index(tuple(places.T), shape)
        dense = np.zeros(math.prod(shape), values.dtype)
        dense[flat] = values
        return dense.reshape(shape)

    def _external(self, what: str, tensor: Any, byte_count: int) -> bytes:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "").removeprefix("./")
        if location in ("", ".", "..") or "/" in location or "\\" in location or not location.isprintable():
            raise ModelError(f"{what} lies in {location!r:.80}; only a file beside the model is read")
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", byte_count))
        except ValueError:
            raise ModelError(f"{what} has a place in {location:.80} that is no number") from None
        if offset < 0 or length != byte_count:
            raise ModelError(f"{what} takes {byte_count} bytes, not {length}")
        try:
            descriptor = os.open(self._folder / location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or offset + length > status.st_size:
                    raise ModelError(
                        f"{self._name}: {location:.80} does not hold tensor {tensor.name!r:.60}: copy it "
                        "again"
                    )
                self._read[location] = self._read.get(location, 0) + length
                if self._read[location] > _MAX_READINGS * status.st_size:
                    raise ModelError(
                        f"{self._name}: too many tensors lie in the same bytes of {location:.80}"
                    )
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            raise ModelError(
                f"{self._name} keeps its weights in {location:.80}, which cannot be read: {error.strerror}; "
                "keep both files in one folder"
            ) from None


def _widened(bits: np.ndarray) -> np.ndarray:
    """Converts bfloat16, read as uint16, to float32."""
    values: np.ndarray = (bits.astype(np.uint32) << 16).view(np.float32)
    return values
