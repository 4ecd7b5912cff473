"""Layers whose channels are of several kinds: recipes, the module, weights, and the exported network."""

import dataclasses

import numpy as np
import pytest

from pi_bench.errors import ModelError
from pi_bench.models import export_recipe, parse_recipe
from pi_bench.models.mixture import KINDS, Mixture
from pi_bench.models.recipe_writing import format_recipe
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph.float_run import outputs
from pi_bench.network.program import ActivationKind, ActivationOp, MultiplyOp

torch = pytest.importorskip("torch")

from pi_bench.models.building import build
from pi_bench.models.networks.mixed import MixedActivation
from pi_bench.models.networks.moments import input_moments
from pi_bench.models.networks.polynomial import nearest_to_relu
from pi_bench.models.training.polynomial_training import set_relu_part, start_polynomials

TEXT = """
schema = 1
name = "small"
family = "resnet"
dataset = "none"
input_shape = [3, 8, 8]
class_count = 5
blocks = [1, 1]
widths = [4, 6]
mixtures = ["stem.relu: 1 relu, 1 cubic, 1 quadratic, 1 linear", "stages.1.0.relu1: 2 relu, 4 linear"]
identities = ["stages.1.0.relu2"]
"""
RECIPE = parse_recipe(TEXT, "small")
PATHS = ["stem.relu", "stages.1.0.relu1"]


def changed(line):
    return "\n".join([*(old for old in TEXT.splitlines() if not old.startswith(("mixtures", "ident"))), line])


def scrambled():
    """A network whose kinds lie at other channels, with coefficients far from those of a start."""
    torch.manual_seed(2)
    module = build(RECIPE)
    for path in PATHS:
        part = module.get_submodule(path)
        part.rearrange(torch.randperm(len(part.relu)))
        torch.nn.init.normal_(part.coefficients, std=0.3)
    return module


@pytest.mark.slow
def test_a_recipe_counts_and_writes_its_mixtures(tmp_path):
    assert RECIPE.relu_count == 64 + 2 * 4 * 64 + 2 * 16
    assert [path for path, _ in RECIPE.relu_shapes()] == ["stages.0.0.relu1", "stages.0.0.relu2"]
    assert parse_recipe(format_recipe(RECIPE), "again") == RECIPE
    module = build(RECIPE)
    assert sum(p.numel() for p in module.parameters()) == RECIPE.parameter_count
    graph = export_recipe(RECIPE, tmp_path / "m.pt")
    assert graph.relu_count == RECIPE.relu_count
    assert graph.meta["recipe"]["polynomial_count"] == 2 * 64
    assert graph.polynomial_count == 3 * 64  # a linear channel counts there, as it has no ReLU


def test_each_channel_has_its_kind_and_trains_up_to_its_degree():
    part = scrambled().stem.relu
    x = torch.randn(3, 4, 8, 8, requires_grad=True)
    y = part(x)
    pairs = zip(part.relu.flatten().tolist(), part.degrees.flatten().tolist(), strict=True)
    kinds = {pair: channel for channel, pair in enumerate(pairs)}
    relu, cubic, quadratic, linear = (kinds[key] for key in ((True, 1), (False, 3), (False, 2), (False, 1)))
    c = part.coefficients.detach()[:, :, 0, 0]
    torch.testing.assert_close(y[:, relu], x[:, relu].relu())
    assert torch.equal(y[:, linear], x[:, linear])
    for channel, degree in ((quadratic, 2), (cubic, 3)):
        wanted = sum(c[power, channel] * x[:, channel] ** power for power in range(degree + 1))
        torch.testing.assert_close(y[:, channel], wanted)
    y.square().sum().backward()
    trained = part.coefficients.grad[:, :, 0, 0] != 0
    assert trained.sum(dim=0)[[relu, cubic, quadratic, linear]].tolist() == [0, 4, 3, 0]


@pytest.mark.slow
def test_the_exported_network_has_the_kinds_exactly(tmp_path):
    """Only channels with a square are multiplied, and only ReLU channels have ReLUs; answers are equal."""
    module = scrambled()
    torch.save(module.state_dict(), tmp_path / "state.pt")
    images = np.random.default_rng(1).standard_normal((16, 3, 8, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", images)
    graph = export_recipe(
        RECIPE, tmp_path / "m.pt", weights=tmp_path / "state.pt", calibration=tmp_path / "x.npy"
    )
    with torch.no_grad():
        wanted = module.eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(outputs(graph, images), wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
    program, _ = compile_graph(graph)
    assert [op.shape[1] for op in program.ops if isinstance(op, MultiplyOp)] == [
        2,
        1,
    ]  # squares, then the cube
    relus = [
        group.count
        for op in program.ops
        if isinstance(op, ActivationOp)
        for group in op.groups
        if group.kind is ActivationKind.RELU
    ]
    assert sum(relus) == RECIPE.relu_count


def test_a_training_starts_from_the_nearest_polynomial_of_each_degree_and_replaces_relus_slowly():
    module = scrambled()
    torch.nn.init.uniform_(module.stem.bn.weight, 0.5, 2.0), torch.nn.init.normal_(module.stem.bn.bias)
    moments = input_moments(module)["stem.relu"]
    assert start_polynomials(module) >= 1
    part = module.stem.relu
    found = part.current_coefficients().detach()[:, :, 0, 0].double()
    for degree in (2, 3):
        channels = (part.degrees.flatten() == degree) & ~part.relu.flatten()
        wanted = nearest_to_relu(moments.mean, moments.deviation, degree)[:, channels]
        torch.testing.assert_close(found[: degree + 1, channels], wanted, rtol=1e-5, atol=1e-6)
    x = torch.randn(2, 4, 8, 8)
    set_relu_part(module, 1.0)
    torch.testing.assert_close(part(x), x.relu())


def test_weights_of_other_mixtures_are_refused(tmp_path):
    module = scrambled()
    module.stem.relu.set_kinds(torch.tensor([0, 0, 2, 3]))
    torch.save(module.state_dict(), tmp_path / "state.pt")
    with pytest.raises(ModelError, match=r"have stem.relu: 2 relu, 1 quadratic, 1 linear; the recipe says"):
        export_recipe(RECIPE, tmp_path / "m.pt", weights=tmp_path / "state.pt")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('mixtures = ["stem.relu"]', "'mixtures' is .*allowed: a list of texts such as"),
        ('mixtures = ["stem.relu: 4 relu"]', "'mixtures' is .* of two kinds or more"),
        ('mixtures = ["stem.relu: 2 relu, 2 relu"]', "'mixtures' is "),
        ('mixtures = ["stem.relu: 2 relu, 2 quartic"]', "'mixtures' is "),
        ('mixtures = ["stem.relu: 4 relu, 0 cubic"]', "'mixtures' is "),
        ("mixtures = [3]", "'mixtures' is "),
        ('mixtures = ["head.relu: 2 relu, 2 cubic"]', "names 'head.relu', which no ReLU layer matches"),
        ('mixtures = ["stem.relu: 2 relu, 3 cubic"]', "has 5 channels in stem.relu, which has 4"),
        (
            'mixtures = ["stem.relu: 2 relu, 2 cubic", "stem.relu: 1 relu, 3 cubic"]',
            "names stem.relu twice: a layer has one mixture",
        ),
        (
            'mixtures = ["stem.relu: 2 relu, 2 cubic"]\ncubics = ["stem.*"]',
            "'mixtures' matches stem.relu, and so does 'cubics'",
        ),
        (
            'mixtures = ["stem.relu: 2 relu, 2 cubic"]\nkept_relus = 3',
            "'mixtures' does not go together with 'kept_relus'",
        ),
        (
            'mixtures = ["stem.relu: 2 relu, 2 cubic"]\nmerged = "full"',
            "'mixtures' does not go together with 'merged'",
        ),
    ],
)
def test_mixtures_that_do_not_fit_are_named(line, message):
    with pytest.raises(ModelError, match=message):
        parse_recipe(changed(line), "small")


def test_relu6_cannot_become_a_mixture():
    from pi_bench.models import load_recipe

    relu6 = load_recipe("mobilenetv2-cifar10-1502208")
    path, channels = next((layer.path, layer.shape[0]) for layer in relu6.layers() if layer.relu_count)
    mixed = dataclasses.replace(relu6, mixtures=(Mixture(path, relu=1, linear=channels - 1),))
    with pytest.raises(ModelError, match="ReLU6: mixtures replace plain ReLUs only"):
        build(mixed, "meta")


def test_the_kinds_of_a_layer_are_those_that_were_set():
    part = MixedActivation((6, 2, 2), {"relu": 6})
    part.set_kinds(torch.tensor([3, 0, 1, 1, 2, 3]))
    assert [part.counts[kind] for kind in KINDS] == [1, 2, 1, 2]
