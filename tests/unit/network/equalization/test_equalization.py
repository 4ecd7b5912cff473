"""Equalization: the same function to the last bit, with factors where they are free and nowhere else."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pi_bench.network.compiler import compile_graph
from pi_bench.network.equalization import equalize
from pi_bench.network.equalization.rescaling import rescale
from pi_bench.network.equalization.sharing import Sharing
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ClampNode,
    ConcatNode,
    ConvNode,
    FlattenNode,
    Graph,
    InputNode,
    LeakyReluNode,
    LinearNode,
    MaxPoolNode,
    Node,
    OutputNode,
    PadNode,
    PermuteNode,
    PolynomialNode,
    PReluNode,
    ReluNode,
    ReshapeNode,
    ScaleNode,
    SliceNode,
    TakeNode,
)
from pi_bench.network.graph.check import check_graph
from pi_bench.network.graph.float_run import calibrate, outputs
from pi_bench.network.program.fixed_point import decode_output, encode_input

MAP = (4, 4, 4)


class Network:
    """A graph in the making: convolution "a" of four channels, further nodes, and a head."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.parameters: dict[str, np.ndarray] = {}
        self.nodes: list[Node] = [InputNode("x", (), (2, 4, 4))]
        self.conv("a", "x", 4, 2)

    def weights(self, name: str, *shape: int) -> str:
        values = self.rng.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))
        self.parameters[name] = values.astype(np.float32)
        return name

    def conv(self, name: str, source: str, outputs: int, inputs: int, groups: int = 1) -> None:
        weight = self.weights(f"{name}.weight", outputs, inputs // groups, 3, 3)
        bias = self.weights(f"{name}.bias", outputs)
        self.nodes.append(
            ConvNode(name, (source,), (outputs, 4, 4), weight, bias, (1, 1), (1, 1), groups=groups)
        )

    def batch_norm(self, name: str, source: str) -> None:
        weight, bias, mean = (self.weights(f"{name}.{part}", 4) for part in ("weight", "bias", "mean"))
        self.parameters[f"{name}.variance"] = np.float32([0.5, 1, 2, 3])
        self.nodes.append(BatchNormNode(name, (source,), MAP, weight, bias, mean, f"{name}.variance", 1e-5))

    def add(self, kind: type[Node], name: str, sources: str, *fields: object, shape: tuple = MAP) -> None:
        self.nodes.append(kind(name, tuple(sources.split()), shape, *fields))

    def graph(self) -> Graph:
        last = self.nodes[-1]
        features = int(np.prod(last.shape))
        flat = FlattenNode("flat", (last.name,), (features,))
        head = LinearNode("head", ("flat",), (3,), self.weights("head.weight", 3, features), None)
        masks = {"relu": np.array([True, False, False, False])}
        nodes = (*self.nodes, flat, head, OutputNode("out", ("head",), (3,)))
        graph = Graph(nodes, self.parameters, masks)
        check_graph(graph, calibrated=False)
        return graph


def samples() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((16, 2, 4, 4)).astype(np.float32)


def integer_error(graph: Graph, inputs: np.ndarray | None = None) -> float:
    """The largest error of the integer network, as a part of the largest answer."""
    inputs = samples() if inputs is None else inputs
    program, weights = compile_graph(replace(graph, ranges=calibrate(graph, inputs)))
    values = [run_reference(program, weights, encode_input(program, x)).values for x in inputs[:4]]
    answers = [decode_output(program, value[program.output.id]) for value in values]
    expected = outputs(graph, inputs[:4])
    return float(np.abs(np.concatenate(answers) - expected).max() / np.abs(expected).max())


def relu(b: Network) -> None:
    b.add(ReluNode, "v", "a")


def max_pool(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.add(MaxPoolNode, "v", "relu", (2, 2), (2, 2), (0, 0), shape=(4, 2, 2))


def average_pool(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.add(AvgPoolNode, "v", "relu", (2, 2), (2, 2), (0, 0), shape=(4, 2, 2))


def leaky(b: Network) -> None:
    b.add(LeakyReluNode, "v", "a", 0.3)


def prelu(b: Network) -> None:
    b.parameters["slopes"] = np.float32([0.1, 0.2, 0.5, 0.7])
    b.add(PReluNode, "v", "a", "slopes")


def residual_group(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.conv("b", "relu", 4, 4)
    b.add(AddNode, "sum", "b relu")
    b.add(ReluNode, "v", "sum")


def concatenation(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.conv("b", "relu", 4, 4)
    b.add(ReluNode, "other", "b")
    b.add(ConcatNode, "v", "other relu", shape=(8, 4, 4))


def depthwise(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.conv("b", "relu", 4, 4, groups=4)
    b.add(ReluNode, "v", "b")


def grouped(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.conv("b", "relu", 4, 4, groups=2)
    b.add(ReluNode, "v", "b")


def several_readers(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.conv("b", "relu", 4, 4)
    b.conv("c", "relu", 4, 4)
    b.add(ReluNode, "d", "b")
    b.add(ReluNode, "e", "c")
    b.add(ConcatNode, "v", "d e", shape=(8, 4, 4))


def shared_weights(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.conv("b", "relu", 4, 4)
    b.add(ReluNode, "again", "b")
    b.nodes.append(replace(b.nodes[-2], name="c", inputs=("again",)))
    b.add(ReluNode, "v", "c")


def batch_norm_behind_relu(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.batch_norm("norm", "relu")
    b.conv("b", "norm", 4, 4)
    b.add(ReluNode, "v", "b")


def slice_of_padded(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.add(PadNode, "padded", "relu", (1, 2), (1, 0), shape=(7, 6, 4))
    b.add(SliceNode, "v", "padded", 1, shape=(4, 6, 4))


def choice_of_channels(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.add(TakeNode, "v", "relu", (3, -1, 0, 0))


def shuffle(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.add(ReshapeNode, "split", "relu", shape=(2, 2, 4, 4))
    b.add(PermuteNode, "swap", "split", (1, 0, 2, 3), shape=(2, 2, 4, 4))
    b.add(ReshapeNode, "v", "swap", shape=MAP)


def scaled(b: Network) -> None:
    b.add(ReluNode, "relu", "a")
    b.add(ScaleNode, "v", "relu", -3.0, 0.0)


def polynomial(b: Network) -> None:
    b.parameters["table"] = np.float32([[0, 0, 0], [0.1, 1, 0.5], [0, 1, 0.3], [0.2, 2, -0.5]])
    b.add(PolynomialNode, "v", "a", "table", "relu")


KINDS = {
    relu: [3, 4, 5, 6],
    max_pool: [3, 4, 5, 6],
    average_pool: [3, 4, 5, 6],
    leaky: [3, 4, 5, 6],
    prelu: [3, 4, 5, 6],
    residual_group: [3, 4, 5, 6],
    concatenation: [7, 8, 9, 10, 3, 4, 5, 6],
    depthwise: [7, 8, 9, 10],
    grouped: [7, 8, 9, 10],
    several_readers: [7, 8, 9, 10, 11, 12, 13, 14],
    shared_weights: [11, 12, 13, 14],
    batch_norm_behind_relu: [11, 12, 13, 14],
    slice_of_padded: [3, 4, 5, 6],
    choice_of_channels: [6, 7, 3, 3],
    shuffle: [3, 5, 4, 6],
    scaled: [3, 4, 5, 6],
    polynomial: [3, 7, 8, 9],
}
"""Each kind of network with the groups of the channels of its value "v"; those of "a" are 3 to 6."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_scaling_apart_and_equalizing_keeps_the_function_and_mends_fixed_point(
    kind: Callable[[Network], None],
) -> None:
    b = Network()
    kind(b)
    graph = b.graph()
    sharing = Sharing(graph)
    assert sharing.channel_groups("a").tolist() == [3, 4, 5, 6]
    assert sharing.channel_groups("v").tolist() == KINDS[kind]
    apart = np.random.default_rng(2).integers(-6, 7, sharing.count)
    apart[3:7] = 9, -5, 0, 4
    apart[sharing.public] = 0
    scaled = rescale(sharing, apart)
    equalized = equalize(scaled, samples())
    check_graph(equalized, calibrated=False)
    expected = outputs(graph, samples())
    np.testing.assert_array_equal(outputs(scaled, samples()), expected)
    np.testing.assert_array_equal(outputs(equalized, samples()), expected)
    assert integer_error(scaled) > 0.15
    assert integer_error(equalized) < 0.015


def raw_features() -> tuple[Graph, np.ndarray]:
    """A network whose first layer normalizes features of 0.1 to 10^4, one of which is 0 in calibration."""
    b, size = Network(), np.geomspace(0.1, 1e4, 6).astype(np.float32)
    b.weights("first", 12, 6)
    b.parameters["first"] /= size
    layers = LinearNode("first", ("x",), (12,), "first", None), ReluNode("v", ("first",), (12,))
    b.nodes = [InputNode("x", (), (6,)), *layers]
    inputs = np.random.default_rng(1).standard_normal((64, 6)).astype(np.float32) * size
    inputs[:, 3] = 0
    return b.graph(), inputs


def test_raw_features_have_public_factors_that_depend_on_inputs_alone() -> None:
    graph, inputs = raw_features()
    equalized = equalize(graph, inputs)
    assert isinstance(equalized.input, InputNode)
    assert equalized.input.channel_bits == (15, 12, 8, 8, 2, 0)
    np.testing.assert_array_equal(outputs(equalized, inputs), outputs(graph, inputs))
    assert integer_error(graph, inputs) > 0.1
    assert integer_error(equalized, inputs) < 0.01
    other = Graph(graph.nodes, {name: values * 3 for name, values in graph.parameters.items()})
    assert equalize(other, inputs).input == equalized.input


def test_public_numbers_keep_the_factor_1() -> None:
    """A ReLU6's input and output stay, the layer after it does not; a clamp at 0 alone is a ReLU."""
    b = Network()
    b.add(ClampNode, "relu6", "a", 0.0, 6.0)
    b.conv("b", "relu6", 4, 4)
    b.add(ClampNode, "relu", "b", 0.0, None)
    b.conv("c", "relu", 4, 4)
    b.add(ScaleNode, "v", "c", 2.0, 1.0)
    groups = Sharing(b.graph()).groups
    stays = {name for name, numbers in groups.items() if not numbers.any()}
    assert stays == {"a", "relu6", "c", "v", "flat", "head", "out"}
    np.testing.assert_array_equal(groups["relu"], groups["b"])


def test_weights_of_two_layers_get_names_of_their_own_and_a_gain_that_is_absent_is_made() -> None:
    b = Network()
    shared_weights(b)
    b.conv("d", "v", 4, 4)
    b.nodes.append(BatchNormNode("norm", ("d",), MAP, None, None, "mean", "variance", 1e-5))
    b.parameters |= {"mean": np.float32([1, 2, 3, 4]), "variance": np.float32([1e4, 1, 1, 1])}
    b.add(ReluNode, "last", "norm")
    graph = b.graph()
    equalized = equalize(graph, samples())
    first, second = (node for node in equalized.nodes if node.name in ("b", "c"))
    assert isinstance(first, ConvNode) and isinstance(second, ConvNode)
    assert first.weight != second.weight
    assert len(equalized.parameters) == len(graph.parameters) + 3  # a weight, a bias and a gain
    assert "norm.weight" in equalized.parameters
    np.testing.assert_array_equal(outputs(equalized, samples()), outputs(graph, samples()))


def test_a_channel_that_never_fires_widens_no_window() -> None:
    """Its batch normalization has a gain of 1 / sqrt(epsilon), as training leaves it."""
    b = Network()
    b.parameters["a.weight"][2] *= 0.01
    b.parameters["a.bias"][2] = -1
    b.add(ReluNode, "relu", "a")
    b.batch_norm("norm", "relu")
    b.parameters["norm.mean"][2] = b.parameters["norm.variance"][2] = 0
    graph = b.graph()
    before, after = (calibrate(g, samples()) for g in (graph, equalize(graph, samples())))
    assert after["a"] / after["relu"] <= before["a"] / before["relu"]


def test_channels_that_no_layer_reads_take_no_levels() -> None:
    b = Network()
    b.parameters["a.weight"][3] *= 1000
    b.add(ReluNode, "relu", "a")
    b.batch_norm("norm", "relu")
    b.add(SliceNode, "v", "norm", 0, shape=(3, 4, 4))
    graph = b.graph()
    equalized = equalize(graph, samples())
    np.testing.assert_array_equal(outputs(equalized, samples()), outputs(graph, samples()))
    assert integer_error(graph) > 0.1
    assert integer_error(equalized) < 0.015


def test_a_channel_of_relus_in_a_folded_polynomial_takes_no_levels_unless_a_layer_reads_it() -> None:
    """A law drew it: the polynomial is part of the layer before, and its ReLUs pass the factor on."""
    b = Network()
    b.parameters["b.table"] = np.float32([[0.1, 0.5, 0.2]] * 4)
    b.parameters["a.weight"][0] *= 1000
    b.add(PolynomialNode, "b", "a", "b.table", "relu")  # channel 0 has ReLUs
    b.add(SliceNode, "v", "b", 1, shape=(3, 4, 4))
    graph = b.graph()
    equalized = equalize(graph, samples())
    np.testing.assert_array_equal(outputs(equalized, samples()), outputs(graph, samples()))
    assert integer_error(graph) > 0.1
    assert integer_error(equalized) < 0.015


def test_dead_channels_and_ends_of_float32_leave_finite_parameters() -> None:
    b = Network()
    depthwise(b)
    graph = b.graph()
    b.parameters["a.weight"][0] = b.parameters["a.bias"][0] = 0
    b.parameters["b.weight"][1] = 0
    b.parameters["a.weight"][2] *= 1e-38
    b.parameters["b.bias"][3] = 1e37
    equalized = equalize(graph, samples())
    assert all(np.isfinite(values).all() for values in equalized.parameters.values())
    np.testing.assert_allclose(outputs(equalized, samples()), outputs(graph, samples()), rtol=1e-5)
