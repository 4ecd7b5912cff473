"""Filter pruning by each criterion, and LFPC's choice of one per layer."""

import dataclasses
import json

import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import TrainingError, UsageError
from pi_bench.models import parse_recipe
from pi_bench.models.building import build
from pi_bench.models.data import Split, load_data
from pi_bench.models.filter_criteria import CRITERIA
from pi_bench.models.lfpc.choice import choose_criteria
from pi_bench.models.lfpc.sampling import channel_masks, masked_channels, sampled
from pi_bench.models.lfpc.settings import CriteriaSettings
from pi_bench.models.pruning import (
    chosen_layers,
    kept_filters,
    norm_choices,
    pruned_recipe,
    pruned_state,
)
from pi_bench.models.random_weights import noise_images, randomize
from pi_bench.models.reduction.prune import PruningSettings, prune
from pi_bench.models.training import TrainingSettings
from pi_bench.models.training.batches import Batches
from pi_bench.models.training.train_recipe import Teacher

from .conftest import InlineEngine, numbered, weights_of, without_exports
from .test_budgets import run, run_killed

BUDGETS = (300, 260)


def _at(place, value):
    return [value if index == place else 0.0 for index in range(18)]


@pytest.fixture(scope="module")
def pruning_settings(settings):
    return PruningSettings(
        budgets=BUDGETS,
        training=settings.training,
        finetuning=TrainingSettings(epochs=1, learning_rate=0.01, soft_weight=1.0),
        data_dir=settings.data_dir,
        device="cpu",
        threads=1,
        criterion="lfpc",
        sampling=CriteriaSettings(step_count=50, batch_size=64),
    )


@pytest.fixture(scope="module")
def pruned(base, pruning_settings, tmp_path_factory):
    folder, engine = tmp_path_factory.mktemp("pruned"), InlineEngine()
    with without_exports():
        return folder, run(prune, base, pruning_settings, folder, engine), engine.titles


@pytest.fixture(scope="module")
def wide(base):
    """A network with a shortcut and with blocks that keep the shape of the stream."""
    return dataclasses.replace(base, blocks=(2, 2), widths=(8, 16), name="wide")


@pytest.mark.parametrize("number", range(3))
def test_masked_channels_compute_what_the_pruned_network_computes(wide, number):
    half = pruned_recipe(wide, wide.relu_count // 2)
    paths = [path for path, _ in chosen_layers(wide, half)]
    criteria = {path: CRITERIA[(index + number) % 3] for index, path in enumerate(paths)}
    torch.manual_seed(3)
    module, images = build(wide), noise_images(8, wide.input_shape, 5)
    randomize(module, images, 5)
    masks_of = channel_masks(module.state_dict(), wide, half)
    assert list(masks_of) == paths
    assert any(not torch.equal(masks[0], masks[1]) for masks in masks_of.values())
    small = build(half)
    small.load_state_dict(pruned_state(module.state_dict(), wide, half, criteria))
    with masked_channels(module, wide) as masks, torch.no_grad():
        masks.update({path: masks_of[path][CRITERIA.index(criteria[path])] for path in paths})
        images = torch.from_numpy(images)
        torch.testing.assert_close(small.eval()(images), module.eval()(images), rtol=1e-4, atol=1e-4)


def test_samples_are_one_criterion_each_with_the_probabilities_of_the_logits():
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1]])).requires_grad_()
    generator = torch.Generator().manual_seed(1)
    rows = torch.cat([sampled(logits, 0.5, generator) for _ in range(2000)])
    assert set(rows.flatten().tolist()) == {0.0, 1.0} and rows.sum(dim=1).eq(1).all()
    assert rows.mean(dim=0).tolist() == pytest.approx([0.7, 0.2, 0.1], abs=0.03)
    rows[:, 2].sum().backward()
    assert logits.grad[0, 2] > 0 > logits.grad[0, 0]


# Weights of the live input channel and of the dead one, for two filters that are useful and two that are
# not. Every criterion but the one ranks a useless filter above a useful one. Batch norms undo the norms.
FILTERS = {
    "l1": ([[0.5] * 9 + [0.0] * 9, [0.5] * 8 + [-0.5] + [0.0] * 9], [_at(9, 2.0), _at(10, 2.0)]),
    "l2": ([_at(0, 2.0), [2.0, 0.1] + [0.0] * 16], [[0.25] * 18, [-0.25] * 18]),
    "geometric-median": ([_at(0, 2.0), _at(0, -2.0)], [_at(9, 3.0), _at(9, 3.0)]),
}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("right", CRITERIA)
def test_the_criterion_that_keeps_the_useful_filters_is_found(base, tmp_path, right):
    """In all other layers, every criterion removes the second half of the filters, which does nothing."""
    half = pruned_recipe(base, base.relu_count // 2)
    torch.manual_seed(1)
    module = build(base)
    with torch.no_grad():
        for norm in norm_choices(base):
            conv = module.get_submodule(norm.replace("bn", "conv"))
            dead = slice(len(conv.weight) // 2, None)
            conv.weight[dead] = 0
            module.get_submodule(norm).weight[dead] = 0
        useful, useless = FILTERS[right]
        inner = module.stages[1][0].conv1
        inner.weight.copy_(torch.tensor([*useful, *useless]).reshape(inner.weight.shape))
        module.classifier.weight *= 20
    torch.save(module.state_dict(), tmp_path / "state.pt")
    kept = kept_filters(module.state_dict(), base, half, right)["stages.1.0.conv1"].tolist()
    assert kept == [0, 1]
    data = load_data("digits", base.input_shape, data_dir=tmp_path)
    batches = Batches(data, 0.0, torch.device("cpu"))
    with torch.no_grad():  # the labels are the network's own answers, so every change of it costs loss
        labels = module.train()(batches.normalized(batches.train.images)).argmax(dim=1)
    data = dataclasses.replace(data, train=Split(data.train.images, labels.numpy()))
    settings = CriteriaSettings(step_count=100, validation_fraction=0.0)
    found = choose_criteria(
        base, half, data, settings, tmp_path, teacher=Teacher(base, tmp_path / "state.pt")
    )
    layer = found["stages.1.0.conv1"]
    assert layer["criterion"] == right
    assert sum(layer["probabilities"].values()) == pytest.approx(1)
    assert layer["probabilities"][right] > 0.6


def test_each_layer_is_pruned_by_its_criterion(pruned, base):
    folder, candidates, titles = pruned
    assert titles == numbered(["teacher", "criteria-300", "criteria-260", "300", "260"])
    assert [(one.method, one.step, one.relu_count) for one in candidates[1:]] == [
        ("lfpc", "filters-300", 288),
        ("lfpc", "filters-260", 256),
    ]
    teacher = torch.load(folder / "teacher" / "state.pt", weights_only=True)
    for budget in BUDGETS:
        layers = json.loads((folder / "criteria" / str(budget) / "criteria.json").read_text())["layers"]
        criteria = {path: layer["criterion"] for path, layer in layers.items()}
        recipe = parse_recipe((folder / "networks" / str(budget) / "recipe.toml").read_text(), "x")
        assert recipe.name == f"small-digits-lfpc-{recipe.relu_count}"
        start = torch.load(folder / "pruned" / f"budget-{budget}" / "start.pt", weights_only=True)
        wanted = pruned_state(teacher, base, recipe, criteria)
        assert all(torch.equal(start[name], wanted[name]) for name in wanted)


@pytest.mark.usefixtures("no_export")
def test_a_search_that_was_killed_ends_with_the_same_weights(pruned, base, pruning_settings, tmp_path):
    run_killed(prune, base, pruning_settings, tmp_path, ("criteria-260", 2), ("260", 0))
    wanted = weights_of(pruned[0])
    for folder, found in weights_of(tmp_path).items():
        assert found == wanted[folder], folder
    for budget in BUDGETS:
        file = f"criteria/{budget}/criteria.json"
        assert (tmp_path / file).read_text() == (pruned[0] / file).read_text()


@pytest.mark.usefixtures("no_export")
def test_each_norm_is_a_search_of_its_own(pruned, base, pruning_settings, tmp_path):
    teacher = pruned[0] / "teacher"
    settings = dataclasses.replace(pruning_settings, criterion="geometric-median", teacher=teacher)
    found = run(prune, base, settings, tmp_path)
    assert [one.method for one in found] == ["geometric-median-pruning"] * 2
    assert not (tmp_path / "criteria").exists()
    for other in ("l1", "l2", "lfpc"):
        with pytest.raises(TrainingError, match="another search, with another criterion"):
            run(prune, base, dataclasses.replace(settings, criterion=other), tmp_path)


def test_nothing_is_done_twice_and_what_is_refused(pruned, base, pruning_settings):
    folder, candidates, _ = pruned
    engine = InlineEngine()
    assert run(prune, base, pruning_settings, folder, engine) == candidates
    assert engine.names == []
    other = dataclasses.replace(pruning_settings, sampling=CriteriaSettings(step_count=9))
    with pytest.raises(TrainingError, match="another search, with another sampling"):
        run(prune, base, other, folder)
    with pytest.raises(UsageError, match="criterion is 'l3', allowed: l1, l2, geometric-median, lfpc"):
        dataclasses.replace(pruning_settings, criterion="l3")
    with pytest.raises(UsageError, match="sampling: step_count is 0, allowed: 1 to 1e"):
        CriteriaSettings(step_count=0)
