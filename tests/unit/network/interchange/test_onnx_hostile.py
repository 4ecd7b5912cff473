"""ONNX files of strangers: external data stays in its folder, and operators of no network are refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import ModelError

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper

from pi_bench.network.interchange.source import read_file
from tests.onnx_models import INPUT, external, model, shape_arithmetic, values


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


def two_outputs() -> list[Any]:
    return [*one("Relu"), helper.make_node("Neg", ["x"], ["z"])]


def conditional() -> list[Any]:
    branch = helper.make_graph([], "branch", [], [])
    return [helper.make_node("If", ["x"], ["y"], name="n", then_branch=branch, else_branch=branch)]


REFUSED: dict[str, tuple[Any, str]] = {
    "control_flow": (model(conditional(), {}), "If .'n'. is control flow"),
    "unknown": (model(one("GRU", "w"), {"w": values(2, 2)}), "operator GRU .'n'. cannot be lowered"),
    "activation": (
        model([*one("Sigmoid"), helper.make_node("Relu", ["y"], ["z"])], {}, outputs_=("z",)),
        "sigmoid.* in module 'n' cannot be lowered: use torch.nn.ReLU",
    ),
    "domain": (
        model([helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")], {}),
        "com.microsoft.Gelu .* not one of ONNX's own",
    ),
    "old": (model(one("Relu"), {}, opset=5), "opset 5; 6 to 28 are read"),
    "new": (model(one("Relu"), {}, opset=29), "opset 29; 6 to 28 are read"),
    "integers": (model(one("Relu"), {}, dtype=TensorProto.INT64), "not float32"),
    "complex": (model(one("Relu"), {}, dtype=TensorProto.COMPLEX64), "not float32"),
    "outputs": (model(two_outputs(), {}, outputs_=("y", "z")), "2 outputs .y, z.; keep one"),
    "inputs": (model(one("Add", "z"), {}), "reads 'z', which nothing makes"),
    "attribute": (model(one("Relu", fast=1), {}), "attribute 'fast' is not supported"),
    "training": (
        model(
            one("BatchNormalization", *"abcd", training_mode=1),
            {name: 1 + values(2) ** 2 for name in "abcd"},
        ),
        "export in evaluation",
    ),
    "three_dimensions": (
        model(one("Conv", "w"), {"w": values(3, 2, 3, 3, 3)}, shape=(1, 2, 9, 9, 9)),
        "dimension|inputs? .*shape",
    ),
    "memory": (model(one("Expand", "s"), {"s": np.array([1 << 40, 2, 6, 5])}), "copies of its operand"),
    "random": (model([helper.make_node("RandomNormal", [], ["y"], shape=[2])], {}), "RandomNormal"),
    "made_by_nothing": (model([helper.make_node("Relu", ["x"], ["z"])], {}), "'y' is made by no operator"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_networks_here_do_not_have_is_refused(case: str, tmp_path: Path) -> None:
    proto, message = REFUSED[case]
    (tmp_path / "network.onnx").write_bytes(proto.SerializeToString())
    calibration = np.zeros((1, 2, 9, 9, 9) if case == "three_dimensions" else INPUT, np.float32)
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


def test_a_small_file_cannot_ask_for_days_of_work(tmp_path: Path) -> None:
    """A map of 4096 x 4096 elements is allowed, and so is a window of 512 x 512; not both."""
    padded = helper.make_node("Pad", ["x", "pads"], ["large"])
    tensors = {"pads": np.array([0, 0, 0, 0, 0, 0, 4090, 4091]), "size": np.array([1, 2, 512, 512])}
    pool = helper.make_node("MaxPool", ["large"], ["y"], kernel_shape=[512, 512])
    kernel = helper.make_node("ConstantOfShape", ["size"], ["k"])
    convolution = helper.make_node("Conv", ["large", "k"], ["y"])
    for nodes in ([padded, pool], [padded, kernel, convolution]):
        (tmp_path / "network.onnx").write_bytes(model(nodes, tensors).SerializeToString())
        assert (tmp_path / "network.onnx").stat().st_size < 1000
        with pytest.raises(ModelError, match=r"needs [67]\.\d*e\+12 multiply-accumulates per input"):
            pi_bench.export(
                tmp_path / "network.onnx", None, tmp_path / "m.pt", calibration=np.zeros(INPUT, np.float32)
            )
