"""ONNX models for tests, and the answers of other runtimes to them."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import pi_bench
from pi_bench.fidelity.fidelity_warning import FidelityWarning
from pi_bench.network.graph.float_run import outputs
from tests.oracles import REQUIRED, oracle

GENERATOR = np.random.default_rng(2)
INPUT = (1, 2, 6, 5)
Form = tuple[list[Any], dict[str, np.ndarray]]
"""Nodes and initializers."""


def values(*shape: int) -> np.ndarray:
    return (GENERATOR.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def model(
    nodes: Sequence[Any],
    tensors: dict[str, np.ndarray],
    *,
    opset: int = 17,
    shape: Sequence[Any] = INPUT,
    dtype: int = TensorProto.FLOAT,
    outputs_: Sequence[str] = ("y",),
) -> Any:
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs_],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def answer(proto: Any, x: np.ndarray) -> np.ndarray:
    """By onnxruntime, or where it is not installed by onnx, whose batch norms before opset 14 differ."""
    found: np.ndarray
    missing = importlib.util.find_spec("onnxruntime") is None
    if missing and proto.opset_import[0].version >= 14 and os.environ.get(REQUIRED) != "1":
        found = ReferenceEvaluator(proto).run(None, {"x": x})[0]
        return found
    onnxruntime = oracle("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {"x": x})[0]
    return found


def exported(proto: Any, folder: Path, inputs: np.ndarray | None = None) -> Any:
    """The graph, after its answers were compared with another runtime's."""
    onnx.save(proto, folder / "network.onnx")
    if inputs is None:
        inputs = GENERATOR.normal(size=(3, *INPUT[1:])).astype(np.float32)
    bits = {"weight_bits": 12, "activation_bits": 14}  # these tests are of the import, not of fidelity
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FidelityWarning)
        graph = pi_bench.export(folder / "network.onnx", None, folder / "m.pt", calibration=inputs, **bits)
    expected = np.concatenate([answer(proto, sample[None]) for sample in inputs])
    np.testing.assert_allclose(outputs(graph, inputs), expected, rtol=1e-4, atol=1e-5)
    return graph


def shape_arithmetic() -> tuple[list[Any], dict[str, np.ndarray]]:
    """As exporters write x.view(x.size(0), -1)."""
    node = helper.make_node
    nodes = [
        node("Shape", ["x"], ["sizes"]),
        node("Gather", ["sizes", "first"], ["batch"], axis=0),
        node("Unsqueeze", ["batch", "zero"], ["batches"]),
        node("Concat", ["batches", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["flat"]),
        node("MatMul", ["flat", "w"], ["product"]),
        node("Add", ["product", "b"], ["y"]),
    ]
    tensors = {
        "first": np.array(0, np.int64),
        "zero": np.array([0], np.int64),
        "rest": np.array([-1], np.int64),
        "w": values(60, 3),
        "b": values(3),
    }
    return nodes, tensors


def external(folder: Path, location: str, form: Any = None, **entries: int) -> Path:
    """A model whose weights lie in another file."""
    nodes, tensors = form or shape_arithmetic()
    proto = model(nodes, tensors)
    (folder / "weights.bin").write_bytes(bytes(8) + tensors["w"].tobytes())
    for tensor in proto.graph.initializer:
        if tensor.name == "w":
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in {"location": location, "offset": 8, **entries}.items():
                tensor.external_data.add(key=key, value=str(value))
    (folder / "network.onnx").write_bytes(proto.SerializeToString())
    return folder / "network.onnx"
