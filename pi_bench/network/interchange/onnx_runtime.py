"""Compares an imported ONNX file with onnxruntime, another reading of the same file, where it is installed.

torch's operators compute the module that the file became, so torch cannot tell that the file meant something
else. The other runtime gets no path: tensors of other files are put into the model before.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Self

import numpy as np
import torch

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_ending import Ending, live_nodes

_MAX_BYTES = 1 << 30
_TOLERANCE = 1e-3
_HALF_TOLERANCE = 3e-2
"""The tolerance for files with 16-bit floats, which the other runtime computes with as few bits."""
_HALF = (10, 16)


class OtherRuntime:
    """The file as onnxruntime reads it, up to the value that `end` names as the answer.

    Args:
        outside: values of the tensors that lie in other files, by name.

    >>> from onnx import TensorProto, helper
    >>> x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy")
    >>> graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "tiny", [x], [y])
    >>> model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    >>> other = OtherRuntime("tiny.onnx", model, Ending("y", {}, ()), {})
    >>> other.require_same(torch.nn.ReLU(), np.float32([[-1, 2]])) in ("", f"onnxruntime {version()}")
    True
    """

    def __init__(self, name: str, model: Any, end: Ending, outside: dict[str, np.ndarray]) -> None:
        self._name, self._model, self._end, self._outside = name, model, end, outside

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def require_same(self, module: torch.nn.Module, inputs: np.ndarray) -> str:
        """Compares the answers to `inputs`, float32 of the batch that the file takes.

        Returns the name and version of the other runtime, or "" if it is not installed or does not run
        the file.

        Raises:
            ModelError: the answers differ.
        """
        if not version():
            return ""
        expected = self._answers(inputs)
        if expected is None:
            return ""
        with torch.no_grad():
            actual = module(torch.from_numpy(inputs)).numpy()
        scale = max(float(np.abs(expected).max(initial=0)), 1e-30)
        same = actual.shape == expected.shape
        error = float(np.abs(actual - expected).max(initial=0)) / scale if same else np.inf
        if not error < (_HALF_TOLERANCE if self._is_half() else _TOLERANCE):
            found = f"by {error:.1e} of its largest output" if same else f"in shape, {actual.shape}"
            raise ModelError(
                f"{self._name} as it is read here differs from onnxruntime's answers {found}: please report "
                "the file; exporting it with another opset_version may help"
            )
        return f"onnxruntime {version()}"

    def _answers(self, inputs: np.ndarray) -> np.ndarray | None:
        import onnx
        import onnxruntime

        model = onnx.ModelProto()
        model.ir_version = self._model.ir_version
        model.opset_import.extend(self._model.opset_import)
        model.graph.CopyFrom(self._model.graph)
        for tensor in model.graph.initializer:
            if tensor.name in self._outside:
                tensor.CopyFrom(onnx.numpy_helper.from_array(self._outside[tensor.name], tensor.name))
        nodes = live_nodes(model.graph, self._end)
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        for node in model.graph.node:
            node.input[:] = [self._end.replaced.get(name, name) for name in node.input]
        del model.graph.output[:]
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(self._end.output))
        del model.graph.value_info[:]  # a file's statements about its own values may be wrong
        if model.ByteSize() > _MAX_BYTES:
            return None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            entry = next(each for each in session.get_inputs() if each.name == self._input())
            dtype = {"tensor(float16)": np.float16, "tensor(double)": np.float64}.get(entry.type, np.float32)
            (found,) = session.run([self._end.output], {entry.name: inputs.astype(dtype)})
        except Exception:  # it does not know every operator, dtype and opset, and raises classes of its own
            return None
        answers: np.ndarray = found.astype(np.float32)
        return answers

    def _input(self) -> str:
        made = {tensor.name for tensor in self._model.graph.initializer}
        read = {name for node in self._model.graph.node for name in node.input}
        names = [str(entry.name) for entry in self._model.graph.input if entry.name not in made]
        return next((name for name in names if name in read), names[0])

    def _is_half(self) -> bool:
        graph = self._model.graph
        casts = (entry.i for node in graph.node if node.op_type == "Cast" for entry in node.attribute)
        types = [tensor.data_type for tensor in graph.initializer]
        types += [entry.type.tensor_type.elem_type for entry in graph.input]
        return any(code in _HALF for code in (*types, *casts))


def version() -> str:
    """Returns the version of onnxruntime, or "" if it is not installed.

    >>> isinstance(version(), str)
    True
    """
    if importlib.util.find_spec("onnxruntime") is None:
        return ""
    import onnxruntime

    found: str = onnxruntime.__version__
    return found
