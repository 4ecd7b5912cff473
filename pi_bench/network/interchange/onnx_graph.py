"""Makes a torch module of an ONNX file: operators of a fixed list, on the file's tensors."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from pi_bench.errors import ModelError
from pi_bench.network.interchange.foreign_module import ForeignModule, Ref, Step
from pi_bench.network.interchange.onnx_file import constant, read_model
from pi_bench.network.interchange.onnx_operators import OPERATORS, STATIC, apply
from pi_bench.network.lowering.advice import advice

_FLOAT = 1
_TENSOR_ATTRIBUTE = 4
_STATIC_ELEMENTS = 1024
_NAMED_BY_MODULE = "torch.nn.modules.onnx."
_SCOPES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
_CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")
_WEIGHTED = ("Conv", "Gemm", "MatMul", "BatchNormalization", "PRelu")


def read_onnx(name: str, file: BinaryIO) -> ForeignModule:
    """Reads the network in the ONNX file `file`; external data is read from the folder of `name`.

    Raises:
        EnvironmentUnsupportedError: onnx is not installed.
        ModelError: it is damaged, of an opset that is not read, holds control flow, dynamic shapes,
            several inputs or outputs, or an operator that is not supported.

    >>> import tempfile
    >>> from onnx import TensorProto, helper
    >>> x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy")
    >>> graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "tiny", [x], [y])
    >>> model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    >>> with tempfile.TemporaryFile() as file:
    ...     _ = file.write(model.SerializeToString()), file.seek(0)
    ...     read_onnx("tiny.onnx", file)(torch.tensor([[-1.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """
    model = read_model(name, file)
    try:
        return _Translation(name, model).module()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
        raise ModelError(f"{name} is damaged, or not as ONNX is specified: export it again") from None


class _Translation:
    def __init__(self, name: str, model: Any) -> None:
        self._name = name
        self._folder = Path(name).absolute().parent
        self._graph = model.graph
        self._literals: dict[str, np.ndarray] = {}
        self._tensors: dict[str, torch.Tensor] = {}
        self._references: dict[str, str] = {}
        for initializer in self._graph.initializer:
            self._keep(initializer.name, constant(name, initializer, self._folder))

    def module(self) -> ForeignModule:
        inputs = [entry for entry in self._graph.input if entry.name not in self._references | self._literals]
        if len(inputs) != 1 or len(self._graph.output) != 1:
            raise ModelError(
                f"{self._name} has {len(inputs)} inputs and {len(self._graph.output)} outputs; "
                "export a module with one of each"
            )
        steps = [step for node in self._graph.node for step in self._steps(node)]
        return ForeignModule(
            name=re.sub(r"[^\w\- ]", "_", self._graph.name)[:80],
            steps=steps,
            tensors=self._tensors,
            references=self._references,
            input_name=inputs[0].name,
            input_shape=self._shape(inputs[0]),
            output_name=self._graph.output[0].name,
        )

    def _shape(self, entry: Any) -> tuple[int | None, ...]:
        kind = entry.type.tensor_type
        if kind.elem_type != _FLOAT:
            raise ModelError(f"{self._name} takes an input that is not float32; export it with float32")
        if not kind.HasField("shape"):
            raise ModelError(f"{self._name} does not say the shape of its input: export it with one")
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
        return tuple(size if size is None or size > 0 else None for size in sizes)

    def _keep(self, name: str, values: np.ndarray) -> None:
        """Keeps small integers and numbers as literals, from which shapes are computed, and all else as
        tensors.
        """
        if values.dtype.kind == "f":
            values = values.astype(np.float32)
        if values.size <= 1 or (values.dtype.kind in "iu" and values.size <= _STATIC_ELEMENTS):
            self._literals[name] = values
            return
        parts = [re.sub(r"\W", "_", part) for part in name.split(".")]
        own = ".".join(parts) if all(parts) else f"initializer_{len(self._tensors)}"
        while own in self._tensors or any(own.startswith(f"{taken}.") for taken in self._tensors):
            own += "_"
        self._tensors[own] = torch.from_numpy(values.copy())
        self._references[name] = own

    def _steps(self, node: Any) -> list[Step]:
        place = f"operator {node.op_type} ({node.name!r:.80})" if node.name else f"operator {node.op_type}"
        if node.op_type in _CONTROL_FLOW:
            raise ModelError(f"{place} is control flow: export a network without it")
        attributes = {entry.name: self._attribute(place, entry) for entry in node.attribute}
        if node.op_type in ("Constant", "ConstantOfShape"):
            value = attributes.get("value", attributes.get("value_float", attributes.get("value_int")))
            return self._constant(place, node, value)
        if node.op_type not in OPERATORS and node.op_type not in STATIC:
            raise ModelError(f"{place} cannot be lowered: {advice(node.op_type.lower())}")
        path, kind = self._place(node)
        return [
            Step(
                operator=node.op_type,
                function=partial(_call, node.op_type, attributes),
                args=tuple(self._operand(name) for name in node.input),
                kwargs={},
                outputs=tuple(name or None for name in node.output),
                path=path,
                kind=kind,
            )
        ]

    def _constant(self, place: str, node: Any, value: Any) -> list[Step]:
        if node.op_type == "ConstantOfShape":
            sizes = self._literals.get(node.input[0])
            if sizes is None or sizes.size > 8 or not 0 < np.prod(sizes.astype(float)) <= _STATIC_ELEMENTS:
                raise ModelError(f"{place} cannot be lowered: store its result as an initializer")
            value = np.full(sizes, np.float32(0) if value is None else np.asarray(value).reshape(()))
        elif value is None:
            raise ModelError(f"{place} has no numbers: use the attribute value")
        self._keep(node.output[0], np.asarray(value))
        return []

    def _operand(self, name: str) -> Any:
        if not name:
            return None
        return self._literals[name] if name in self._literals else Ref(name)

    def _attribute(self, place: str, entry: Any) -> Any:
        if entry.type == _TENSOR_ATTRIBUTE:
            return constant(self._name, entry.t, self._folder)
        match entry.type:
            case 1:
                return float(entry.f)
            case 2:
                return int(entry.i)
            case 3:
                return entry.s.decode("utf-8", "replace")
            case 6:
                return [float(value) for value in entry.floats]
            case 7:
                return [int(value) for value in entry.ints]
        raise ModelError(f"{place} has the attribute {entry.name!r:.40}, of a kind that is not supported")

    def _place(self, node: Any) -> tuple[str, str]:
        """Returns (path, class) of the module that the node was.

        The name of its weights tells it, or the notes of torch's exporter, or the node's own name
        (`/layer1/conv/Conv`).
        """
        path, kind = "", _NAMED_BY_MODULE + node.op_type
        notes = {entry.key: re.findall(r"'([^']*)'", entry.value) for entry in node.metadata_props}
        scopes, classes = notes.get(_SCOPES, []), notes.get(_CLASSES, [])
        weights = [name for name in node.input if self._references.get(name, "").count(".")]
        if weights and node.op_type in _WEIGHTED:
            path = self._references[weights[0]].rpartition(".")[0]
        elif len(scopes) > 1 and len(scopes) == len(classes):
            path, kind = scopes[-2], classes[-2]
        elif node.name.startswith("/"):
            for part in node.name.split("/")[1:-1]:
                path = part if not path or part.startswith(f"{path}.") else f"{path}.{part}"
        else:
            path = re.sub(r"\W", "_", node.name)
        if not all(re.fullmatch(r"\w+", part) for part in path.split(".")):
            return "", ""
        while any(path == taken or path.startswith(f"{taken}.") for taken in self._tensors):
            path += "_"
        return path, kind


def _call(operator: str, attributes: dict[str, Any], *inputs: Any) -> Any:
    return apply(operator, attributes, list(inputs))
