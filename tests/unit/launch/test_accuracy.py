"""Float against integer answers over a data set: errors, saturation, refused images, the sign drop."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pi_bench.arithmetic.activation_law import EXACT, WindowLaw
from pi_bench.errors import InputError
from pi_bench.launch.accuracy import Comparison, compare
from pi_bench.launch.accuracy_layers import LayerErrorCollector
from pi_bench.launch.samples import evenly_spread
from pi_bench.network.compiler import CompileOptions
from pi_bench.network.execution.integer_run import OperatorValues
from pi_bench.network.graph import Graph, operator_name
from pi_bench.network.graph.float_run import outputs
from pi_bench.network.program import MultiplyOp
from tests.contract.term_program import term_program


def images(count: int, seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 2, 6, 6)).clip(-2.5, 2.5).astype(np.float32)


def compared(
    graph: Graph, inputs: np.ndarray, mode: str = "windowed", drop: int = 0, **options: int
) -> Comparison:
    law = WindowLaw(mode, drop)
    return compare(graph, CompileOptions(**options), law, 1, inputs, lambda what, done, total: None)


def test_every_image_is_answered_and_more_bits_are_closer(tiny_graph: Graph) -> None:
    inputs = images(70)  # a whole chunk and a part of one
    errors = []
    for bits in (6, 10):
        found = compared(tiny_graph, inputs, "exact", weight_bits=bits, activation_bits=bits)
        np.testing.assert_allclose(found.floats.logits, outputs(tiny_graph, inputs), atol=1e-6)
        assert found.floats.index.tolist() == list(range(70)) and not found.refused.size
        errors.append(np.abs(found.integers.logits - found.floats.logits).max())
        layer = found.layers.by_name["output"]
        assert layer.largest_error == pytest.approx(errors[-1]) and layer.outside_count == 0
    assert 0 < errors[1] < errors[0] / 8


def test_layers_are_compared_where_the_float_network_has_them(tiny_graph: Graph) -> None:
    layers = compared(tiny_graph, images(9)).layers.by_name
    assert list(layers) == ["stem.relu", "sum.relu", "output"]
    for layer in layers.values():
        assert layer.relative_error is not None and 1e-5 < layer.relative_error < 0.02
        assert layer.headroom_bits > 0.5


def test_values_outside_their_windows_are_counted(tiny_graph: Graph) -> None:
    inputs = images(6)
    small = {name: value if name == "input" else value / 8 for name, value in tiny_graph.ranges.items()}
    found = compared(dataclasses.replace(tiny_graph, ranges=small), inputs)
    stem = found.layers.by_name["stem.relu"]
    assert stem.outside_count > 0 and stem.headroom_bits < 0
    assert compared(tiny_graph, inputs).layers.by_name["stem.relu"].outside_count == 0


def test_products_that_the_ring_does_not_hold_are_counted(tiny_graph: Graph) -> None:
    program, _ = term_program()
    square, product = program.multiply_ops
    layers = LayerErrorCollector(tiny_graph, program, EXACT)

    def step(op: MultiplyOp, *factors: int) -> OperatorValues:
        read = tuple(np.full(op.shape, factor, np.int64).astype(np.uint32) for factor in factors)
        read[0].flat[0] = 1
        return OperatorValues(op, read, read[0], read[0] * read[-1])

    layers.observe(step(product, 1 << 15, -(1 << 16)), {})
    layers.observe(step(square, 46_340, 46_340), {})
    found = [layers.by_name[op.name] for op in (product, square)]
    assert [layer.outside_count for layer in found] == [0, 0]
    assert found[0].headroom_bits == 0 and 0 < found[1].headroom_bits < 1e-4
    layers.observe(step(product, 1 << 15, 1 << 16), {})
    layers.observe(step(square, 46_341, 46_341), {})
    assert [layer.outside_count for layer in found] == [all_but_one(op) for op in (product, square)]
    assert found[1].headroom_bits < 0


def all_but_one(op: MultiplyOp) -> int:
    """All elements but the first, which is small."""
    return int(np.prod(op.shape)) - 1


def test_images_beyond_the_bound_are_left_out(tiny_graph: Graph) -> None:
    inputs = images(5)
    inputs[1, 0, 0, 0] = 100
    inputs[3, 1, 5, 5] = np.nan
    found = compared(tiny_graph, inputs)
    assert found.refused.tolist() == [1, 3] and found.integers.index.tolist() == [0, 2, 4]
    alone = compared(tiny_graph, inputs[[0, 2, 4]])
    np.testing.assert_array_equal(found.floats.logits, alone.floats.logits)
    with pytest.raises(InputError, match=r"every image .*normalize"):
        compared(tiny_graph, inputs * 100)
    with pytest.raises(InputError, match=r"shape \(5, 2, 6, 5\); this network takes \(images, 2, 6, 6\)"):
        compared(tiny_graph, inputs[..., :5])


def test_the_sign_drop_makes_small_values_0_and_is_compared_with_windowed(tiny_graph: Graph) -> None:
    inputs = images(20)
    found = compared(tiny_graph, inputs, "truncated-sign", 6)
    assert found.approximated is not None and compared(tiny_graph, inputs).approximated is None
    dropped, kept = (
        np.abs(answers.logits - found.floats.logits).max() for answers in (found.integers, found.approximated)
    )
    assert dropped > 4 * kept
    assert found.layers.by_name["stem.relu"].zeroed_count > 0
    assert found.layers.by_name["output"].zeroed_count == 0


def test_samples_are_spread_evenly() -> None:
    index = np.arange(100, 200)
    assert evenly_spread(index, 3).tolist() == [100, 150, 199]
    assert evenly_spread(index, 500).tolist() == index.tolist()
    assert evenly_spread(index[:1], 4).tolist() == [100]


def test_a_layer_of_several_operators_is_compared_by_its_last(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    import pi_bench

    nn = torch.nn
    pooled = [nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 4, 3), nn.ReLU6(), nn.Conv2d(4, 3, 2), nn.LeakyReLU(0.25)]
    network = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), *pooled, nn.Flatten())
    torch.manual_seed(0)
    inputs = torch.randn(12, 2, 10, 9)
    graph = pi_bench.export(network, inputs[:1], tmp_path / "m.pt", calibration=inputs)
    layers = compared(graph, inputs.numpy(), "exact").layers.by_name
    operators = {name: layer.operator for name, layer in layers.items()}
    assert operators | {"0": "conv"} == {
        "0": "conv",
        "1": "max_pool",
        "3": "clamp",
        "5": "leaky_relu",
        "output": "output",
    }
    for name, layer in layers.items():
        assert layer.relative_error is not None and layer.relative_error < 0.03, name


def test_polynomials_and_what_leaves_their_products_are_told(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    import pi_bench
    from tests.operators import Polynomial

    torch.manual_seed(0)
    parts = [torch.nn.Conv2d(2, 6, 3), Polynomial(6, 3, mixture=True), torch.nn.Conv2d(6, 2, 1)]
    network = torch.nn.Sequential(*parts, torch.nn.Flatten())
    inputs = torch.randn(12, 2, 6, 5)
    graph = pi_bench.export(network, inputs[:1], tmp_path / "m.pt", calibration=inputs)
    (name,) = (node.name for node in graph.nodes if operator_name(node) == "polynomial")
    layer = compared(graph, inputs.numpy(), "exact").layers.by_name[name]
    assert layer.operator == "polynomial" and layer.compared_count == 12 * 6 * 4 * 3
    assert layer.relative_error is not None and layer.relative_error < 0.03
    assert layer.outside_count == 0
    ranges = {key: size if key == "input" else size / 30 for key, size in graph.ranges.items()}
    found = compared(dataclasses.replace(graph, ranges=ranges), inputs.numpy(), "exact")
    assert sum(layer.outside_count for layer in found.layers.by_name.values()) > 0
