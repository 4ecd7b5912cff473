"""Polynomial activations through files: ONNX's Mul and Pow, and archives of torch.export."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import ModelError
from pi_bench.network.graph import PolynomialNode
from pi_bench.network.graph.float_run import outputs

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import helper

from tests.onnx_models import exported, model, values
from tests.operators import Polynomial


def quadratic(power: float, *, product: bool) -> tuple[list[Any], dict[str, np.ndarray]]:
    """a x^power + b x + c of channels after a convolution, ReLU in one of them."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "act.w"], ["z"], kernel_shape=[1, 1]),
        node("Mul", ["z", "z"], ["p"]) if product else node("Pow", ["z", "power"], ["p"]),
        node("Mul", ["p", "a"], ["ap"]),
        node("Mul", ["z", "b"], ["bz"]),
        node("Add", ["ap", "bz"], ["s"]),
        node("Add", ["s", "c"], ["q"]),
        node("Relu", ["z"], ["r"]),
        node("Where", ["mask", "r", "q"], ["y"]),
    ]
    tensors = {
        "act.w": values(4, 2, 1, 1),
        "power": np.array(power, np.float32),
        "mask": np.array([1, 0, 0, 0], bool).reshape(4, 1, 1),
        **{name: values(4, 1, 1) for name in "abc"},
    }
    return nodes, tensors


@pytest.mark.parametrize(("power", "product"), [(2, True), (2, False), (3, False)])
def test_onnx_products_and_powers_are_one_activation(power: float, product: bool, tmp_path: Path) -> None:
    graph = exported(model(*quadratic(power, product=product)), tmp_path)
    (found,) = [node for node in graph.nodes if isinstance(node, PolynomialNode)]
    assert graph.parameters[found.coefficients].shape == (4, power + 1)
    assert graph.relu_count == 6 * 5


def test_an_onnx_power_of_4_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"pow.*power 4; polynomial activations have degree 2 or 3"):
        exported(model(*quadratic(4, product=False)), tmp_path)


@pytest.mark.slow
def test_archives_of_torch_export(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 6, 3), Polynomial(6, 3, mixture=True)).eval()
    x = torch.randn(8, 2, 6, 5)
    torch.export.save(torch.export.export(network, (x[:1],)), tmp_path / "network.pt2")
    graph = pi_bench.export(tmp_path / "network.pt2", None, tmp_path / "m.pt", calibration=x)
    assert graph.relu_count == 2 * 4 * 3
    with torch.no_grad():
        np.testing.assert_allclose(outputs(graph, x.numpy()), network(x).numpy(), rtol=1e-3, atol=1e-4)
