"""Recipes as model files: random and given weights, refusals, ReLU counts after lowering."""

import numpy as np
import pytest

from pi_bench.errors import InputError, ModelError
from pi_bench.models import export_recipe, load_recipe, parse_recipe
from pi_bench.network.files.model_file import load_model
from pi_bench.network.graph import ReluNode
from pi_bench.network.graph.float_run import outputs

torch = pytest.importorskip("torch")

from pi_bench.models.building import build
from pi_bench.models.recipe_export import load_state
from pi_bench.network.lowering import lower

RECIPE = parse_recipe(
    """
schema = 1
name = "small"
family = "resnet"
dataset = "none"
input_shape = [3, 8, 8]
class_count = 5
blocks = [1, 2]
widths = [4, 6]
culled_stages = [1]
""",
    "small",
)


@pytest.fixture
def state():
    torch.manual_seed(3)
    return build(RECIPE).state_dict()


@pytest.mark.parametrize("name", ["resnet18-tinyimagenet-12288", "resnet18-cifar100-557056"])
def test_the_lowered_graph_has_the_published_count(name):
    recipe = load_recipe(name)
    graph = lower(build(recipe), torch.zeros(1, *recipe.input_shape))
    assert graph.relu_count == recipe.relu_count == int(name.rpartition("-")[2])
    shapes = [(node.name, node.shape) for node in graph.nodes if isinstance(node, ReluNode)]
    assert shapes == list(recipe.relu_shapes())


def test_the_exported_file_has_the_count_of_the_recipe(tmp_path):
    graph = export_recipe(RECIPE, tmp_path / "model.pt")
    assert load_model(tmp_path / "model.pt").relu_count == graph.relu_count == RECIPE.relu_count
    assert graph.meta["random_weights"] is True


def test_equal_seeds_make_equal_files(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        export_recipe(RECIPE, tmp_path / name, seed=seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b and a != c


def test_given_weights_are_used(tmp_path, state):
    # As training scripts leave them: in a checkpoint, after the prefixes of wrappers.
    wrapped = {f"module._orig_mod.{key}": value for key, value in state.items()}
    torch.save({"epoch": 1, "state_dict": wrapped}, tmp_path / "state.pt")
    images = np.random.default_rng(0).standard_normal((6, 3, 8, 8)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    export_recipe(
        RECIPE, tmp_path / "m.pt", weights=tmp_path / "state.pt", calibration=tmp_path / "images.npy"
    )
    graph = load_model(tmp_path / "m.pt")
    module = build(RECIPE)
    module.load_state_dict(state)
    with torch.no_grad():
        expected = module(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(outputs(graph, images), expected, atol=1e-5)
    assert graph.meta["random_weights"] is False
    assert graph.meta["calibration"] == {"source": "given inputs", "sample_count": 6}
    assert "seed" not in graph.meta


def test_weights_at_one_of_several_places_with_extra_tensors(tmp_path, state):
    """As a script leaves them that keeps an average of the weights and counts with them."""
    other = {key: value + 1 for key, value in state.items()}
    average = {**state, "score": torch.ones(1), "total_ops": torch.ones(1)}
    torch.save({"net": other, "ema": average}, tmp_path / "state.pt")
    with pytest.raises(ModelError, match="--weights-key"):
        export_recipe(RECIPE, tmp_path / "m.pt", weights=tmp_path / "state.pt")
    with pytest.raises(ModelError, match=r"unexpected: score.*--ignore-extra"):
        export_recipe(RECIPE, tmp_path / "m.pt", weights=tmp_path / "state.pt", weights_key="ema")
    chosen = {"weights": tmp_path / "state.pt", "weights_key": "ema", "ignore_extra": True}
    graph = export_recipe(RECIPE, tmp_path / "m.pt", **chosen)
    assert graph.meta["left_out_of_weights"] == ["total_ops", "score"]
    module, images = build(RECIPE).eval(), np.zeros((1, 3, 8, 8), np.float32)
    module.load_state_dict(state)
    expected = module(torch.from_numpy(images)).detach().numpy()
    np.testing.assert_allclose(outputs(graph, images), expected, atol=1e-5)


def refused(tmp_path, content):
    torch.save(content, tmp_path / "state.pt")
    with pytest.raises(ModelError) as caught:
        load_state(build(RECIPE), tmp_path / "state.pt")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_keys_that_do_not_fit_are_named(tmp_path, state):
    del state["stem.conv.weight"]
    state["classifier.bias"] = torch.zeros(7)
    state["fc.weight"] = torch.zeros(1)
    message = refused(tmp_path, state)
    assert "missing: stem.conv.weight;" in message
    assert "unexpected: fc.weight;" in message
    assert "of another shape: classifier.bias (7,) for (5,)" in message


def test_many_keys_are_counted(tmp_path):
    assert "missing: stem.conv.weight, stem.bn.weight, stem.bn.bias and 39 more" in refused(
        tmp_path, {"a": torch.zeros(1)}
    )


def test_counters_of_training_are_optional(tmp_path, state):
    fewer = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    torch.save(fewer, tmp_path / "state.pt")
    module = build(RECIPE)
    load_state(module, tmp_path / "state.pt")
    assert torch.equal(module.classifier.weight, state["classifier.weight"])


@pytest.mark.parametrize("content", [torch.zeros(2), {}, [1], {"epoch": 1}, {1: torch.zeros(1)}])
def test_what_is_no_state_dict(tmp_path, content):
    assert "holds no state_dict" in refused(tmp_path, content)


def test_a_model_file_is_no_state_dict(tmp_path):
    export_recipe(RECIPE, tmp_path / "model.pt")
    with pytest.raises(ModelError, match="is a model file, not weights"):
        load_state(build(RECIPE), tmp_path / "model.pt")


def test_pickled_modules_are_not_run(tmp_path):
    assert "nothing of it was run" in refused(tmp_path, build(RECIPE))


def test_weights_that_are_not_numbers(tmp_path, state):
    state["stem.conv.weight"][0, 0, 0, 0] = float("nan")
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(ModelError, match=r"stem\.conv"):
        export_recipe(RECIPE, tmp_path / "m.pt", weights=tmp_path / "state.pt")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read the weights .*none\.pt: No such file"):
        export_recipe(RECIPE, tmp_path / "m.pt", weights=tmp_path / "none.pt")
    with pytest.raises(
        InputError, match=r"cannot read the calibration inputs .*none\.npy: there is no such file"
    ):
        export_recipe(RECIPE, tmp_path / "m.pt", calibration=tmp_path / "none.npy")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 3, 8, 8), np.int64), r"dtype int64; float, \(samples, 3, 8, 8\), is needed"),
        (np.zeros((3, 8, 8)), r"shape \(3, 8, 8\); float, \(samples, 3, 8, 8\), is needed"),
        (np.zeros((2, 3, 9, 8)), r"shape \(2, 3, 9, 8\); float, \(samples, 3, 8, 8\), is needed"),
        (np.zeros((0, 3, 8, 8)), r"shape \(0, 3, 8, 8\)"),
        (np.full((2, 3, 8, 8), np.nan), "NaN or infinity"),
        (np.array([{}], dtype=object), "Python objects"),
    ],
)
def test_calibration_files_that_do_not_fit(tmp_path, array, words):
    np.save(tmp_path / "images.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=f"calibration inputs .*{words}"):
        export_recipe(RECIPE, tmp_path / "m.pt", calibration=tmp_path / "images.npy")
