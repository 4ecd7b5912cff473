"""ONNX's own node tests and converted networks, as networks: one input, all else constant.

`python -m tests.onnx_suite` prints the table of operators.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from pi_bench.errors import ModelError
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph.float_run import calibrate, outputs
from pi_bench.network.interchange.source import example_shape, read_file
from pi_bench.network.lowering import lower
from pi_bench.network.lowering.last_step import META_KEY, with_last_step

_OPERATOR_NAMES = """
Add ArgMax AveragePool BatchNormalization Cast Clip Concat Constant ConstantOfShape Conv
ConvTranspose DepthToSpace Div Dropout Expand Flatten Gather Gemm GlobalAveragePool GlobalMaxPool
Identity LeakyRelu LogSoftmax MatMul Max MaxPool Mean Min Mul Neg PRelu Pad Pow ReduceMax ReduceMean
ReduceMin ReduceSum Relu Reshape Resize Sigmoid Slice Softmax SpaceToDepth Split Squeeze Sub Sum
ThresholdedRelu Tile Transpose Unsqueeze Upsample Where
"""
OPERATORS = tuple(_OPERATOR_NAMES.split())
"""The operators of networks that are measured here."""

RIGHT = Path(__file__).parent / "vectors" / "onnx_node_suite.json"
"""Names of the cases that are right."""

LIGHT = ("densenet121", "inception_v1", "resnet50", "shufflenet", "squeezenet")
"""Models of onnx's package, by name: the other four have no operator and no join that these lack."""

_DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
_FLOAT = 1


@dataclass(frozen=True)
class Case:
    """A model with its constants inside, its input, and the first output that ONNX expects."""

    name: str
    operator: str
    model: Any
    x: np.ndarray
    expected: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """The outcome of a case: "right", "refused" or "wrong", and why."""

    kind: str
    reason: str = ""


def cases() -> Iterator[Case]:
    """Yields each case of an operator of the list whose first float input has samples and features."""
    for name, model, inputs, expected in (*_node_tests(), *_converted()):
        operators = {node.op_type for node in model.graph.node}
        operator = next((each for each in OPERATORS if each in operators), None)
        if operator is None or not expected or "_expanded" in name:
            continue
        if not isinstance(expected[0], np.ndarray) or expected[0].dtype != np.float32 or not expected[0].size:
            continue
        if expected[0].ndim == 1 and operator in _ELEMENTWISE:  # one sample of features
            inputs = [value[None] if np.shape(value) == expected[0].shape else value for value in inputs]
            expected = [expected[0][None]]
        made = _network(model, inputs, joined=False)
        if made is not None:
            yield Case(name, operator, *made, expected[0])
        made = _network(model, inputs, joined=True) if operator in _OF_SEVERAL else None
        if made is not None:
            yield Case(f"{name} of activations", operator, *made, expected[0])


_OF_SEVERAL = ("Add", "Concat", "Div", "Max", "MatMul", "Mean", "Min", "Mul", "Pow", "Sub", "Sum", "Where")
"""Operators whose operands may all depend on the network's input."""

_ELEMENTWISE = ("Add", "Clip", "LeakyRelu", "Max", "Mean", "Min", "Mul", "Neg", "Relu", "Sub", "Sum")


def outcome(case: Case) -> Outcome:
    """Imports, lowers and compiles a case, and compares its answers with those that ONNX expects."""
    x = case.x
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "case.onnx")
        path.write_bytes(case.model.SerializeToString())
        try:
            module = read_file(path)
            example = torch.from_numpy(x.copy())
            module.require_bounded(example)
            graph = lower(module, example)
            graph = replace(graph, ranges=calibrate(graph, x))
            compile_graph(graph)
            found = outputs(graph, x)
        except ModelError as error:
            return Outcome("refused", str(error))
    if module.left_out or META_KEY in graph.meta:
        return Outcome("right", "left to the client")
    if found.shape != case.expected.shape:
        return Outcome("wrong", f"shape {found.shape} for {case.expected.shape}")
    error = float(np.abs(found - case.expected).max() / max(np.abs(case.expected).max(), 1e-6))
    return Outcome("right") if error < 1e-3 else Outcome("wrong", f"off by {error:.1e}")


def light_outcome(name: str) -> Outcome:
    """Imports one of ONNX's models without weights of their own, and compares its answer to one input."""
    path = _DATA / "light" / f"light_{name}.onnx"
    try:
        module = read_file(path)
        size = int(np.prod(shape := example_shape(module, None)))
        x = torch.from_numpy((np.arange(size).reshape(shape) / size).astype(np.float32))
        module.require_bounded(x)
        with torch.no_grad():
            answer = with_last_step(module(x), {META_KEY: module.left_out}).numpy()
    except ModelError as error:
        return Outcome("refused", str(error))
    expected = _tensor(path.with_name(f"light_{name}_output_0.pb"))
    error = float(np.abs(answer - expected).max() / max(np.abs(expected).max(), 1e-6))
    return Outcome("right") if error < 1e-3 else Outcome("wrong", f"off by {error:.1e}")


def table(outcomes: list[tuple[Case, Outcome]]) -> str:
    """Lists, by operator, how many cases are right and refused, and why."""
    by_operator: dict[str, list[Outcome]] = defaultdict(list)
    for case, result in outcomes:
        by_operator[case.operator].append(result)
    lines = [f"{'operator':20} {'right':>5} {'refused':>7} {'wrong':>5}  reasons"]
    for operator, results in sorted(by_operator.items()):
        counts = Counter(result.kind for result in results)
        reasons = sorted({result.reason for result in results if result.kind != "right"})
        first, *rest = reasons or [""]
        lines.append(
            f"{operator:20} {counts['right']:5} {counts['refused']:7} {counts['wrong']:5}  {first}".rstrip()
        )
        lines += [f"{'':41}{reason}" for reason in rest]
    return "\n".join(lines)


def _node_tests() -> Iterator[tuple[str, Any, list[Any], list[Any]]]:
    from onnx.backend.test.case import base
    from onnx.backend.test.case.node import collect_testcases

    base.process_snippet = lambda *_: ("", "")  # the source of each test, which onnx prints in its documents
    base._Exporter.__init__ = _without_large_maps(base._Exporter.__init__)  # type: ignore[method-assign]
    unused = "onnx.backend.test.case.node.lppool"  # computes for seconds, and is no operator of the list
    sys.modules.setdefault(unused, ModuleType(unused))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = collect_testcases(None)  # type: ignore[arg-type]
    for case in found:
        if case.model is not None and case.data_sets:
            inputs, expected = case.data_sets[0]
            yield case.name, case.model, list(inputs), list(expected)


def _without_large_maps(collect: Any) -> Any:
    """Wraps the initialization of onnx's classes of tests, so that it leaves out large volumes to pool.

    They take two thirds of the time of all tests to compute. Smaller volumes are refused for the same
    reason.
    """

    def collect_others(cls: type, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> None:
        large = ("export_averagepool_3d_default", "export_maxpool_3d_default")
        collect(cls, name, bases, {key: value for key, value in members.items() if key not in large})

    return collect_others


def _converted() -> Iterator[tuple[str, Any, list[Any], list[Any]]]:
    for path in sorted(_DATA.glob("pytorch-*/*/model.onnx")):
        data = path.parent / "test_data_set_0"
        read = [[_tensor(file) for file in sorted(data.glob(f"{kind}_*.pb"))] for kind in ("input", "output")]
        yield path.parent.name, onnx.load(path), read[0], read[1]


def _tensor(path: Path) -> np.ndarray:
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    found: np.ndarray = numpy_helper.to_array(tensor)
    return found


def _network(model: Any, inputs: list[Any], *, joined: bool) -> tuple[Any, np.ndarray] | None:
    """Makes a network of a model: constants of all inputs but the first float one, or but all float ones.

    Values that are no (samples, features) and no maps are given flattened, and several of them `joined`.
    None if there are no samples and features.
    """
    given = dict(zip((entry.name for entry in model.graph.input), inputs, strict=False))
    arrays = {key: value for key, value in given.items() if isinstance(value, np.ndarray)}
    names = [
        key for key, value in arrays.items() if value.dtype == np.float32 and value.ndim > 1 and value.size
    ]
    if not names or len(arrays) < len(given):
        return None
    active = names if joined else names[:1]
    batch = len(arrays[active[0]])
    if joined and (len(active) < 2 or any(len(arrays[key]) != batch for key in active)):
        return None
    network = onnx.ModelProto()
    network.CopyFrom(model)
    del network.graph.input[:], network.graph.output[1:]
    old = {tensor.name for tensor in network.graph.initializer}
    constants = {key: value for key, value in arrays.items() if key not in {*active, *old}}
    x = arrays[active[0]]
    if joined or x.ndim not in (2, 4):
        first, x = _taken_apart({key: arrays[key] for key in active}, constants)
    else:
        first = [helper.make_node("Identity", ["network_input"], [active[0]])]
    nodes = [*first, *network.graph.node]
    del network.graph.node[:]
    network.graph.node.extend(nodes)
    network.graph.input.append(helper.make_tensor_value_info("network_input", _FLOAT, x.shape))
    network.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in constants.items())
    return network, np.ascontiguousarray(x)


def _taken_apart(
    active: dict[str, np.ndarray], constants: dict[str, np.ndarray]
) -> tuple[list[Any], np.ndarray]:
    """Returns nodes that make all values of one of (samples, features), and that one; adds to `constants`."""
    flat = [value.reshape(len(value), -1) for value in active.values()]
    columns = np.arange(sum(value.shape[1] for value in flat), dtype=np.int64)
    nodes, first = [], 0
    for (key, value), part in zip(active.items(), flat, strict=True):
        constants[f"{key} columns"] = columns[first : first + part.shape[1]]
        constants[f"{key} shape"] = np.array(value.shape, np.int64)
        nodes.append(helper.make_node("Gather", ["network_input", f"{key} columns"], [f"{key} flat"], axis=1))
        nodes.append(helper.make_node("Reshape", [f"{key} flat", f"{key} shape"], [key]))
        first += part.shape[1]
    return nodes, np.concatenate(flat, axis=1)


@functools.cache
def outcomes() -> list[tuple[Case, Outcome]]:
    """Returns the outcome of every case."""
    return [(case, outcome(case)) for case in cases()]


def main() -> None:
    """Prints the table; with ``--pin`` it adds the cases that are right to the list that may not shrink."""
    print(table(outcomes()))
    if "--pin" in sys.argv:
        right = {case.name for case, result in outcomes() if result.kind == "right"}
        RIGHT.write_text(json.dumps(sorted(right), indent=0) + "\n")


if __name__ == "__main__":
    main()
