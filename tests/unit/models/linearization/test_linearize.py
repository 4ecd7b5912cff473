"""Algorithm 1 end to end on a tiny network: budgets met exactly, exact resume, masks that run as they are."""

import csv
import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pi_bench.errors import ModelError, TrainingError, UsageError
from pi_bench.models.building import build
from pi_bench.models.linearization import mask_training
from pi_bench.models.linearization.linearize import budget_folder, linearize
from pi_bench.models.networks.masked_relu import kept_relu_count, masked_relus
from pi_bench.models.recipe_export import load_state
from pi_bench.models.training import TrainingSettings
from pi_bench.models.training.train_recipe import Teacher, train_recipe
from pi_bench.models.training.training_files import START_FILE
from pi_bench.network.files.model_file import load_model
from pi_bench.network.graph import ReluNode
from pi_bench.network.graph.float_run import outputs

RELU_COUNT = 2 * 4 * 64 + 2 * 8 * 16
BUDGETS = (300, 200, 120)


class Killed(BaseException):
    """Stands for the end of the process in the middle of an epoch."""


def rows_of(folder):
    rows = list(csv.DictReader((folder / "log.csv").read_text().splitlines()))
    return [{key: value for key, value in row.items() if "seconds" not in key} for row in rows]


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("log.csv", "checkpoint.pt")
    }


@pytest.fixture(scope="module")
def linearized(recipe, blobs, teacher, quickly, tmp_path_factory):
    folder = tmp_path_factory.mktemp("linearized")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    recipes = linearize(recipe, blobs, quickly, BUDGETS, folder, teacher=teacher)
    torch.set_num_threads(threads)
    return folder, recipes


def test_each_budget_is_met_exactly(linearized):
    folder, recipes = linearized
    for budget in BUDGETS:
        place, recipe = budget_folder(folder, budget), recipes[budget]
        assert (recipe.relu_count, recipe.kept_relus, recipe.maskable_count) == (budget, budget, RELU_COUNT)
        module = build(recipe)
        load_state(module, place / START_FILE)
        assert kept_relu_count(module) == budget
        with np.load(place / "masks.npz") as kept, np.load(place / "masks-before.npz") as before:
            assert sum(int(kept[site].sum()) for site in kept) == budget
            assert list(kept) == list(before) == list(masked_relus(module))
            inside = np.concatenate([before[site][kept[site]] for site in kept])
            outside = np.concatenate([before[site][~kept[site]] for site in kept])
            assert inside.min() >= outside.max()
            for site, part in masked_relus(module).items():
                np.testing.assert_array_equal(part.mask.numpy(), kept[site].astype(np.float32))
                assert not part.mask.requires_grad


def test_each_result_is_the_last_epoch_above_its_budget(linearized, quickly):
    folder, _ = linearized
    counts = [RELU_COUNT, *(int(row["relu_count"]) for row in rows_of(folder))]
    assert counts[-1] <= min(BUDGETS) < counts[-2]
    for budget in BUDGETS:
        facts = json.loads((budget_folder(folder, budget) / "budget.json").read_text())
        first_below = next(epoch for epoch, count in enumerate(counts) if count <= budget)
        assert facts == {
            "budget": budget,
            "relu_count": budget,
            "epoch": first_below - 1,
            "relu_count_before": counts[first_below - 1],
        }
        with np.load(budget_folder(folder, budget) / "masks-before.npz") as before:
            above = sum(int((before[site] > quickly.threshold).sum()) for site in before)
        assert above == facts["relu_count_before"] > budget


def test_lambda_follows_its_law(linearized, quickly):
    coefficient, lowest = quickly.lasso, RELU_COUNT
    for row in rows_of(linearized[0]):
        assert float(row["lasso"]) == pytest.approx(coefficient)
        if int(row["relu_count"]) >= lowest:
            coefficient *= quickly.lasso_growth
        lowest = min(lowest, int(row["relu_count"]))
    assert lowest < RELU_COUNT


def test_several_budgets_in_one_linearization_are_each_alone(
    linearized, recipe, blobs, teacher, quickly, tmp_path
):
    linearize(recipe, blobs, quickly, [BUDGETS[1]], tmp_path, teacher=teacher)
    alone = files_of(tmp_path / f"budget-{BUDGETS[1]}")
    assert alone == files_of(linearized[0] / f"budget-{BUDGETS[1]}")
    # A smaller budget goes on from there, a larger one would have to start again.
    linearize(recipe, blobs, quickly, BUDGETS[1:], tmp_path, teacher=teacher)
    assert files_of(tmp_path / f"budget-{BUDGETS[2]}") == files_of(linearized[0] / f"budget-{BUDGETS[2]}")
    with pytest.raises(TrainingError, match=r"gone down to \d+ ReLUs and did not stop at 300"):
        linearize(recipe, blobs, quickly, BUDGETS, tmp_path, teacher=teacher)


def test_a_resumed_linearization_equals_an_uninterrupted_one(
    linearized, recipe, blobs, teacher, quickly, tmp_path
):
    """It is killed in the first epoch, of which nothing is saved, and in the third one."""
    for epoch in (1, 3):

        def kill(what, done, total, epoch=epoch):
            if f"epoch {epoch}:" in what:
                raise Killed

        with pytest.raises(Killed):
            linearize(recipe, blobs, quickly, BUDGETS, tmp_path, teacher=teacher, progress=kill)
        assert (tmp_path / "checkpoint.pt").exists() == (epoch > 1)
        torch.rand(5)  # nothing may depend on the global generator
    linearize(recipe, blobs, quickly, BUDGETS, tmp_path, teacher=teacher)
    assert files_of(tmp_path) == files_of(linearized[0])
    assert rows_of(tmp_path) == rows_of(linearized[0])


def test_a_kill_between_a_result_and_its_checkpoint(
    linearized, recipe, blobs, teacher, quickly, tmp_path, monkeypatch
):
    saved = mask_training.save_tensors

    def killed_once_reached(path, content):
        if content["reached"]:
            raise Killed
        saved(path, content)

    monkeypatch.setattr(mask_training, "save_tensors", killed_once_reached)
    with pytest.raises(Killed):
        linearize(recipe, blobs, quickly, BUDGETS, tmp_path, teacher=teacher)
    monkeypatch.undo()
    linearize(recipe, blobs, quickly, BUDGETS, tmp_path, teacher=teacher)
    assert files_of(tmp_path) == files_of(linearized[0])


def test_test_images_choose_nothing(linearized, recipe, blobs, teacher, quickly, tmp_path):
    shuffled = dataclasses.replace(blobs.test, labels=blobs.test.labels[::-1].copy())
    other = dataclasses.replace(blobs, test=shuffled)
    linearize(recipe, other, quickly, BUDGETS[:1], tmp_path, teacher=teacher)
    place = f"budget-{BUDGETS[0]}"
    assert files_of(tmp_path / place) == files_of(linearized[0] / place)


def test_finetuning_keeps_the_masks_and_exports_them(linearized, blobs, teacher, tmp_path):
    folder, recipes = linearized
    place = budget_folder(folder, 120)
    settings = TrainingSettings(epochs=3, batch_size=60, learning_rate=0.02, schedule="cosine", soft_weight=1)
    result = train_recipe(recipes[120], blobs, settings, tmp_path, teacher=teacher, start=place / START_FILE)
    assert result["recipe"]["relu_count"] == 120
    assert result["test_accuracy_pct"] > 60  # 33 by chance
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    graph = load_model(tmp_path / "model.pt")
    relus = [node for node in graph.nodes if isinstance(node, ReluNode)]
    with np.load(place / "masks.npz") as kept:
        for site in kept:
            np.testing.assert_array_equal(state[f"{site}.mask"].numpy() == 1, kept[site])
        found = {
            node.name.removesuffix(".masked_relu"): graph.masks[node.mask] if node.mask else True
            for node in relus
        }
        for site in kept:
            np.testing.assert_array_equal(np.broadcast_to(found[site], kept[site][0].shape), kept[site][0])
    assert graph.relu_count == 120
    begun = torch.load(place / START_FILE, weights_only=True)
    assert not torch.equal(begun["classifier.weight"], state["classifier.weight"])
    mean, deviation = (np.array(result["data"][key]).reshape(1, 2, 1, 1) for key in ("mean", "deviation"))
    images = ((blobs.test.images / 255 - mean) / deviation).astype(np.float32)
    right = outputs(graph, images).argmax(axis=1) == blobs.test.labels
    assert 100 * right.mean() == pytest.approx(result["test_accuracy_pct"], abs=0.01)


def test_masks_must_be_those_of_the_recipe(linearized, blobs, tmp_path):
    folder, recipes = linearized
    settings = TrainingSettings(epochs=1)
    with pytest.raises(ModelError, match=r"the masks keep 200 ReLUs, recipe .* says 120"):
        train_recipe(recipes[120], blobs, settings, tmp_path, start=budget_folder(folder, 200) / START_FILE)
    with pytest.raises(ModelError, match=r"the masks keep 768 ReLUs, recipe .* says 120"):
        train_recipe(recipes[120], blobs, settings, tmp_path)


def test_channels_stay_or_go_as_a_whole(recipe, blobs, teacher, channels, tmp_path):
    found = linearize(recipe, blobs, channels, [300, 100], tmp_path, teacher=teacher)
    for budget, network in found.items():
        assert network.masks == "channel"
        assert budget - 64 < network.relu_count <= budget
        module = build(network)
        load_state(module, budget_folder(tmp_path, budget) / START_FILE)
        assert kept_relu_count(module) == network.relu_count
        with np.load(budget_folder(tmp_path, budget) / "masks.npz") as kept:
            assert {kept[site].shape for site in kept} == {(1, 4, 1, 1), (1, 8, 1, 1)}


@pytest.mark.parametrize(
    ("masks", "budget", "message"),
    [
        ("pixel", RELU_COUNT, "tiny-blobs has 768 ReLUs, a budget must be below that"),
        ("pixel", 10**9, "a budget must be below that"),
        ("pixel", 0, "1 is the least"),
        ("channel", 15, "16 is the least for tiny-blobs, its smallest channel has 16"),
    ],
)
def test_impossible_budgets(recipe, blobs, teacher, quickly, tmp_path, masks, budget, message):
    settings = dataclasses.replace(quickly, masks=masks)
    with pytest.raises(UsageError, match=f"--budget {budget}: .*{message}"):
        linearize(recipe, blobs, settings, [100, budget], tmp_path / "out", teacher=teacher)
    assert not (tmp_path / "out").exists()


def test_a_budget_that_is_not_reached_is_named(recipe, blobs, teacher, quickly, tmp_path):
    weak = dataclasses.replace(quickly, lasso=1e-9, epoch_limit=2)
    with pytest.raises(TrainingError, match=r"2 epochs left \d+ ReLUs, .* 100: raise --lasso above 1e-09"):
        linearize(recipe, blobs, weak, [100], tmp_path, teacher=teacher)


def test_divergence_is_named(recipe, blobs, teacher, quickly, tmp_path):
    wild = dataclasses.replace(quickly, learning_rate=1e6)
    with pytest.raises(
        TrainingError, match=r"diverged in epoch .* use a lower --mask-learning-rate than 1e\+06"
    ):
        linearize(recipe, blobs, wild, [1], tmp_path, teacher=teacher)


def test_a_teacher_of_another_network_is_refused(recipe, blobs, teacher, quickly, tmp_path):
    wider = Teacher(dataclasses.replace(recipe, alpha=2.0), teacher.weights)
    with pytest.raises(ModelError, match="the trained network is another one"):
        linearize(recipe, blobs, quickly, [100], tmp_path, teacher=wider)


def test_another_linearization_in_the_folder_is_refused(linearized, recipe, blobs, teacher, quickly):
    other = dataclasses.replace(quickly, lasso=1e-4)
    with pytest.raises(TrainingError, match="another lasso"):
        linearize(recipe, blobs, other, BUDGETS, linearized[0], teacher=teacher)


def test_a_checkpoint_of_an_earlier_version_is_refused(
    linearized, recipe, blobs, teacher, quickly, tmp_path, monkeypatch
):
    """Its budgets were under another key."""
    saved = mask_training.save_tensors
    monkeypatch.setattr(
        mask_training,
        "save_tensors",
        lambda path, content: saved(path, {"landings": content.pop("reached"), **content}),
    )
    linearize(recipe, blobs, quickly, [BUDGETS[0]], tmp_path, teacher=teacher)
    with pytest.raises(TrainingError, match="is of an earlier version of pi-bench: choose another --output"):
        linearize(recipe, blobs, quickly, BUDGETS, tmp_path, teacher=teacher)
