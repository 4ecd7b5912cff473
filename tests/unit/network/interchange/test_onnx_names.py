"""Tensors and nodes of ONNX files with any names: the import ends, and the network is the same."""

import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import helper

from pi_bench.network.interchange.onnx_names import Names
from tests.onnx_models import exported, model, values

ODD = [
    ("conv1.weight", "conv1.weight.scale", "c"),
    ("conv1", "b", "/conv1/act/Relu"),
    ("conv1", "conv1.act", "/conv1/act/Relu"),
    ("a.b", "a", "/a/b"),
    ("a", "a.b", "a"),
    ("a.b", "a.b_2.c", "/a.b/a.b.c/d"),
    ("forward", "training.eval", "/register_buffer/_steps/x"),
    ("_steps", "_modules._buffers", "/_parameters/y"),
    ("self.class", "lambda", "/None/def"),
    (".", "..", "/"),
    ("a b/c:0", "a-b/c;0", "//"),
    ("1", "2.3", "/4/5"),
    ("größe.重み", "\u202e.\n", "/ü/\t"),
    (".".join("a" * 5000), ".".join("a" * 5001), "/" + "/".join("b" * 5000)),
    ("n" * 5000, "n" * 5001, "n" * 5002),
]


@pytest.mark.parametrize("names", ODD, ids=range(len(ODD)))
def test_any_names(names: tuple[str, str, str], tmp_path: Path) -> None:
    weight, bias, place = names
    nodes = [
        helper.make_node("Conv", ["x", weight, bias], ["c"], name=f"{place}/Conv"),
        helper.make_node("Relu", ["c"], ["r"], name=place),
        helper.make_node("Mul", ["r", "two"], ["y"], name=f"{place}/Relu/Mul"),
    ]
    tensors = {weight: values(3, 2, 3, 3), bias: values(3), "two": np.full((1, 3, 1, 1), 2, np.float32)}
    graph = exported(model(nodes, tensors), tmp_path)
    assert all(node.name.isprintable() and len(node.name) < 1200 for node in graph.nodes)


@pytest.mark.slow
def test_many_equal_names_take_linear_time() -> None:
    names = Names()
    start = time.monotonic()
    found = [names.tensor(f"a.{letter}{'.b' * (number % 3)}") for number in range(20_000) for letter in "-+"]
    found += [names.tensor(f"a__{number}") for number in range(20_000)]
    assert time.monotonic() - start < 10
    assert len(set(found)) == len(found)
    leaves = set(found)
    assert not any(found[at].rpartition(".")[0] in leaves for at in range(len(found)))


def test_modules_and_tensors_share_no_path() -> None:
    names = Names()
    tensors = [names.tensor(name) for name in ("a.b", "a.b.c", "a.b_2", "a", "a.b.c.d", "x.y")]
    assert len(set(tensors)) == len(tensors)
    modules = [names.module(path) for path in ("a.b", "a", "x.y.z", "a.b.c")]
    taken = set(tensors)
    for path in [*modules, *(tensor.rpartition(".")[0] for tensor in tensors)]:
        parts = path.split(".")
        assert not any(".".join(parts[:count]) in taken for count in range(1, len(parts) + 1))
