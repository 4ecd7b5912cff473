"""Changed and drawn ONNX files: each is read, or refused in one line, in bounded time and memory."""

import random
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import PiBenchError

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper

from pi_bench.network.interchange import onnx_operators
from pi_bench.network.interchange.source import read_file
from tests.onnx_models import INPUT, model, values

_SECONDS_PER_FILE = 20
_GROWTH_BYTES = 3 << 30
OPERATORS = sorted({*onnx_operators.OPERATORS, *onnx_operators.STATIC} - {"Constant"})
ATTRIBUTES: dict[str, list[Any]] = {
    "axis": [0, 1, -1, 7, -(2**63)],
    "axes": [[1], [0, 1, 2, 3], [9], [2, 2]],
    "pads": [[0, 0, 1, 1], [1, 1], [-1, 0, 0, 0], [2**40] * 4, [0] * 8, [2**31] * 8],
    "strides": [[0, 0], [2, 2], [2**40, 1], [1]],
    "dilations": [[2, 2], [0, 1], [2**30, 2**30]],
    "kernel_shape": [[2, 2], [0, 3], [2**40, 2], [3]],
    "auto_pad": ["SAME_UPPER", "VALID", "FREE"],
    "ceil_mode": [1],
    "count_include_pad": [1],
    "group": [0, 2, -1, 2**40],
    "perm": [[0, 1, 2, 3], [3, 2, 1, 0], [0, 0, 0, 0], [9]],
    "blocksize": [0, 2, -1, 2**40],
    "mode": ["linear", "cubic", "reflect", "wrap", "CRD", "?"],
    "scales": [
        [1.0, 1.0, 2.0, 2.0],
        [1e30] * 4,
        [0.0] * 4,
        [-1.0] * 4,
        [float("nan")] * 4,
        [1.0, 1.0, 1e5, 1e5],
    ],
    "output_shape": [[12, 10], [2**40, 2**40], [0, 0]],
    "output_padding": [[1, 1], [2**40, 0]],
    "num_outputs": [0, 2, 2**40],
    "split": [[1, 1], [2**40], [-1, 3]],
    "keepdims": [0],
    "transA": [1],
    "transB": [1],
    "alpha": [0.0, float("nan"), 1e38],
    "to": [1, 7, 9, 99],
    "min": [0.0, float("nan")],
    "max": [6.0, -1.0],
    "value": [numpy_helper.from_array(np.float32([1]))],
    "epsilon": [float("nan"), -1.0],
}
CONSTANTS: list[np.ndarray] = [
    np.array([2**40, 2**40], np.int64),
    np.array([1, 2, 6, 5], np.int64),
    np.array([-1, 60], np.int64),
    np.array([0, 0, 2**31, 2**31], np.int64),
    np.array([1, 1], np.int64),
    np.array(2, np.int64),
    np.array(-(2**63), np.int64),
    np.array([], np.int64),
    np.float32(6),
    np.float32([1, 1, 2, 2]),
    np.full(4, np.inf, np.float32),
    values(3, 2, 3, 3),
    values(2),
    values(60, 3),
    np.zeros((0, 2), np.float32),
    np.array([True, False]),
]


def drawn(generator: random.Random) -> Any:
    """Returns a model of one to three nodes of any known operators, attributes and constants."""
    nodes, tensors, made = [], {}, ["x"]
    for number in range(generator.randint(1, 3)):
        operands = [generator.choice(made)]
        for _ in range(generator.randint(0, 4)):
            name = f"t{len(tensors)}"
            tensors[name] = generator.choice(CONSTANTS)
            operands.append(generator.choice([name, name, generator.choice(made), ""]))
        generator.shuffle(operands) if generator.random() < 0.2 else None
        given = generator.sample(sorted(ATTRIBUTES), generator.randint(0, 3))
        attributes = {name: generator.choice(ATTRIBUTES[name]) for name in given}
        result = f"v{number}"
        nodes.append(helper.make_node(generator.choice(OPERATORS), operands, [result], **attributes))
        made.append(result)
    return model(nodes, tensors, opset=generator.choice([6, 9, 11, 13, 18, 22]), outputs_=(made[-1],))


def require_handled(content: bytes, folder: Path) -> bool:
    """Reads a file and exports it; any error is one line of this package. True if it is read."""
    path = folder / "fuzz.onnx"
    path.write_bytes(content)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    try:
        module = read_file(path)
        inputs = np.random.default_rng(0).normal(size=(2, *INPUT[1:])).astype(np.float32)
        pi_bench.export(module, None, folder / "m.pt", calibration=inputs)
        passed = True
    except PiBenchError as error:
        assert "\n" not in str(error) and str(error)
        passed = False
    assert time.monotonic() - start < _SECONDS_PER_FILE
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < _GROWTH_BYTES
    return passed


@pytest.mark.filterwarnings("ignore")
def test_any_operators_with_any_operands(tmp_path: Path) -> None:
    generator = random.Random(0)
    assert any([require_handled(drawn(generator).SerializeToString(), tmp_path) for _ in range(100)])


@pytest.mark.filterwarnings("ignore")
def test_changed_bytes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["c", "", "s"], ["r"]),
        helper.make_node("Pad", ["r", "p"], ["q"], mode="reflect"),
        helper.make_node("ReduceMean", ["q"], ["m"], axes=[2, 3]),
        helper.make_node("Softmax", ["m"], ["y"]),
    ]
    tensors = {
        "k": values(3, 2, 3, 3),
        "s": np.float32([1, 1, 2, 2]),
        "p": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
    }
    whole = bytearray(model(nodes, tensors, opset=13).SerializeToString())
    generator = random.Random(1)
    for _ in range(30):
        changed = bytearray(whole)
        for _ in range(generator.randint(1, 4)):
            changed[generator.randrange(len(changed))] = generator.choice([0, 1, 127, 128, 255])
        require_handled(bytes(changed[: generator.choice([len(changed), len(changed) - 9])]), tmp_path)


def test_a_long_chain_and_a_wide_constant(tmp_path: Path) -> None:
    chain = [helper.make_node("Neg", [f"v{at}" if at else "x"], [f"v{at + 1}"]) for at in range(30_000)]
    assert not require_handled(model(chain, {}, outputs_=("v30000",)).SerializeToString(), tmp_path)
    column = np.arange(1000, dtype=np.int64)
    outer = [helper.make_node("Unsqueeze", ["i", "one"], ["c"]), helper.make_node("Add", ["c", "i"], ["g"])]
    outer += [helper.make_node("Expand", ["g", "far"], ["e"]), helper.make_node("Reshape", ["x", "e"], ["y"])]
    tensors = {"i": column, "one": np.array([1]), "far": np.array([1 << 20, 1000, 1000])}
    assert not require_handled(model(outer, tensors).SerializeToString(), tmp_path)


def test_many_large_values(tmp_path: Path) -> None:
    nodes = [helper.make_node("Tile", ["x", "far"], [f"t{at}"]) for at in range(40)]
    nodes.append(helper.make_node("Sum", [f"t{at}" for at in range(40)], ["y"]))
    proto = model(nodes, {"far": np.array([1, 1000, 1000, 1])})
    assert not require_handled(proto.SerializeToString(), tmp_path)


def test_many_tensors_in_the_same_bytes_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(1 << 24))
    tensors = [f"t{number}" for number in range(400)]
    joined = helper.make_node("Concat", tensors, ["z"], axis=0)
    proto = model([joined, helper.make_node("Relu", ["z"], ["y"])], {})
    for number in range(400):
        tensor = proto.graph.initializer.add(name=f"t{number}", data_type=TensorProto.FLOAT, dims=[1 << 22])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="w.bin")
    assert not require_handled(proto.SerializeToString(), tmp_path)
