"""Polynomials in the place of ReLUs: the module, recipes that have them, and weights that fit or do not."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest

from pi_bench.errors import ModelError
from pi_bench.models import export_recipe, load_recipe, parse_recipe, with_polynomials
from pi_bench.models.recipe_writing import format_recipe
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph import PolynomialNode
from pi_bench.network.graph.float_run import outputs

torch = pytest.importorskip("torch")

from pi_bench.models import PolynomialActivation
from pi_bench.models.building import build

TEXT = """
schema = 1
name = "small"
family = "resnet"
dataset = "none"
input_shape = [3, 8, 8]
class_count = 5
blocks = [1, 2]
widths = [4, 6]
polynomials = ["stem.relu", "stages.1.*"]
polynomial_degree = 3
polynomial_relu_fraction = 0.5
"""
RECIPE = parse_recipe(TEXT, "small")
BITS = {"weight_bits": 12, "activation_bits": 12}  # their choice would be half of an export
LAYERS = ["stem.relu", "stages.1.0.relu1", "stages.1.0.relu2", "stages.1.1.relu1", "stages.1.1.relu2"]


@pytest.mark.parametrize("degree", [2, 3])
def test_channels_are_polynomials_or_relus(degree: int) -> None:
    activation = PolynomialActivation((6, 4, 5), degree, relu_channels=2)
    torch.nn.init.normal_(activation.coefficients)
    x = torch.randn(3, 6, 4, 5)
    y = activation(x)
    expected = sum(c * x**power for power, c in enumerate(activation.coefficients))
    torch.testing.assert_close(y[:, :2], x[:, :2].relu())
    torch.testing.assert_close(y[:, 2:], expected[:, 2:])
    y.sum().backward()
    gradient = activation.coefficients.grad.abs().sum((0, 2, 3))
    assert (gradient[:2] == 0).all() and (gradient[2:] > 0).all()


def test_it_begins_near_to_relu_at_any_size() -> None:
    for size in (0.1, 1.0, 20.0):
        activation = PolynomialActivation((1, 1, 1))
        activation.follow_relu(size)
        x = size * torch.randn(4000, 1, 1, 1, generator=torch.Generator().manual_seed(1))
        error = (activation(x) - x.relu()).square().mean().sqrt()
        assert error < 0.12 * size  # 0.106 on normally distributed values is the least


def test_it_can_be_trained() -> None:
    torch.manual_seed(4)
    activation = PolynomialActivation((2,))
    optimizer = torch.optim.SGD(activation.parameters(), 0.02)
    x = torch.randn(500, 2)
    target = torch.stack([0.3 * x[:, 0] ** 2 - x[:, 0], 1 + x[:, 1]], 1)
    for _ in range(300):
        optimizer.zero_grad()
        (activation(x) - target).square().mean().backward()
        optimizer.step()
    learned = activation.coefficients.detach()
    torch.testing.assert_close(learned, torch.tensor([[0, 1], [-1, 1], [0.3, 0]]), atol=0.05, rtol=0)


@pytest.mark.slow
def test_a_recipe_says_where_polynomials_stand(tmp_path) -> None:
    module = build(RECIPE)
    found = {path: m for path, m in module.named_modules() if isinstance(m, PolynomialActivation)}
    assert list(found) == LAYERS == [path for path, *_ in RECIPE.polynomial_layers()]
    assert all(len(m.coefficients) == 4 and int(m.relu.sum()) == len(m.relu) // 2 for m in found.values())
    assert RECIPE.relu_count == 4 * 64 // 2 + 2 * 4 * 64 + 4 * 6 * 16 // 2
    assert sum(p.numel() for p in module.parameters()) == RECIPE.parameter_count
    graph = export_recipe(RECIPE, tmp_path / "m.pt", **BITS)
    assert graph.relu_count == RECIPE.relu_count
    assert sum(isinstance(node, PolynomialNode) for node in graph.nodes) == len(LAYERS)
    assert graph.meta["recipe"]["polynomial_count"] == 4 * 64 // 2 + 4 * 6 * 16 // 2
    assert parse_recipe(format_recipe(RECIPE), "again") == RECIPE


@pytest.mark.law
def test_random_networks_with_polynomials_stay_of_a_relus_size(tmp_path) -> None:
    recipe = dataclasses.replace(RECIPE, blocks=(8, 8), polynomials=("*",))
    graph = export_recipe(recipe, tmp_path / "m.pt", **BITS)
    assert max(graph.ranges.values()) < 1e5


@pytest.mark.slow
def test_weights_come_back_with_their_channels(tmp_path) -> None:
    torch.manual_seed(2)
    module = build(RECIPE)
    for path in LAYERS:
        part = module.get_submodule(path)
        part.relu.copy_(part.relu.flip(0))
        torch.nn.init.normal_(part.coefficients, std=0.2)
    torch.save(module.state_dict(), tmp_path / "state.pt")
    images = np.random.default_rng(1).standard_normal((16, 3, 8, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", images)
    graph = export_recipe(
        RECIPE, tmp_path / "m.pt", weights=tmp_path / "state.pt", calibration=tmp_path / "x.npy"
    )
    with torch.no_grad():
        expected = module(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(
        outputs(graph, images), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max()
    )

    module.stem.relu.relu[:] = True
    torch.save(module.state_dict(), tmp_path / "state.pt")
    with pytest.raises(ModelError, match=r"have 448 ReLUs, recipe small says 320.*polynomial_relu_fraction"):
        export_recipe(RECIPE, tmp_path / "m.pt", weights=tmp_path / "state.pt")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'polynomials = ["stages.4.*"]',
            r"'polynomials' names 'stages.4.\*'.*no ReLU layer.*they are stem.relu",
        ),
        ("polynomials = [1]", "'polynomials' is .1., allowed: a list of texts"),
        ("polynomial_degree = 4", "'polynomial_degree' is 4, allowed: a whole number from 2 to 3"),
        ("polynomial_relu_fraction = 1", "'polynomial_relu_fraction' is 1, allowed: a number from 0 to 0.99"),
        (
            'polynomials = ["stages.1.*"]\nkept_relus = 3',
            "'polynomials' does not match stem.relu: with 'kept_relus', polynomials are in every layer",
        ),
        (
            'cubics = ["*"]\nkept_relus = 3\npolynomial_relu_fraction = 0.5',
            "'polynomial_relu_fraction' does not go together with 'kept_relus': masks choose the ReLUs",
        ),
        ('polynomials = ["*"]\nkept_relus = 10000', "'kept_relus' is 10000, the network has 1152 without"),
        ('polynomials = ["*"]\nmerged = "full"', "'polynomials' does not go together with 'merged'"),
    ],
)
def test_keys_that_do_not_fit_are_named(line: str, message: str) -> None:
    lines = [old for old in TEXT.splitlines() if not old.startswith("polynomial")]
    with pytest.raises(ModelError, match=message):
        parse_recipe("\n".join([*lines, line]), "small")


def test_the_key_of_version_0_2_is_read() -> None:
    old = TEXT.replace("polynomial_relu_fraction", "polynomial_relu_share")
    assert old != TEXT and parse_recipe(old, "small") == parse_recipe(TEXT, "small")
    with pytest.raises(ModelError, match="'polynomial_relu_share' and 'polynomial_relu_fraction' are one"):
        parse_recipe(f"{old}\npolynomial_relu_fraction = 0.5", "small")


def test_any_recipe_takes_polynomials() -> None:
    recipe = with_polynomials(load_recipe("resnet32-cifar100-303104"), ["stem.relu", "stages.0.*"], 2, 0.0)
    shipped = load_recipe("resnet32-cifar100-quadratic-122880")
    assert recipe.name == "resnet32-cifar100-polynomial-122880"
    assert dataclasses.replace(recipe, name=shipped.name, published=None) == shipped
    with pytest.raises(ModelError, match="no ReLU layer matches"):
        with_polynomials(shipped, ["head"], 2, 0.0)
    relu6 = load_recipe("mobilenetv2-cifar10-1502208")
    with pytest.raises(ModelError, match="ReLU6: polynomials replace plain ReLUs only"):
        build(with_polynomials(relu6, ["*"], 2, 0.0), "meta")


MIXED = """polynomials = ["stages.0.*"]
cubics = ["stem.relu"]
identities = ["stages.1.0.relu?"]"""


@pytest.mark.slow
def test_layers_become_quadratic_cubic_linear_or_stay(tmp_path) -> None:
    text = "\n".join([line for line in TEXT.splitlines() if not line.startswith("polynomial")] + [MIXED])
    recipe = parse_recipe(text, "small")
    module = build(recipe)
    kinds = {
        path: len(part.coefficients) - 1
        for path, part in module.named_modules()
        if isinstance(part, PolynomialActivation)
    }
    assert kinds == {"stem.relu": 3, "stages.0.0.relu1": 2, "stages.0.0.relu2": 2}
    assert [path for path, _ in recipe.relu_shapes()] == ["stages.1.1.relu1", "stages.1.1.relu2"]
    assert recipe.relu_count == 2 * 6 * 16
    assert sum(p.numel() for p in module.parameters()) == recipe.parameter_count
    x = torch.randn(2, 6, 4, 4)
    assert torch.equal(module.stages[1][0].relu1(x), x)
    graph = export_recipe(recipe, tmp_path / "m.pt", **BITS)
    assert graph.relu_count == recipe.relu_count
    assert sum(isinstance(node, PolynomialNode) for node in graph.nodes) == 3
    assert parse_recipe(format_recipe(recipe), "again") == recipe


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('cubics = ["stem.relu"]', "'cubics' matches stem.relu, and so does 'polynomials'"),
        (
            'identities = ["stages.1.1.*"]',
            r"'identities' matches stages.1.1.relu1, and so does 'polynomials'",
        ),
        ('identities = ["nowhere"]', "'identities' names 'nowhere', which no ReLU layer matches"),
    ],
)
def test_a_layer_becomes_one_thing(line: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_recipe(TEXT + line, "small")
    with pytest.raises(ModelError, match="'identities' does not go together with 'kept_relus'"):
        parse_recipe(TEXT.partition("polynomials")[0] + 'identities = ["*"]\nkept_relus = 3', "small")


@pytest.mark.slow
@pytest.mark.parametrize("masks", ["pixel", "channel"])
def test_masks_choose_relus_among_polynomials(tmp_path, masks: str) -> None:
    lines = [line for line in TEXT.splitlines() if not line.startswith("polynomial")]
    more = [f'masks = "{masks}"', "kept_relus = 320", 'polynomials = ["stem.*"]', 'cubics = ["stages.*"]']
    recipe = parse_recipe("\n".join(lines + more), "small")
    assert (recipe.relu_count, recipe.polynomial_count) == (320, 1152 - 320)
    assert parse_recipe(format_recipe(recipe), "again") == recipe
    module = build(recipe)
    parameters = sum(p.numel() for name, p in module.named_parameters() if not name.endswith(".mask"))
    assert parameters == recipe.parameter_count
    graph = export_recipe(recipe, tmp_path / "m.pt", **BITS)
    assert (graph.relu_count, graph.polynomial_count) == (320, 1152 - 320)
    found = [node for node in graph.nodes if isinstance(node, PolynomialNode)]
    assert {graph.parameters[node.coefficients].shape[1] for node in found} == {3, 4}
    program, _ = compile_graph(graph)
    cubic = sum(math.prod(node.shape) for node in found if node.name.startswith("stages"))
    relus = sum(
        int(graph.masks[node.relu].sum()) * (math.prod(node.shape) // graph.masks[node.relu].size)
        for node in found
        if node.name.startswith("stages") and node.relu
    )
    assert (program.relu_count, program.square_count, program.product_count) == (320, 832, cubic - relus)

    torch.save(build(recipe).state_dict(), tmp_path / "state.pt")
    with pytest.raises(ModelError, match=r"the masks keep 1,152 ReLUs, recipe small says 320"):
        export_recipe(recipe, tmp_path / "m.pt", weights=tmp_path / "state.pt")


@pytest.mark.slow
@pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13),
    reason="torch 2.8 imports sympy to check",
)
def test_a_network_is_built_for_its_shapes_without_the_compiler_of_torch():
    """torch imports it, and sympy, for the first comparison of tensors without values: 1.3 s."""
    code = """if True:
        import sys
        from pi_bench.models import load_recipe
        from pi_bench.models.building import build
        build(load_recipe("resnet32-cifar100-quadratic-122880"), "meta")
        assert sys.modules.keys().isdisjoint(("sympy", "torch._dynamo"))
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
