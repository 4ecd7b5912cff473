"""ONNX broadcasts from the last axis, also where another axis has the same size."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_bench.errors import ModelError

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import helper

from tests.onnx_models import GENERATOR, exported, model, values

SQUARE = (1, 4, 4, 4)


def sloped(*shape: int) -> Any:
    nodes = [helper.make_node("Conv", ["x", "k"], ["c"]), helper.make_node("PRelu", ["c", "s"], ["y"])]
    slopes = np.linspace(-0.5, 0.9, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    return model(nodes, {"k": values(4, 4, 1, 1), "s": slopes}, shape=SQUARE)


def features(operator: str, batch: int, *shape: int, swapped: bool = False) -> Any:
    tensors = {
        "w": values(4, 5),
        "b": np.linspace(1, 9, int(np.prod(shape)), dtype=np.float32).reshape(shape),
    }
    if operator == "Gemm":
        nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["h"], transB=1)]
    else:
        operands = ["b", "g"] if swapped else ["g", "b"]
        nodes = [
            helper.make_node("Gemm", ["x", "w"], ["g"], transB=1),
            helper.make_node(operator, operands, ["h"]),
        ]
    return model([*nodes, helper.make_node("Relu", ["h"], ["y"])], tensors, shape=(batch, 5))


def maps(operator: str, *shape: int, swapped: bool = False) -> Any:
    constant = np.linspace(1, 3, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    operands = ["k", "x"] if swapped else ["x", "k"]
    nodes = [helper.make_node(operator, operands, ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    return model(nodes, {"k": constant}, shape=SQUARE)


RIGHT = {
    "slope of channels": sloped(4, 1, 1),
    "slope of channels, batch axis": sloped(1, 4, 1, 1),
    "one slope": sloped(1),
    "bias of outputs": features("Gemm", 1, 4),
    "bias of outputs in a row": features("Gemm", 1, 1, 4),
    "one bias": features("Gemm", 1, 1),
    "one bias in a square": features("Gemm", 1, 1, 1),
    "sum": features("Add", 1, 4),
    "difference from a constant": features("Sub", 1, 1, 4, swapped=True),
    "quotient": features("Div", 1, 4),
    "product with one number": features("Mul", 1, 1, 1),
    **{f"{operator} by channel": maps(operator, 4, 1, 1) for operator in ("Add", "Sub", "Mul", "Div")},
    "product by channel on the left": maps("Mul", 1, 4, 1, 1, swapped=True),
    "sum with one number": maps("Add", 1, 1, 1),
    "product by row": maps("Mul", 4, 1),
    "product by column": maps("Mul", 4),
    "sum by column": maps("Add", 1, 1, 1, 4),
    "difference by pixel": maps("Sub", 4, 4),
    "quotient by element": maps("Div", 1, 4, 4, 4),
}
REFUSED = {
    "slope of rows": sloped(1, 4, 1),
    "slope of columns": sloped(4),
    "slope of columns, written out": sloped(1, 1, 4),
    "slope of pixels": sloped(4, 4, 4),
    "bias of samples": features("Gemm", 4, 4, 1),
    "bias of samples and outputs": features("Gemm", 4, 4, 4),
    "sum by sample": features("Add", 4, 4, 1),
    "more axes": maps("Add", 1, 1, 4, 1, 1),
    "division of a constant": maps("Div", 4, 1, 1, swapped=True),
}


@pytest.mark.parametrize("case", RIGHT)
def test_equals_another_runtime(case: str, tmp_path: Path) -> None:
    shape = [dim.dim_value for dim in RIGHT[case].graph.input[0].type.tensor_type.shape.dim]
    exported(RIGHT[case], tmp_path, GENERATOR.normal(size=(3, *shape[1:])).astype(np.float32))


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_and_never_taken_for_channels(case: str, tmp_path: Path) -> None:
    shape = [dim.dim_value for dim in REFUSED[case].graph.input[0].type.tensor_type.shape.dim]
    with pytest.raises(ModelError) as caught:
        exported(REFUSED[case], tmp_path, GENERATOR.normal(size=(4, *shape[1:])).astype(np.float32))
    assert "\n" not in str(caught.value)
