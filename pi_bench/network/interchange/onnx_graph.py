"""Makes a torch module of an ONNX file: operators of a fixed list, on the file's tensors."""

from __future__ import annotations

import math
import re
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from pi_bench.errors import ModelError
from pi_bench.network.interchange.foreign_module import MAX_STEPS, FileOperator, ForeignModule, Ref
from pi_bench.network.interchange.onnx_attributes import attributes_of
from pi_bench.network.interchange.onnx_ending import ending, live_nodes
from pi_bench.network.interchange.onnx_file import opset, read_model
from pi_bench.network.interchange.onnx_names import Names, place_of
from pi_bench.network.interchange.onnx_operators import apply, require_known
from pi_bench.network.interchange.onnx_runtime import OtherRuntime
from pi_bench.network.interchange.onnx_shapes import MAX_ELEMENTS
from pi_bench.network.interchange.onnx_tensors import TensorReader

_FLOATS = (1, 10, 11, 16)
_STATIC_ELEMENTS = 1024
_MAX_UNIFORM = 1 << 28
_SMALL_ELEMENTS = 16
_MATRICES = ("MatMul", "Gemm")
_SCALED = ("Resize", "Upsample")


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
        self._model, self._graph = model, model.graph
        self._opset = opset(model)
        self._reader = TensorReader(name, Path(name).absolute().parent)
        self._names = Names()
        self._literals: dict[str, np.ndarray] = {}
        self._tensors: dict[str, torch.Tensor] = {}
        self._references: dict[str, str] = {}
        self._small: dict[str, np.ndarray] = {}
        self._active: set[str] = set()
        self._made: set[str] = set()
        self._uniform_count = 0
        if len(self._graph.node) > MAX_STEPS:
            raise ModelError(f"{name} has {len(self._graph.node)} operators; {MAX_STEPS} are possible")
        self._outside: dict[str, np.ndarray] = {}

    def module(self) -> ForeignModule:
        end = ending(self._name, self._graph, self._opset)
        nodes = live_nodes(self._graph, end)
        read = {end.output, *(value for node in nodes for value in node.input)}
        initializers = self._initializers(read)
        entries = [entry for entry in self._graph.input if entry.name not in initializers]
        inputs = [entry for entry in entries if entry.name in read or len(entries) == 1]
        if len(inputs) != 1:
            names = ", ".join(entry.name for entry in inputs)
            raise ModelError(
                f"{self._name} has {len(inputs)} inputs ({names:.80}); export a module with one, and the "
                "others as constants"
            )
        self._made.add(inputs[0].name)
        self._active.add(inputs[0].name)
        steps = [step for node in nodes for step in self._steps(node, end.replaced)]
        module = ForeignModule(
            name=re.sub(r"[^\w\- ]", "_", self._graph.name)[:80],
            steps=steps,
            tensors=self._tensors,
            references=self._references,
            input_name=inputs[0].name,
            input_shape=self._shape(inputs[0]),
            output_name=end.output,
        )
        module.left_out = end.left_out
        module.other_runtime = OtherRuntime(self._name, self._model, end, self._outside)
        return module

    def _initializers(self, read: set[str]) -> set[str]:
        """Keeps the initializers that are read; returns the names of all."""
        for initializer in self._graph.initializer:
            if initializer.name in read:
                tensor = self._reader.dense(initializer)
                if initializer.data_location:
                    self._outside[initializer.name] = tensor
                self._keep(initializer.name, tensor)
        for initializer in self._graph.sparse_initializer:
            if initializer.values.name in read:
                self._keep(initializer.values.name, self._reader.sparse(initializer))
        sparse = {initializer.values.name for initializer in self._graph.sparse_initializer}
        return sparse | {initializer.name for initializer in self._graph.initializer}

    def _shape(self, entry: Any) -> tuple[int | None, ...]:
        kind = entry.type.tensor_type
        if kind.elem_type not in _FLOATS:
            raise ModelError(f"{self._name} takes an input that is not float32; export it with float32")
        if not kind.HasField("shape"):
            raise ModelError(f"{self._name} does not say the shape of its input: export it with one")
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
        return tuple(size if size is None or size > 0 else None for size in sizes)

    def _keep(self, name: str, values: np.ndarray) -> None:
        """Keeps small integers and numbers as literals, from which shapes are computed, and all else as
        tensors.
        """
        if name in self._made:
            raise ModelError(f"{self._name} makes the value {name!r:.80} twice: export it again")
        self._made.add(name)
        if values.dtype.kind == "f":
            values = values.astype(np.float32)
        if values.size <= _SMALL_ELEMENTS:
            self._small[name] = values
        if values.size <= 1 or (values.dtype.kind in "iu" and values.size <= _STATIC_ELEMENTS):
            self._literals[name] = values
            return
        if values.dtype.kind == "u" and values.dtype.itemsize > 1:
            values = values.astype(np.int64)  # torch has few operators for these
        own = self._names.tensor(name)
        self._tensors[own] = torch.from_numpy(values.copy())
        self._references[name] = own

    def _steps(self, node: Any, replaced: dict[str, str]) -> list[FileOperator]:
        """Translates one node; `replaced` are the results of those that are left out."""
        place = f"operator {node.op_type}" + (f" ({node.name!r:.80})" if node.name else "")
        require_known(place, node.op_type)
        attributes = attributes_of(place, node, self._reader, self._opset)
        if node.op_type == "Constant":
            self._keep(node.output[0], np.asarray(attributes["value"]))
            return []
        if node.op_type == "ConstantOfShape" and self._keep_uniform(place, node, attributes):
            return []
        for output in filter(None, node.output):
            if output in self._made:
                raise ModelError(f"{place} makes the value {output!r:.80}, which is there already")
            self._made.add(output)
        path, kind = place_of(node, self._references)
        path = self._names.module(path)
        inputs = [replaced.get(name, name) for name in node.input]
        active = [name in self._active for name in inputs]
        if any(active):
            self._active.update(node.output)
        if node.op_type in _MATRICES and active[:2].count(True) == 1:
            attributes["weight_at"] = active[:2].index(False)
        args = [self._operand(name) for name in inputs]
        if node.op_type in _SCALED:
            args[1:] = [self._small.get(name, arg) for name, arg in zip(inputs[1:], args[1:], strict=True)]
        return [
            FileOperator(
                operator=node.op_type,
                function=partial(_call, node.op_type, attributes),
                args=tuple(args),
                kwargs={},
                outputs=tuple(name or None for name in node.output),
                path=path,
                kind=kind,
            )
        ]

    def _keep_uniform(self, place: str, node: Any, attributes: dict[str, Any]) -> bool:
        """Keeps a large tensor of equal numbers; False leaves a small one to the arithmetic of shapes."""
        sizes = self._literals.get(node.input[0])
        count = 0 if sizes is None else math.prod(int(size) for size in sizes.reshape(-1))
        if sizes is None or count <= MAX_ELEMENTS:
            return False
        self._uniform_count += count
        if sizes.min() < 0 or self._uniform_count > _MAX_UNIFORM:
            raise ModelError(f"{place} makes {count} elements; too many for a network")
        number = np.asarray(attributes.get("value", np.float32(0))).reshape(())
        self._keep(node.output[0], np.broadcast_to(number, tuple(int(size) for size in sizes.reshape(-1))))
        return True

    def _operand(self, name: str) -> Any:
        if not name:
            return None
        return self._literals[name] if name in self._literals else Ref(name)


def _call(operator: str, attributes: dict[str, Any], *inputs: Any) -> Any:
    return apply(operator, attributes, list(inputs))
