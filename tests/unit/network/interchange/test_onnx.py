"""ONNX files: operators as other runtimes compute them, in every opset; strangers' files refused."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import ModelError
from pi_bench.network.graph import ReluNode
from pi_bench.network.graph_float import outputs

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from pi_bench.network.interchange.onnx_file import OPSETS  # noqa: E402
from pi_bench.network.interchange.source import read_file  # noqa: E402

GENERATOR = np.random.default_rng(2)
INPUT = (1, 2, 6, 5)
Nodes = Sequence[Any]


def values(*shape: int) -> np.ndarray:
    return (GENERATOR.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def model(
    nodes: Nodes,
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
    try:
        import onnxruntime
    except ImportError:
        if proto.opset_import[0].version < 14:
            pytest.skip("onnxruntime is not installed")
        found: np.ndarray = ReferenceEvaluator(proto).run(None, {"x": x})[0]
        return found
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
    graph = pi_bench.export(folder / "network.onnx", None, folder / "m.pt", calibration=inputs)
    expected = np.concatenate([answer(proto, sample[None]) for sample in inputs])
    np.testing.assert_allclose(outputs(graph, inputs), expected, rtol=1e-4, atol=1e-5)
    return graph


def by_opset(opset: int) -> tuple[list[Any], dict[str, np.ndarray]]:
    """What changed its form over the opsets: axes, bounds and pads as attributes, later as inputs."""
    node = helper.make_node
    tensors = {
        "stem.weight": values(4, 2, 3, 3),
        "stem.bias": values(4),
        "bn.scale": 1 + values(4),
        "bn.bias": values(4),
        "bn.mean": values(4),
        "bn.var": 1 + values(4) ** 2,
        "head.weight": values(3, 4),
        "head.bias": values(3),
        "low": np.array(0, np.float32),
        "high": np.array(1e38, np.float32),
        "axes": np.array([2, 3], np.int64),
        "ratio": np.array(0.5, np.float32),
    }
    nodes = [
        node("Conv", ["x", "stem.weight", "stem.bias"], ["a"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        node("BatchNormalization", ["a", "bn.scale", "bn.bias", "bn.mean", "bn.var"], ["b"], epsilon=1e-3),
        node("Clip", ["b"], ["c"], min=0.0) if opset < 11 else node("Clip", ["b", "low", "high"], ["c"]),
        node("Dropout", ["c"], ["d"], ratio=0.5) if opset < 12 else node("Dropout", ["c", "ratio"], ["d"]),
    ]
    if opset < 18:
        nodes.append(node("ReduceMean", ["d"], ["e"], axes=[2, 3], keepdims=1))
    else:
        nodes.append(node("ReduceMean", ["d", "axes"], ["e"], keepdims=1))
    if opset < 13:
        nodes.append(node("Squeeze", ["e"], ["f"], axes=[2, 3]))
    else:
        nodes.append(node("Squeeze", ["e", "axes"], ["f"]))
    nodes.append(node("Gemm", ["f", "head.weight", "head.bias"], ["y"], transB=1, alpha=0.5, beta=2.0))
    return nodes, tensors


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset(opset: int, tmp_path: Path) -> None:
    proto, x = model(*by_opset(opset), opset=opset), GENERATOR.normal(size=INPUT).astype(np.float32)
    onnx.save(proto, tmp_path / "network.onnx")
    with torch.no_grad():
        found = read_file(tmp_path / "network.onnx")(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, answer(proto, x), rtol=1e-4, atol=1e-5)


def test_names_are_those_of_the_weights(tmp_path: Path) -> None:
    graph = exported(model(*by_opset(17)), tmp_path)
    names = [node.name for node in graph.nodes]
    assert names[:3] == ["input", "stem", "bn"] and names[-2:] == ["head", "output"]
    assert graph.relu_count == 4 * 6 * 5 and graph.meta["name"] == "network"


def test_the_two_oracles_agree() -> None:
    proto, x = model(*by_opset(17)), GENERATOR.normal(size=INPUT).astype(np.float32)
    np.testing.assert_allclose(answer(proto, x), ReferenceEvaluator(proto).run(None, {"x": x})[0], atol=1e-5)


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


def masked(*, where: bool) -> tuple[list[Any], dict[str, np.ndarray]]:
    node = helper.make_node
    mask = (np.arange(60).reshape(INPUT) % 3 == 0).astype(np.float32)
    head = [
        node("Conv", ["x", "c.weight"], ["a"], group=1, name="/block/c/Conv"),
        node("Relu", ["a"], ["r"], name="/block/act/Relu"),
    ]
    if where:
        tensors = {"keep": mask.astype(bool)}
        tail = [node("Where", ["keep", "r", "a"], ["y"], name="/block/act/Where")]
    else:
        tensors = {"mask": mask, "one": np.array([1], np.float32)}
        tail = [
            node("Mul", ["mask", "r"], ["m"]),
            node("Sub", ["one", "mask"], ["n"]),
            node("Mul", ["n", "a"], ["l"]),
            node("Add", ["m", "l"], ["y"], name="/block/act/Add"),
        ]
    return [*head, *tail], {"c.weight": values(2, 2, 1, 1), **tensors}


def pooled() -> tuple[list[Any], dict[str, np.ndarray]]:
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w"], ["a"], auto_pad="SAME_UPPER", strides=[1, 1], kernel_shape=[3, 3]),
        node("Identity", ["a"], ["i"]),
        node("AveragePool", ["i"], ["p"], kernel_shape=[2, 2], strides=[2, 1], count_include_pad=1),
        node("Relu", ["p"], ["r"]),
        node("Conv", ["r", "v"], ["c"], strides=[2, 2], pads=[1, 0, 1, 0]),
        node("Sum", ["c", "c"], ["s"]),
        node("GlobalAveragePool", ["s"], ["g"]),
        node("Flatten", ["g"], ["y"]),
    ]
    return nodes, {"w": values(3, 2, 3, 3), "v": values(4, 3, 3, 3)}


def moved() -> tuple[list[Any], dict[str, np.ndarray]]:
    """Every way of taking tensors apart and putting them together."""
    node = helper.make_node
    nodes = [
        node("Split", ["x", "sizes"], ["left", "right"], axis=1),
        node("Concat", ["right", "left", "x"], ["joined"], axis=1),
        node("Pad", ["joined", "pads"], ["padded"]),
        node("Slice", ["padded", "starts", "ends", "axes"], ["cut"]),
        node("Conv", ["cut", "grouped"], ["g"], group=2, dilations=[2, 1], pads=[0, 1, 2, 1]),
        node("Relu", ["g"], ["r"]),
        node("ReduceMean", ["r"], ["m"], axes=[2, 3], keepdims=0),
        node("Unsqueeze", ["m", "last"], ["u"]),
        node("Flatten", ["u"], ["y"]),
    ]
    tensors = {
        "sizes": np.array([1, 1], np.int64),
        "pads": np.array([0, 0, 1, 0, 0, 0, 0, 2], np.int64),
        "starts": np.array([1, -6], np.int64),
        "ends": np.array([1 << 40, -1], np.int64),
        "axes": np.array([2, 3], np.int64),
        "last": np.array([2, 3], np.int64),
        "grouped": values(4, 2, 3, 3),
    }
    return nodes, tensors


def activated() -> tuple[list[Any], dict[str, np.ndarray]]:
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("LeakyRelu", ["a"], ["l"], alpha=0.125),
        node("Conv", ["l", "v"], ["b"]),
        node("PRelu", ["b", "slopes"], ["p"]),
        node("Clip", ["p", "zero", "six"], ["c"]),
        node("MaxPool", ["c"], ["m"], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 0]),
        node("AveragePool", ["m"], ["g"], kernel_shape=[2, 2], pads=[1, 1, 1, 1], count_include_pad=0),
        node("Mul", ["g", "gain"], ["s"]),
        node("GlobalMaxPool", ["s"], ["t"]),
        node("Flatten", ["t"], ["y"]),
    ]
    tensors = {
        "w": values(3, 2, 1, 1),
        "v": 4 * values(3, 3, 1, 1),
        "slopes": np.array([0.5, 0.25, 0], np.float32).reshape(3, 1, 1),
        "zero": np.array(0, np.float32),
        "six": np.array(6, np.float32),
        "gain": np.array([0.5, 2, 1], np.float32).reshape(1, 3, 1, 1),
    }
    return nodes, tensors


FORMS = {
    "moved": moved(),
    "activated": activated(),
    "shape_arithmetic": shape_arithmetic(),
    "masked": masked(where=False),
    "masked_by_where": masked(where=True),
    "pooled": pooled(),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_that_exporters_write(form: str, tmp_path: Path) -> None:
    graph = exported(model(*FORMS[form]), tmp_path)
    if form.startswith("masked"):
        (relu,) = (node for node in graph.nodes if isinstance(node, ReluNode))
        assert relu.name.startswith("block.act") and graph.relu_count == 20


def test_names_are_what_the_exporter_notes(tmp_path: Path) -> None:
    nodes, tensors = masked(where=False)
    places = ["a.conv", "a.act", *["a.masked"] * 4]
    for node, place in zip(nodes, places, strict=True):
        node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=f"['', 'a', '{place}', 'op']")
        kind = "torch.nn.modules.activation.ReLU" if place == "a.act" else "users.Masked"
        node.metadata_props.add(
            key="pkg.torch.onnx.class_hierarchy", value=f"['users.Network', 'users.A', '{kind}', 'aten.op']"
        )
    graph = exported(model(nodes, tensors), tmp_path)
    assert [node.name for node in graph.nodes] == ["input", "c", "a.masked.masked_relu", "output"]


def test_what_torch_writes(tmp_path: Path) -> None:
    import warnings

    nn = torch.nn
    inner = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    module = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), inner, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module, (torch.zeros(INPUT),), str(tmp_path / "t.onnx"), dynamo=False, input_names=["x"]
            )
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
        pytest.skip(f"this torch does not write ONNX by itself: {error}")
    inputs = torch.randn(3, *INPUT[1:], generator=torch.Generator().manual_seed(0))
    graph = pi_bench.export(tmp_path / "t.onnx", None, tmp_path / "m.pt", calibration=inputs)
    with torch.no_grad():
        np.testing.assert_allclose(outputs(graph, inputs.numpy()), module(inputs).numpy(), atol=1e-5)


def test_open_sizes_are_those_of_the_calibration(tmp_path: Path) -> None:
    proto = model(*pooled(), shape=["batch", 2, "height", "width"])
    graph = exported(proto, tmp_path, GENERATOR.normal(size=(2, 2, 8, 7)).astype(np.float32))
    assert graph.input.shape == (2, 8, 7)
    with pytest.raises(ModelError, match="leaves sizes of its input open"):
        calibration = np.zeros((2, 3), np.float32)
        pi_bench.export(tmp_path / "network.onnx", None, tmp_path / "m.pt", calibration=calibration)


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


def test_weights_in_a_file_beside_the_model(tmp_path: Path) -> None:
    inputs = GENERATOR.normal(size=(3, *INPUT[1:])).astype(np.float32)
    form = shape_arithmetic()
    inside = exported(model(*form), tmp_path, inputs)
    path = external(tmp_path, "weights.bin", form)
    outside = pi_bench.export(path, None, tmp_path / "m.pt", calibration=inputs)
    np.testing.assert_array_equal(outputs(outside, inputs), outputs(inside, inputs))


def test_external_data_reaches_no_other_file(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(8 + 60 * 3 * 4))
    os.symlink(tmp_path / "secret.bin", folder / "link.bin")
    os.mkfifo(folder / "pipe.bin")
    (folder / "folder").mkdir()
    for location, entries, message in [
        ("../secret.bin", {}, "only a file beside the model"),
        (str(tmp_path / "secret.bin"), {}, "only a file beside the model"),
        ("..", {}, "only a file beside the model"),
        ("", {}, "only a file beside the model"),
        ("folder/../../secret.bin", {}, "only a file beside the model"),
        ("link.bin", {}, "cannot be read"),
        ("pipe.bin", {}, "does not hold tensor 'w'"),
        ("folder", {}, "cannot be read|does not hold"),
        ("none.bin", {}, "none.bin, which cannot be read: No such file.*one folder"),
        ("weights.bin", {"length": 4}, "takes 720 bytes, not 4"),
        ("weights.bin", {"offset": -4}, "takes 720 bytes"),
        ("weights.bin", {"offset": 1 << 40}, "does not hold tensor 'w'"),
    ]:
        with pytest.raises(ModelError, match=message) as caught:
            read_file(external(folder, location, **entries))
        assert "\n" not in str(caught.value)


def one(operator: str, *names: str, **attributes: Any) -> list[Any]:
    return [helper.make_node(operator, ["x", *names], ["y"], name="n", **attributes)]


def conditional() -> list[Any]:
    branch = helper.make_graph([], "branch", [], [])
    return [helper.make_node("If", ["x"], ["y"], name="n", then_branch=branch, else_branch=branch)]


REFUSED: dict[str, tuple[Any, str]] = {
    "control_flow": (model(conditional(), {}), "If .'n'. is control flow"),
    "unknown": (model(one("GRU", "w"), {"w": values(2, 2)}), "operator GRU .'n'. cannot be lowered"),
    "activation": (model(one("Sigmoid"), {}), "sigmoid.* in module 'n' cannot be lowered: use torch.nn.ReLU"),
    "domain": (
        model([helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")], {}),
        "com.microsoft.Gelu .* not one of ONNX's own",
    ),
    "old": (model(one("Relu"), {}, opset=8), "opset 8; 9 to 25 are read"),
    "new": (model(one("Relu"), {}, opset=26), "opset 26; 9 to 25 are read"),
    "integers": (model(one("Relu"), {}, dtype=TensorProto.INT64), "not float32"),
    "complex": (model(one("Relu"), {}, dtype=TensorProto.COMPLEX64), "not float32"),
    "outputs": (model(one("Relu"), {}, outputs_=("y", "y")), "1 inputs and 2 outputs"),
    "inputs": (model(one("Add", "z"), {}), "reads 'z', which nothing makes"),
    "attribute": (model(one("Relu", fast=1), {}), "attribute 'fast' is not supported"),
    "training": (
        model(
            one("BatchNormalization", *"abcd", training_mode=1),
            {name: 1 + values(2) ** 2 for name in "abcd"},
        ),
        "export in evaluation",
    ),
    "one_dimension": (
        model(one("Conv", "w"), {"w": values(3, 2, 3)}, shape=(1, 2, 9)),
        "only two-dimensional|inputs? .*shape",
    ),
    "memory": (model(one("Expand", "s"), {"s": np.array([1 << 40, 2, 6, 5])}), "too many for a network"),
    "random": (model([helper.make_node("RandomNormal", [], ["y"], shape=[2])], {}), "RandomNormal"),
    "made_by_nothing": (model([helper.make_node("Relu", ["x"], ["z"])], {}), "'y' is made by no operator"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_networks_here_do_not_have_is_refused(case: str, tmp_path: Path) -> None:
    proto, message = REFUSED[case]
    (tmp_path / "network.onnx").write_bytes(proto.SerializeToString())
    calibration = np.zeros((1, 2, 9) if case == "one_dimension" else INPUT, np.float32)
    with pytest.raises(ModelError, match=message) as caught:
        pi_bench.export(tmp_path / "network.onnx", None, tmp_path / "m.pt", calibration=calibration)
    assert "\n" not in str(caught.value)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    proto = model(*shape_arithmetic())
    whole = proto.SerializeToString()
    short = onnx.ModelProto()
    short.CopyFrom(proto)
    short.graph.initializer[3].raw_data = b"1234"
    for content, message in [
        (whole[: len(whole) // 2], "truncated or damaged"),
        (b"\x08\x08:\xff\xff\xff", "truncated or damaged"),
        (b"", "not an ONNX model"),
        (short.SerializeToString(), r"tensor 'w' does not hold \(60, 3\) numbers"),
    ]:
        (tmp_path / "network.onnx").write_bytes(content)
        with pytest.raises(ModelError, match=message):
            read_file(tmp_path / "network.onnx")
