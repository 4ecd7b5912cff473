"""ONNX files: operators as other runtimes compute them, in every opset; strangers' files refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import ModelError
from pi_bench.network.graph import ReluNode
from pi_bench.network.graph.float_run import outputs

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import helper
from onnx.reference import ReferenceEvaluator

from pi_bench.network.interchange.onnx_file import OPSETS
from pi_bench.network.interchange.source import read_file
from tests.onnx_models import (
    GENERATOR,
    INPUT,
    answer,
    exported,
    external,
    model,
    shape_arithmetic,
    values,
)

pytestmark = pytest.mark.filterwarnings("ignore:.* do not hold a fidelity")
"""These tests are of the import, not of fidelity, which depends on the inputs that were drawn before."""


def by_opset(opset: int) -> tuple[list[Any], dict[str, np.ndarray]]:
    """Operands that changed with the opsets: axes, bounds and pads as attributes, later as inputs."""
    node = helper.make_node
    test = {"is_test": 1} if opset < 7 else {}
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
        node(
            "BatchNormalization",
            ["a", "bn.scale", "bn.bias", "bn.mean", "bn.var"],
            ["b"],
            epsilon=1e-3,
            **test,
        ),
        node("Clip", ["b"], ["c"], min=0.0) if opset < 11 else node("Clip", ["b", "low", "high"], ["c"]),
        node("Dropout", ["c"], ["d"], ratio=0.5, **test)
        if opset < 12
        else node("Dropout", ["c", "ratio"], ["d"]),
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
    nodes, tensors = by_opset(opset)
    proto, x = model(nodes, tensors, opset=opset), GENERATOR.normal(size=INPUT).astype(np.float32)
    onnx.save(proto, tmp_path / "network.onnx")
    if opset < 7:  # which onnxruntime has forgotten
        proto = model(by_opset(7)[0], tensors, opset=7)
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


def test_weights_in_a_file_beside_the_model(tmp_path: Path) -> None:
    inputs = GENERATOR.normal(size=(3, *INPUT[1:])).astype(np.float32)
    form = shape_arithmetic()
    inside = exported(model(*form), tmp_path, inputs)
    path = external(tmp_path, "weights.bin", form)
    outside = pi_bench.export(path, None, tmp_path / "m.pt", calibration=inputs)
    np.testing.assert_array_equal(outputs(outside, inputs), outputs(inside, inputs))
