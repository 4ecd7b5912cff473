"""Reads an ONNX file as data: the graph, and tensors from it or from a file in the same folder; nothing is
run.

`onnx` parses the protocol buffer. External data is read here, not by that library: the location must be the
bare name of a regular file in the model's folder.
"""

from __future__ import annotations

import math
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pi_bench.errors import EnvironmentUnsupportedError, ModelError

OPSETS = range(9, 26)
"""The versions of ONNX's own operators that are supported."""

MAX_MODEL_BYTES = (1 << 31) - 1  # of a protocol buffer
_EXTERNAL = 1
_DTYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}
"""Of TensorProto.DataType; strings, complex numbers and small floats are left out."""


def read_model(name: str, file: BinaryIO) -> Any:
    """Parses the ModelProto in `file` with onnx.

    Raises:
        EnvironmentUnsupportedError: onnx is not installed.
        ModelError: it is damaged, of another opset, or uses features that are not supported.

    >>> import tempfile
    >>> from onnx import TensorProto, helper
    >>> x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy")
    >>> graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "tiny", [x], [y])
    >>> model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    >>> with tempfile.TemporaryFile() as file:
    ...     _ = file.write(model.SerializeToString()), file.seek(0)
    ...     read_model("tiny.onnx", file).graph.node[0].op_type
    'Relu'
    """
    try:
        import onnx
    except ImportError:
        raise EnvironmentUnsupportedError('ONNX files need onnx: pip install "pi-bench[onnx]"') from None
    if os.fstat(file.fileno()).st_size > MAX_MODEL_BYTES:
        raise ModelError(f"{name} is larger than a protocol buffer may be")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(file.read())
    except Exception:  # of protobuf, whose classes depend on its build
        raise ModelError(f"{name} is truncated or damaged: copy it or export it again") from None
    _require_version(name, model)
    if model.functions:
        raise ModelError(f"{name} has functions of its own: inline them with onnx.inliner before export")
    if model.graph.sparse_initializer:
        raise ModelError(f"{name} has sparse tensors: export it with dense ones")
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise ModelError(
                f"operator {node.domain}.{node.op_type} ({node.name!r:.60}) of {name} is not one of ONNX's "
                "own: export without optimizing for a runtime"
            )
    return model


def constant(name: str, tensor: Any, folder: Path) -> np.ndarray:
    """Returns the values of a TensorProto, in native byte order; external data is read from `folder`.

    Raises:
        ModelError: a dtype that is not supported, or missing data.

    >>> from onnx import numpy_helper
    >>> constant("tiny.onnx", numpy_helper.from_array(np.array([1, 2])), Path("."))
    array([1, 2])
    """
    dtype = _DTYPES.get(tensor.data_type)
    if dtype is None:
        raise ModelError(f"{name}: tensor {tensor.name!r:.60} has a dtype that is not supported; use float32")
    shape = tuple(int(size) for size in tensor.dims)
    if min(shape, default=0) < 0:
        raise ModelError(f"{name}: tensor {tensor.name!r:.60} has the shape {shape}")
    if tensor.data_location == _EXTERNAL:
        data = _external(name, tensor, folder, math.prod(shape) * np.dtype(dtype).itemsize)
        return np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)
    from onnx import numpy_helper

    try:
        values: np.ndarray = numpy_helper.to_array(tensor)
        return values.reshape(shape).astype(dtype)
    except (ValueError, TypeError):
        raise ModelError(
            f"{name}: tensor {tensor.name!r:.60} does not hold {shape} numbers: export it again"
        ) from None


def _require_version(name: str, model: Any) -> None:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions or not model.graph.node:
        raise ModelError(f"{name} is not an ONNX model, or has no operators")
    if versions[0] not in OPSETS:
        raise ModelError(
            f"{name} has opset {versions[0]}; {OPSETS[0]} to {OPSETS[-1]} are read: convert it with "
            "onnx.version_converter, or export it with another opset_version"
        )


def _external(name: str, tensor: Any, folder: Path, byte_count: int) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if not re.fullmatch(r"[\w\-. ]+", location) or location.strip(". ") == "":
        raise ModelError(
            f"{name}: tensor {tensor.name!r:.60} lies in {location!r:.80}; "
            "only a file beside the model is read"
        )
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", byte_count))
    except ValueError:
        raise ModelError(
            f"{name}: the place of tensor {tensor.name!r:.60} in {location} is no number"
        ) from None
    if offset < 0 or length != byte_count:
        raise ModelError(f"{name}: tensor {tensor.name!r:.60} takes {byte_count} bytes, not {length}")
    try:
        descriptor = os.open(folder / location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or offset + length > status.st_size:
                raise ModelError(
                    f"{name}: {location} does not hold tensor {tensor.name!r:.60}: copy it again"
                )
            file.seek(offset)
            return file.read(length)
    except OSError as error:
        raise ModelError(
            f"{name} keeps its weights in {location}, which cannot be read: {error.strerror}; "
            "keep both files in one folder"
        ) from None
