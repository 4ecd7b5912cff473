"""Reads an ONNX file as data; nothing in it is run.

`onnx` parses the protocol buffer. Data outside of the file is read by `onnx_tensors`, not by that library.
"""

from __future__ import annotations

import os
from typing import Any, BinaryIO

from pi_bench.errors import EnvironmentUnsupportedError, ModelError

OPSETS = range(6, 29)
"""The versions of ONNX's own operators that are supported."""

MAX_MODEL_BYTES = (1 << 31) - 1  # of a protocol buffer


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
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise ModelError(
                f"operator {node.domain}.{node.op_type} ({node.name!r:.60}) of {name} is not one of ONNX's "
                "own: export without optimizing for a runtime"
            )
    return model


def opset(model: Any) -> int:
    """Returns the version of ONNX's own operators that a ModelProto uses, or 0.

    >>> from onnx import ModelProto
    >>> opset(ModelProto())
    0
    """
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return int(versions[0]) if versions else 0


def _require_version(name: str, model: Any) -> None:
    version = opset(model)
    if not version or not model.graph.node:
        raise ModelError(f"{name} is not an ONNX model, or has no operators")
    if version not in OPSETS:
        raise ModelError(
            f"{name} has opset {version}; {OPSETS[0]} to {OPSETS[-1]} are read: convert it with "
            "onnx.version_converter, or export it with another opset_version"
        )
