"""Each spelling of an operator that exporters write, compared with another runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import ModelError
from pi_bench.network.graph import ClampNode, ConvNode, ReluNode

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper

from pi_bench.network.interchange.source import read_file
from tests.onnx_models import GENERATOR, INPUT, answer, exported, model, values
from tests.oracles import oracle

pytestmark = pytest.mark.filterwarnings("ignore:.* do not hold a fidelity")
"""These tests are of the import, not of fidelity, which depends on the inputs that were drawn before."""

node = helper.make_node
MAP = (1, 4, 6, 6)
TENSORS: dict[str, np.ndarray] = {
    "k": values(4, 4, 3, 3),
    "t": values(4, 3, 3, 2),
    "six": np.float32(6),
    "lo": np.float32(-0.25),
    "hi": np.float32(0.5),
    "half": np.float32([0.5]),
    "m": values(6, 5),
    "left": values(3, 6),
    "bias": values(5),
    "v": values(6),
    "pads": np.array([0, 0, 1, 2, 0, 0, 2, 1], np.int64),
    "cuts": np.array([0, 1, -1, 2, 0, 0, 2, -1], np.int64),
    "two": np.float32([1, 1, 2, 2]),
    "odd": np.float32([1, 1, 1.5, 0.5]),
    "sizes": np.array([1, 4, 9, 3], np.int64),
    "picks": np.array([3, 0, 0, -1], np.int64),
    "grid": np.array([[2, 1], [0, 3]], np.int64),
    "end": np.array([-(2**40)], np.int64),
    "start": np.array([-1], np.int64),
    "axis1": np.array([1], np.int64),
    "axis3": np.array([3], np.int64),
    "axes": np.array([1, 3], np.int64),
    "back": np.array([-1], np.int64),
    "copies": np.array([1, 2, 1, 3], np.int64),
    "wide": np.array([1, 4, 6, 6], np.int64),
    "ones": np.ones((4, 1, 1), np.float32),
    "zeros": np.zeros((1, 2, 6, 6), np.float32),
    "line": np.array([0, 4, -1], np.int64),
    "k1": values(6, 2, 3),
    "t1": values(4, 3, 4),
    "six1": values(6),
    "spread": np.exp(values(6)),
    "twice": np.float32([1, 1, 2]),
    "some": np.float32([1, 1, 1.5]),
    "pads1": np.array([0, 0, 2, 0, 0, 1], np.int64),
}
L = node("Reshape", ["x", "line"], ["l"])
C = node("Conv", ["x", "k"], ["c"], pads=[1, 1, 1, 1])

FORMS: dict[str, tuple[int, list[Any]]] = {
    "relu6 of min": (18, [C, node("Relu", ["c"], ["r"]), node("Min", ["r", "six"], ["y"])]),
    "min and max": (13, [C, node("Max", ["lo", "c"], ["a"]), node("Min", ["a", "hi"], ["y"])]),
    "min of three": (13, [C, node("Relu", ["c"], ["r"]), node("Min", ["c", "hi", "r"], ["y"])]),
    "max of two": (13, [C, node("Max", ["c", "x"], ["y"])]),
    "mean of two": (13, [C, node("Mean", ["c", "x"], ["y"])]),
    "clip above": (11, [C, node("Clip", ["c", "", "hi"], ["y"])]),
    "clip with a bound of one element": (13, [C, node("Clip", ["c", "", "half"], ["y"])]),
    "clip below, by attribute": (6, [C, node("Clip", ["c"], ["y"], min=-0.25)]),
    "hard sigmoid": (13, [C, node("HardSigmoid", ["c"], ["y"], alpha=0.5, beta=0.25)]),
    "split by outputs": (11, [node("Split", ["x"], ["a", "b"], axis=1), node("Add", ["a", "b"], ["y"])]),
    "split by number": (
        18,
        [
            node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2),
            node("Concat", ["b", "a"], ["y"], axis=1),
        ],
    ),
    **{
        f"{pool} {pad} {stride}": (
            11,
            [node(pool, ["x"], ["y"], kernel_shape=[3, 2], strides=stride, auto_pad=pad)],
        )
        for pool in ("MaxPool", "AveragePool")
        for pad in ("SAME_UPPER", "SAME_LOWER", "VALID")
        for stride in ([2, 2], [1, 2])
    },
    "conv same lower": (11, [node("Conv", ["x", "k"], ["y"], auto_pad="SAME_LOWER", strides=[2, 2])]),
    "max-pool with large pads": (
        13,
        [node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[2, 0, 1, 2])],
    ),
    "max-pool, ceil": (
        13,
        [node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 1, 0], ceil_mode=1)],
    ),
    **{
        f"pad {mode}": (18, [node("Pad", ["x", "pads"], ["y"], mode=mode)])
        for mode in ("reflect", "edge", "constant")
    },
    "pad wrap": (19, [node("Pad", ["x", "pads"], ["y"], mode="wrap")]),
    "pad with a number": (13, [node("Pad", ["x", "cuts", "half0"], ["y"])]),
    "pad of old": (9, [node("Pad", ["x"], ["y"], pads=[0, 0, 1, 0, 0, 1, 0, 2], value=0.5)]),
    "resize nearest": (13, [node("Resize", ["x", "", "two"], ["y"], mode="nearest")]),
    "resize nearest, floor": (
        13,
        [
            node(
                *("Resize", ["x", "", "two"], ["y"]),
                mode="nearest",
                nearest_mode="floor",
                coordinate_transformation_mode="asymmetric",
            )
        ],
    ),
    "resize to sizes": (13, [node("Resize", ["x", "", "", "sizes"], ["y"], mode="nearest")]),
    "resize linear": (13, [node("Resize", ["x", "", "two"], ["y"], mode="linear")]),
    "resize linear, odd": (13, [node("Resize", ["x", "", "odd"], ["y"], mode="linear")]),
    "resize corners": (
        13,
        [
            node(
                *("Resize", ["x", "", "", "sizes"], ["y"]),
                mode="linear",
                coordinate_transformation_mode="align_corners",
            )
        ],
    ),
    "resize of 10": (10, [node("Resize", ["x", "two"], ["y"], mode="nearest")]),
    "upsample": (9, [node("Upsample", ["x", "two"], ["y"], mode="nearest")]),
    "upsample linear": (9, [node("Upsample", ["x", "two"], ["y"], mode="linear")]),
    "upsample of 7": (7, [node("Upsample", ["x"], ["y"], mode="nearest", scales=[1.0, 1.0, 2.0, 3.0])]),
    "depth to space": (11, [node("DepthToSpace", ["x"], ["y"], blocksize=2)]),
    "depth to space, columns first": (11, [node("DepthToSpace", ["x"], ["y"], blocksize=2, mode="CRD")]),
    "space to depth": (11, [node("SpaceToDepth", ["x"], ["y"], blocksize=3)]),
    **{
        f"{kind} over {axes}": (11, [node(kind, ["x"], ["y"], axes=axes, keepdims=keep)])
        for kind in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin")
        for axes, keep in (([1], 1), ([-1], 0), ([3, 1], 0), ([1, 2, 3], 1))
    },
    "mean over axes of 18": (18, [node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)]),
    "matrix on the right": (13, [node("MatMul", ["x", "m"], ["y"])]),
    "matrix on the left": (13, [node("MatMul", ["left", "x"], ["y"])]),
    "vector": (13, [node("MatMul", ["x", "v"], ["y"])]),
    "transposed convolution": (
        11,
        [node("ConvTranspose", ["x", "t"], ["y"], strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 2])],
    ),
    "transposed convolution, same": (
        11,
        [node("ConvTranspose", ["x", "t"], ["y"], strides=[2, 2], auto_pad="SAME_UPPER")],
    ),
    "transposed convolution to a shape": (
        11,
        [node("ConvTranspose", ["x", "t"], ["y"], strides=[2, 2], output_shape=[12, 13])],
    ),
    "line of convolution, norm and pool": (
        15,
        [
            L,
            node("Conv", ["l", "k1", "six1"], ["c"], group=2, strides=[2], pads=[2, 1], dilations=[2]),
            node("BatchNormalization", ["c", "six1", "six1", "six1", "spread"], ["b"]),
            node("Relu", ["b"], ["r"]),
            node("MaxPool", ["r"], ["y"], kernel_shape=[3], strides=[2], pads=[1, 1], ceil_mode=1),
        ],
    ),
    "line, same": (13, [L, node("Conv", ["l", "k1"], ["y"], group=2, strides=[2], auto_pad="SAME_UPPER")]),
    "line, average": (13, [L, node("AveragePool", ["l"], ["y"], kernel_shape=[3], pads=[0, 1])]),
    "line, average of all": (13, [L, node("GlobalAveragePool", ["l"], ["y"])]),
    "line, transposed": (
        13,
        [L, node("ConvTranspose", ["l", "t1"], ["y"], strides=[2], pads=[1, 0], output_padding=[1])],
    ),
    "line, transposed to a shape": (
        13,
        [L, node("ConvTranspose", ["l", "t1"], ["y"], strides=[2], output_shape=[73])],
    ),
    "line, padded": (13, [L, node("Pad", ["l", "pads1"], ["y"], mode="reflect")]),
    "line, nearest": (13, [L, node("Resize", ["l", "", "twice"], ["y"], mode="nearest")]),
    "line, linear": (13, [L, node("Resize", ["l", "", "twice"], ["y"], mode="linear")]),
    "line, linear to odd": (13, [L, node("Resize", ["l", "", "some"], ["y"], mode="linear")]),
    "max-pool, dilated": (
        13,
        [node("MaxPool", ["x"], ["y"], kernel_shape=[3, 2], dilations=[2, 3], pads=[1, 0, 2, 1])],
    ),
    "max-pool, dilated, ceil": (
        13,
        [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], dilations=[2, 3], strides=[2, 2], ceil_mode=1)],
    ),
    "average, dilated": (
        19,
        [
            node(
                *("AveragePool", ["x"], ["y"]),
                kernel_shape=[2, 3],
                dilations=[3, 1],
                strides=[1, 2],
                pads=[1, 0, 0, 1],
                count_include_pad=1,
            )
        ],
    ),
    "flip": (13, [node("Slice", ["x", "start", "end", "axis3", "back"], ["y"])]),
    "gather": (13, [node("Gather", ["x", "picks"], ["y"], axis=1)]),
    "gather of rows": (13, [node("Gather", ["x", "picks"], ["y"], axis=2)]),
    "gather of a grid": (13, [node("Gather", ["x", "grid"], ["y"], axis=1)]),
    "tile": (13, [node("Tile", ["x", "copies"], ["y"])]),
    "expand": (
        13,
        [
            node("ReduceMean", ["x"], ["g"], axes=[2, 3]),
            node("Expand", ["g", "wide"], ["e"]),
            node("Add", ["e", "x"], ["y"]),
        ],
    ),
    "zeros joined": (13, [node("Concat", ["x", "zeros"], ["y"], axis=1)]),
    "flatten, negative": (13, [node("Flatten", ["x"], ["y"], axis=-3)]),
    "opset 6 broadcast": (
        6,
        [
            node("Constant", [], ["s"], value=numpy_helper.from_array(values(4))),
            node("Mul", ["x", "s"], ["y"], broadcast=1, axis=1),
        ],
    ),
}


def network(opset: int, nodes: list[Any], **options: Any) -> Any:
    read = {name for each in nodes for name in each.input}
    tensors = {**TENSORS, "half0": np.float32(0.5)}
    return model(
        nodes,
        {name: tensors[name] for name in sorted(read & tensors.keys())},
        opset=opset,
        shape=MAP,
        **options,
    )


def inputs() -> np.ndarray:
    found: np.ndarray = GENERATOR.normal(size=(3, *MAP[1:])).astype(np.float32)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_equals_another_runtime(form: str, tmp_path: Path) -> None:
    opset, nodes = FORMS[form]
    if opset == 6 and form.startswith("opset"):  # which onnxruntime has forgotten
        onnx.save(network(opset, nodes), tmp_path / "network.onnx")
        x, scale = inputs(), numpy_helper.to_array(nodes[0].attribute[0].t)
        found = read_file(tmp_path / "network.onnx")(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(found, x * scale[:, None, None], rtol=1e-5)
        return
    exported(network(opset, nodes), tmp_path, inputs())


def test_a_clamp_costs_one_activation(tmp_path: Path) -> None:
    graph = exported(network(*FORMS["relu6 of min"]), tmp_path, inputs())
    activations = [each for each in graph.nodes if isinstance(each, ClampNode | ReluNode)]
    assert [(each.low, each.high) for each in activations if isinstance(each, ClampNode)] == [(0.0, 6.0)]
    assert len(activations) == 1


def test_bilinear_by_two_has_no_weights(tmp_path: Path) -> None:
    graph = exported(network(*FORMS["resize linear"]), tmp_path, inputs())
    assert not any(isinstance(each, ConvNode) for each in graph.nodes)


CONSTANTS = {
    "value": {"value": numpy_helper.from_array(np.float32([0.5, -1, 2, 1]).reshape(4, 1, 1))},
    "value_float": {"value_float": 0.5},
    "value_int": {"value_int": 3},
    "sparse": {
        "sparse_value": helper.make_sparse_tensor(
            helper.make_tensor("v", TensorProto.FLOAT, [2], [2.0, -1.0]),
            helper.make_tensor("i", TensorProto.INT64, [2], [0, 3]),
            [4],
        )
    },
    "value_floats": {"value_floats": [0.5, -1.0, 2.0, 1.0]},
    "value_ints": {"value_ints": [1, -1, 2, 1]},
}


@pytest.mark.parametrize("form", CONSTANTS)
def test_constants_in_every_form(form: str, tmp_path: Path) -> None:
    if form == "sparse":
        oracle("onnxruntime")  # the reference of the onnx package has no sparse constants
    nodes = [
        node("Constant", [], ["s"], **CONSTANTS[form]),
        node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
        node("Constant", [], ["shape"], value_ints=[-1, 1, 1]),
        node("Reshape", ["f", "shape"], ["column"]),
        node("Mul", ["x", "column"], ["y"]),
    ]
    exported(network(18, nodes), tmp_path, inputs())


ENDS = {
    "softmax": [node("Softmax", ["z"], ["y"], axis=1)],
    "log_softmax": [node("LogSoftmax", ["z"], ["y"], axis=1)],
    "sigmoid": [node("Sigmoid", ["z"], ["y"])],
    "argmax": [node("ArgMax", ["z"], ["a"], axis=1), node("Cast", ["a"], ["y"], to=TensorProto.INT32)],
    "softmax, then a class": [node("Softmax", ["z"], ["p"], axis=1), node("ArgMax", ["p"], ["y"], axis=1)],
    "softmax, then a reshape": [
        node("Softmax", ["z"], ["p"], axis=1),
        node("Reshape", ["p", "wide5"], ["y"]),
    ],
}


@pytest.mark.parametrize("end", ENDS)
def test_the_last_step_is_left_to_the_client(end: str, tmp_path: Path) -> None:
    head = [node("ReduceMean", ["x"], ["g"], axes=[2], keepdims=0), node("Flatten", ["g"], ["f"])]
    tensors = {"w": values(24, 5), "wide5": np.array([-1, 5], np.int64)}
    nodes = [*head, node("MatMul", ["f", "w"], ["z"]), *ENDS[end]]
    onnx.save(model(nodes, tensors, shape=MAP), tmp_path / "network.onnx")
    x = inputs()
    graph = pi_bench.export(tmp_path / "network.onnx", None, tmp_path / "m.pt", calibration=x)
    logits = x.mean(axis=2).reshape(3, -1) @ tensors["w"]
    np.testing.assert_allclose(pi_bench_outputs(graph, x), logits, rtol=1e-4, atol=1e-5)
    assert [step["operator"] for step in graph.meta["left_to_client"]]


def pi_bench_outputs(graph: Any, x: np.ndarray) -> np.ndarray:
    from pi_bench.network.graph.float_run import outputs

    return outputs(graph, x)


def test_outputs_that_are_functions_of_the_same_logits(tmp_path: Path) -> None:
    nodes = [node("ReduceMean", ["x"], ["z"], axes=[2, 3], keepdims=0), node("Softmax", ["z"], ["p"])]
    nodes.append(node("ArgMax", ["p"], ["label"], axis=1))
    onnx.save(model(nodes, {}, shape=MAP, outputs_=("label", "p", "z")), tmp_path / "network.onnx")
    x = inputs()
    graph = pi_bench.export(tmp_path / "network.onnx", None, tmp_path / "m.pt", calibration=x)
    np.testing.assert_allclose(pi_bench_outputs(graph, x), x.mean(axis=(2, 3)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE])
def test_weights_of_other_floats(dtype: int, tmp_path: Path) -> None:
    """Half-precision weights that are cast, as mixed files have them, and whole files of them."""
    weight = values(4, 4, 1, 1)
    stored = helper.make_tensor("k", dtype, weight.shape, weight.reshape(-1).tolist())
    nodes = [node("Cast", ["k"], ["w"], to=TensorProto.FLOAT), node("Conv", ["x", "w"], ["y"])]
    proto = model(nodes, {}, shape=MAP)
    proto.graph.initializer.append(stored)
    exported(proto, tmp_path, inputs())
    if dtype == TensorProto.FLOAT16:
        whole = model([node("Conv", ["x", "k"], ["y"])], {}, shape=MAP, dtype=dtype)
        whole.graph.initializer.append(stored)
        onnx.save(whole, tmp_path / "half.onnx")
        graph = pi_bench.export(tmp_path / "half.onnx", None, tmp_path / "h.pt", calibration=inputs())
        assert graph.output.shape == (4, 6, 6)


def test_external_data_in_a_file_of_an_odd_name(tmp_path: Path) -> None:
    proto = network(13, [C, node("Relu", ["c"], ["y"])])
    for name in ("weights (1), v2+final=größe.bin", "-rf", "a;b&c$d", ".data"):
        folder = tmp_path / name
        folder.mkdir()
        copy = onnx.ModelProto()
        copy.CopyFrom(proto)
        path = folder / "my net #1.onnx"
        onnx.save(copy, path, save_as_external_data=True, location=name, size_threshold=0)
        graph = pi_bench.export(path, None, folder / "m.pt", calibration=inputs())
        x = inputs()[:1]
        np.testing.assert_allclose(pi_bench_outputs(graph, x), answer(proto, x), rtol=1e-4, atol=1e-5)


def test_a_file_that_another_runtime_reads_differently_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    oracle("onnxruntime")
    from pi_bench.network.interchange import onnx_operators

    proto = model([node("Relu", ["x"], ["y"])], {})
    onnx.save(proto, tmp_path / "network.onnx")
    x = GENERATOR.normal(size=INPUT).astype(np.float32)
    graph = pi_bench.export(tmp_path / "network.onnx", None, tmp_path / "m.pt", calibration=x)
    assert graph.meta["compared_with"].startswith("onnxruntime ")
    monkeypatch.setitem(onnx_operators.OPERATORS, "Relu", lambda i, a: torch.relu(i[0]) * 1.01)
    with pytest.raises(ModelError, match=r"differs from onnxruntime's answers by 1\.0e-02"):
        pi_bench.export(tmp_path / "network.onnx", None, tmp_path / "m.pt", calibration=x)
