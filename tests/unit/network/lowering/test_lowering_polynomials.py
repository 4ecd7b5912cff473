"""Polynomial activations as people write them: each becomes one node, with torch's values."""

from collections.abc import Callable

import numpy as np
import pytest

from pi_bench.errors import ModelError
from pi_bench.network.graph import AddNode, Graph, PolynomialNode, ReluNode
from pi_bench.network.graph.float_run import evaluate, outputs

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn import functional

from pi_bench.network.lowering import lower

SHAPE = (3, 6, 5)
Formula = Callable[["Activation", torch.Tensor], torch.Tensor]


class Activation(nn.Module):
    """A polynomial in a manner of its own: coefficients a channel, DELPHI's and SAFENet's."""

    def __init__(self, formula: Formula, shape: tuple[int, ...] = (4, 1, 1)) -> None:
        super().__init__()
        self.formula = formula
        generator = torch.Generator().manual_seed(3)
        for name in "abcd":
            self.register_parameter(name, nn.Parameter(torch.randn(shape, generator=generator)))
        self.register_buffer("grid", torch.randn(6, 5, generator=generator))
        self.register_buffer("pixels", (torch.rand(4, 6, 5, generator=generator) < 0.5).float())
        self.register_buffer("mask", (torch.arange(shape[0]) % 2).float().reshape(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.formula(self, x)


class Network(nn.Module):
    """Each formula in an activation of its own, side by side: one export for all."""

    def __init__(self, formulas: dict[str, Formula], shape: tuple[int, ...] = (4, 1, 1)) -> None:
        super().__init__()
        self.convs = nn.ModuleDict({name: nn.Conv2d(3, 4, 3, padding=1) for name in formulas})
        self.acts = nn.ModuleDict({name: Activation(formula, shape) for name, formula in formulas.items()})
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = 0
        for name, conv in self.convs.items():
            total = total + self.head(self.acts[name](conv(x)))
        return total


POLYNOMIALS: dict[str, Formula] = {
    "product": lambda m, x: x * x,
    "power": lambda m, x: x**2,
    "power_of_a_float": lambda m, x: x**2.0,
    "square": lambda m, x: torch.square(x),
    "pow": lambda m, x: torch.pow(x, 3),
    "method": lambda m, x: x.pow(2).mul(0.117) + 0.5 * x + 0.375,
    "delphi": lambda m, x: x * x + x,
    "literals": lambda m, x: 0.125 * x**2 + 0.5 * x + 0.25,
    "channels": lambda m, x: m.a * x * x + m.b * x + m.c,
    "sum_of_powers": lambda m, x: sum(c * x**i for i, c in enumerate((m.a, m.b, m.c, m.d))),
    "horner": lambda m, x: (m.a * x + m.b) * x + m.c,
    "horner_of_degree_3": lambda m, x: ((m.a * x + m.b) * x + m.c) * x + m.d,
    "square_of_a_sum": lambda m, x: m.a * (x + m.b) ** 2 - m.c,
    "cube": lambda m, x: m.a * x**3 + m.b * x**2 + m.c * x + m.d,
    "addcmul": lambda m, x: torch.addcmul(m.b * x, x, x, value=0.5),
    "shared_square": lambda m, x: (lambda s: m.a * s + m.b * s * x)(x * x),
    "in_place": lambda m, x: x.mul_(x).add_(1.0),
}
MIXTURES: dict[str, Formula] = {
    "mask": lambda m, x: m.mask * torch.relu(x) + (1 - m.mask) * (m.a * x * x + m.b * x + m.c),
    "where": lambda m, x: torch.where(m.mask.bool(), functional.relu(x), m.a * x**3 + m.b * x),
    "inplace_relu": lambda m, x: (1 - m.mask) * x**2 + m.mask * functional.relu(x.clone(), inplace=True),
    "other_order": lambda m, x: (m.a * x**2 + m.b * x) * (1 - m.mask) + functional.relu(x) * m.mask,
}


PIXELS: dict[str, Formula] = {
    "mask": lambda m, x: m.pixels * torch.relu(x) + (1 - m.pixels) * (m.a * x * x + m.b * x + m.c),
    "where": lambda m, x: torch.where(m.pixels > 0, functional.relu(x), (m.a * x + m.b) * x**2 + m.c),
    "lerp": lambda m, x: torch.lerp(m.b * x**2 + 0.5, functional.relu(x), m.pixels),
}


def lowered(formulas: dict[str, Formula], shape: tuple[int, ...] = (4, 1, 1)) -> tuple[nn.Module, Graph]:
    torch.manual_seed(5)
    network = Network(formulas, shape).eval()
    return network, lower(network, torch.zeros(1, *SHAPE))


def _check_each(network: nn.Module, graph: Graph) -> dict[str, PolynomialNode]:
    """The node of each formula, after its value was compared with torch's."""
    inputs = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    values = evaluate(graph, inputs.numpy())
    found = {}
    for name, conv in network.convs.items():
        reader = next(node for node in graph.nodes if node.inputs == (f"convs.{name}",))
        assert isinstance(reader, PolynomialNode), name
        with torch.no_grad():
            expected = network.acts[name](conv(inputs)).numpy()
        np.testing.assert_allclose(values[reader.name], expected, rtol=1e-4, atol=1e-4, err_msg=name)
        found[name] = reader
    return found


def _same_answers(network: nn.Module, graph: Graph) -> None:
    inputs = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network(inputs).numpy()
    np.testing.assert_allclose(outputs(graph, inputs.numpy()), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_polynomial_is_one_node() -> None:
    network, graph = lowered(POLYNOMIALS)
    found = _check_each(network, graph)
    assert sum(isinstance(node, PolynomialNode) for node in graph.nodes) == len(POLYNOMIALS)
    assert not any(isinstance(node, ReluNode) for node in graph.nodes)
    assert all(node.relu is None and node.name.startswith(f"acts.{name}.") for name, node in found.items())


@pytest.mark.slow
def test_a_mixture_is_one_node_with_relus_in_its_channels() -> None:
    network, graph = lowered(MIXTURES)
    found = _check_each(network, graph)
    assert all(list(graph.masks[node.relu]) == [False, True, False, True] for node in found.values())
    assert graph.relu_count == len(MIXTURES) * 2 * 6 * 5
    assert sum(isinstance(node, AddNode) for node in graph.nodes) == len(MIXTURES) - 1


def test_relus_of_pixels_are_in_the_same_node() -> None:
    network, graph = lowered(PIXELS)
    found = _check_each(network, graph)
    for name, node in found.items():
        pixels = network.acts[name].pixels.numpy() == 1
        np.testing.assert_array_equal(graph.masks[node.relu], pixels)
    assert graph.relu_count == sum(int(graph.masks[node.relu].sum()) for node in found.values())
    assert graph.polynomial_count == len(PIXELS) * 4 * 6 * 5 - graph.relu_count


def test_a_soft_mask_of_pixels_is_refused() -> None:
    formula = PIXELS["mask"]
    with pytest.raises(
        ModelError, match=r"one coefficient per channel.*mask beside it has only zeros and ones"
    ):
        lowered({"act": lambda m, x: formula(m, x) + 0.25 * m.pixels * torch.square(x)})


def test_one_coefficient_serves_all_channels() -> None:
    network, graph = lowered({"act": POLYNOMIALS["channels"]}, (1,))
    (node,) = _check_each(network, graph).values()
    assert (graph.parameters[node.coefficients] == graph.parameters[node.coefficients][:1]).all()


def test_a_residual_sum_stays_a_sum() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.square(self.one(x)) + x
            return 0.5 * self.two(y) ** 2 + torch.relu(y)

    network = Residual().eval()
    graph = lower(network, torch.zeros(1, *SHAPE))
    kinds = [type(node) for node in graph.nodes]
    assert kinds.count(PolynomialNode) == kinds.count(AddNode) == 2 and kinds.count(ReluNode) == 1
    _same_answers(network, graph)


def test_relu_and_polynomial_in_one_channel_are_a_sum() -> None:
    network, graph = lowered({"act": lambda m, x: torch.relu(x) + m.a * x * x})
    assert sum(isinstance(node, AddNode) for node in graph.nodes) == 1
    _same_answers(network, graph)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (lambda m, x: x * torch.relu(x), r"products of two different activations.*powers up to 3"),
        (lambda m, x: x * x.flip(3), "products of two different"),
        (lambda m, x: x**4, "power 4; polynomial activations have degree 2 or 3"),
        (lambda m, x: x**0.5, "power 0.5"),
        (lambda m, x: (x * x) * (x * x), "degree 4"),
        (lambda m, x: m.grid * x * x, "one coefficient per channel"),
        (lambda m, x: x * x.mean((2, 3), keepdim=True), "products of two different"),
        (lambda m, x: x * x + float("nan"), "NaN"),
    ],
)
def test_what_is_no_polynomial_of_one_value_is_refused(formula: Formula, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        lowered({"act": formula})
    assert "'acts.act'" in str(caught.value)
