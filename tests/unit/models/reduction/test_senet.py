"""SENet: budgets of layers, masks that follow differences of maps, matched maps, resumption and refusals."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import ModelError, TrainingError, UsageError
from pi_bench.models import parse_recipe
from pi_bench.models.building import build
from pi_bench.models.data import load_data
from pi_bench.models.networks.layer_outputs import layer_outputs
from pi_bench.models.networks.masked_relu import mask_relus, masked_relus
from pi_bench.models.recipe_export import load_state
from pi_bench.models.reduction.senet import SenetSettings, senet
from pi_bench.models.reduction.training_job import teacher_of
from pi_bench.models.senet.selection import select_masks, set_masks
from pi_bench.models.senet.sensitivity import layer_budgets, random_masks, relu_sensitivities
from pi_bench.models.senet.settings import SelectionSettings
from pi_bench.models.training import TrainingSettings
from pi_bench.models.training.batches import Batches
from pi_bench.models.training.map_matching import map_penalty

from .conftest import InlineEngine, numbered, weights_of, without_exports
from .test_budgets import run, run_killed

BUDGETS = (200, 60)


@pytest.fixture(scope="module")
def senet_settings(settings):
    return SenetSettings(
        budgets=BUDGETS,
        training=settings.training,
        selection=SelectionSettings(epoch_limit=3, settled=0.0, image_count=128, batch_size=256),
        finetuning=TrainingSettings(epochs=1, learning_rate=0.01, soft_weight=1.0, map_weight=1000.0),
        data_dir=settings.data_dir,
        device="cpu",
        threads=1,
    )


@pytest.fixture(scope="module")
def selected(base, senet_settings, tmp_path_factory):
    folder, engine = tmp_path_factory.mktemp("selected"), InlineEngine()
    with without_exports():
        return folder, run(senet, base, senet_settings, folder, engine), engine.titles


LAYERS = st.lists(
    st.tuples(st.integers(1, 50), st.sampled_from([0.0, 0.1, 0.5, 1.0])), min_size=1, max_size=6
)


@given(LAYERS, st.data())
def test_budgets_of_layers_add_up_and_fit(layers, data):
    sizes = {str(index): size for index, (size, _) in enumerate(layers)}
    sensitivities = {str(index): value for index, (_, value) in enumerate(layers)}
    budget = data.draw(st.integers(0, sum(sizes.values())))
    found = layer_budgets(sensitivities, sizes, budget)
    assert list(found) == list(sizes) and sum(found.values()) == budget
    assert all(0 <= found[path] <= sizes[path] for path in sizes)
    for a in sizes:  # of two layers of one size, the more sensitive one does not get fewer
        for b in sizes:
            if sizes[a] == sizes[b] and sensitivities[a] > sensitivities[b]:
                assert found[a] >= found[b]


def test_a_layer_of_which_pruning_leaves_little_is_sensitive(base):
    state = {name: value.clone() for name, value in build(base).state_dict().items()}
    state["stages.1.0.conv1.weight"] *= 100
    found = relu_sensitivities(base, state, density=0.1)
    assert set(found) == {path for path, _ in base.relu_shapes()}
    assert min(found, key=found.get) == "stages.1.0.relu1"


def test_budgets_are_met_in_each_layer(selected, base, senet_settings):
    folder, candidates, titles = selected
    assert titles == numbered(["teacher", "masks-200", "masks-60", "200", "60"])
    assert [(one.method, one.step, one.relu_count) for one in candidates[1:]] == [
        ("senet", "pixel-200", 200),
        ("senet", "pixel-60", 60),
    ]
    for budget in BUDGETS:
        place = folder / "selected" / str(budget) / f"budget-{budget}"
        layers = json.loads((place / "budget.json").read_text())["layers"]
        kept = {path: int(mask.sum()) for path, mask in np.load(place / "masks.npz").items()}
        assert kept == {path: layer["relu_count"] for path, layer in layers.items()}
        assert sum(kept.values()) == budget
        recipe = parse_recipe((folder / "networks" / str(budget) / "recipe.toml").read_text(), "x")
        assert (recipe.relu_count, recipe.masks) == (budget, "pixel")


@pytest.mark.usefixtures("one_thread")
def test_masks_lie_where_the_maps_differ_most(selected, base, tmp_path, monkeypatch):
    """Without training between, the choice follows from random masks and the teacher alone."""
    monkeypatch.setattr("pi_bench.models.senet.selection.train_epoch", lambda *_, **__: 0.0)
    teacher = teacher_of(str(selected[0] / "teacher"))
    data = load_data("digits", base.input_shape, data_dir=tmp_path)
    settings = SelectionSettings(epoch_limit=1, image_count=1 << 30)
    select_masks(base, data, settings, 60, tmp_path, teacher=teacher)
    chosen = np.load(tmp_path / "budget-60" / "masks.npz")

    full, partial = build(base).eval(), build(base).eval()
    load_state(full, teacher.weights), load_state(partial, teacher.weights)
    mask_relus(partial, base.relu_shapes(), "pixel")
    shapes = {path: tuple(part.mask.shape) for path, part in masked_relus(partial).items()}
    set_masks(partial, random_masks({p: int(chosen[p].sum()) for p in shapes}, shapes, settings.seed))
    batches = Batches(data, settings.validation_fraction, torch.device("cpu"))
    images = batches.normalized(batches.train.images)
    with layer_outputs(partial, shapes) as mine, layer_outputs(full, shapes) as theirs, torch.no_grad():
        partial(images), full(images)
    for path in shapes:
        difference = (mine[path] - theirs[path]).abs().double().mean(dim=0).numpy()
        kept, left_out = difference[chosen[path][0]], difference[~chosen[path][0]]
        assert not len(kept) or not len(left_out) or kept.min() >= left_out.max() - 1e-6, path


def test_matching_pulls_maps_to_those_of_the_teacher(selected, base):
    folder, _, _ = selected
    recipe = parse_recipe((folder / "networks" / "60" / "recipe.toml").read_text(), "x")
    module, full = build(recipe), build(base)
    load_state(full, folder / "teacher" / "state.pt")
    load_state(module, folder / "selected" / "60" / "budget-60" / "start.pt")
    images = torch.rand(32, *base.input_shape)
    with map_penalty(module, full, TrainingSettings(map_weight=1000.0)) as penalty:
        found = []
        optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=1e-3)
        for _ in range(5):
            module(images), full(images)
            loss = penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(float(loss.detach()))
    assert 0 < found[-1] < found[0]
    with (
        pytest.raises(ModelError, match=r"the teacher has none at stem\.relu"),
        map_penalty(module, torch.nn.Linear(2, 2), TrainingSettings(map_weight=1.0)),
    ):
        pass


@pytest.mark.usefixtures("no_export")
def test_a_search_that_was_killed_ends_with_the_same_weights(selected, base, senet_settings, tmp_path):
    run_killed(senet, base, senet_settings, tmp_path, ("masks-60", 2), ("60", 0))
    wanted = weights_of(selected[0])
    for folder, found in weights_of(tmp_path).items():
        assert found == wanted[folder], folder


def test_nothing_is_done_twice_and_budgets_may_follow(selected, base, senet_settings):
    folder, candidates, _ = selected
    engine = InlineEngine()
    assert run(senet, base, senet_settings, folder, engine) == candidates
    assert engine.names == []
    more = dataclasses.replace(senet_settings, budgets=(100,))
    run(senet, base, more, folder, engine)
    assert engine.names == ["masks-100", "100"]
    other = dataclasses.replace(senet_settings.selection, density=0.2)
    with pytest.raises(TrainingError, match="another search, with another selection"):
        run(senet, base, dataclasses.replace(senet_settings, selection=other), folder)


def test_what_is_refused(base, senet_settings, tmp_path):
    too_many = dataclasses.replace(senet_settings, budgets=(base.relu_count,))
    with pytest.raises(UsageError, match="a budget must be below that"):
        run(senet, base, too_many, tmp_path / "out")
    with pytest.raises(UsageError, match=r"selection: density is 2, allowed: 0.0001 to 0.99"):
        SelectionSettings(density=2)
    assert not (tmp_path / "out").exists()
