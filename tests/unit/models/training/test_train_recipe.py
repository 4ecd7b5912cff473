"""A training ends where it should: chosen epoch, exact resume, whole files, and a model to measure."""

import csv
import dataclasses
import json
import multiprocessing
import os
import resource
import signal

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pi_bench.errors import ModelError, OutputError, TrainingError
from pi_bench.models import load_recipe, parse_recipe
from pi_bench.models.data import Split
from pi_bench.models.training import trainer
from pi_bench.models.training.batches import Batches
from pi_bench.models.training.epoch import mixed_precision
from pi_bench.models.training.logs import EpochLog
from pi_bench.models.training.train_recipe import Teacher, for_data, train_recipe
from pi_bench.models.training.training_files import write_whole
from pi_bench.network.files.model_file import load_model
from pi_bench.network.graph.float_run import calibrate, outputs


class Killed(BaseException):
    """Stands for the end of the process in the middle of an epoch."""


def kill_at(step):
    """Ends a training after that many batches, of which an epoch with `settings` has ten."""

    def progress(what, done, total):
        if done >= step:
            raise Killed

    return progress


def state_of(folder):
    return torch.load(folder / "state.pt", weights_only=True)


def log_of(folder):
    """Without the seconds, which are never the same."""
    with open(folder / "log.csv", newline="") as file:
        return [
            {key: value for key, value in row.items() if "seconds" not in key} for row in csv.DictReader(file)
        ]


def assert_same_training(one, other):
    assert log_of(one) == log_of(other)
    first, second = state_of(one), state_of(other)
    assert list(first) == list(second)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.fixture(autouse=True)
def _frequent_looks(monkeypatch):
    """Every fourth batch reports, so that a training of few batches can be killed within an epoch."""
    monkeypatch.setattr("pi_bench.models.training.epoch._LOOKED_EVERY", 4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, recipe, blobs, settings):
    folder = tmp_path_factory.mktemp("trained")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    result = train_recipe(recipe, blobs, settings, folder)
    torch.set_num_threads(threads)
    return folder, result


@pytest.mark.usefixtures("no_export")
def test_it_learns(tmp_path, recipe, blobs, settings):
    result = train_recipe(recipe, blobs, dataclasses.replace(settings, batch_size=24, epochs=5), tmp_path)
    assert result["test_accuracy_pct"] > 80  # 33 by chance
    losses = [float(row["train_loss"]) for row in log_of(tmp_path)]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.usefixtures("no_export")
def test_each_accuracy_is_told_with_its_own_epoch(tmp_path, recipe, blobs, settings):
    told = []

    def note(what, done, total):
        if what not in told:
            told.append(what)

    train_recipe(recipe, blobs, dataclasses.replace(settings, epochs=2), tmp_path, progress=note)
    rows = log_of(tmp_path)
    first, last = (
        f"loss {float(row['train_loss']):.3g}, validation {float(row['validation_accuracy_pct']):.2f} %"
        for row in rows
    )
    epochs = [what for what in told if what.startswith("epoch")]
    assert epochs == ["epoch 1 of 2", f"epoch 2 of 2 (epoch 1: {first})", f"epoch 2 of 2 done: {last}"]


@pytest.mark.usefixtures("no_export")
def test_a_gpu_would_compute_with_cudnn_and_deterministically(tmp_path, recipe, blobs, settings):
    seen = set()

    def look(what, done, total):
        seen.add((torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic))

    before = torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic
    train_recipe(recipe, blobs, dataclasses.replace(settings, epochs=1), tmp_path, progress=look)
    assert seen == {(True, True)}
    assert (torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic) == before


def test_the_folder_is_complete(trained, recipe, blobs):
    folder, result = trained
    names = {"recipe.toml", "checkpoint.pt", "log.csv", "state.pt", "model.pt", "result.json"}
    assert {entry.name for entry in folder.iterdir()} == names
    assert json.loads((folder / "result.json").read_text()) == result
    assert parse_recipe((folder / "recipe.toml").read_text(), "recipe.toml") == recipe
    assert [row["epoch"] for row in log_of(folder)] == ["1", "2", "3", "4"]


def test_the_epoch_is_chosen_on_validation_images(trained):
    folder, result = trained
    rows = log_of(folder)
    best = max(rows, key=lambda row: (float(row["validation_accuracy_pct"]), -float(row["validation_loss"])))
    assert result["chosen_epoch"] == int(best["epoch"])
    assert result["validation_accuracy_pct"] == float(best["validation_accuracy_pct"])


@pytest.mark.usefixtures("no_export")
def test_test_images_choose_nothing(tmp_path, trained, recipe, blobs, settings):
    folder, result = trained
    random = np.random.default_rng(0).integers(0, 256, blobs.test.images.shape, np.uint8)
    other = dataclasses.replace(blobs, test=Split(random, blobs.test.labels[::-1].copy()))
    changed = train_recipe(recipe, other, settings, tmp_path)
    assert_same_training(tmp_path, folder)
    assert changed["test_accuracy_pct"] != result["test_accuracy_pct"]


@pytest.mark.usefixtures("no_export")
def test_without_validation_the_last_epoch_is_kept(tmp_path, recipe, blobs, settings):
    result = train_recipe(
        recipe, blobs, dataclasses.replace(settings, epochs=2, validation_fraction=0.0), tmp_path
    )
    assert (result["chosen_epoch"], result["validation_accuracy_pct"]) == (2, None)
    checkpoint = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert torch.equal(checkpoint["module"]["classifier.weight"], state_of(tmp_path)["classifier.weight"])


def test_the_model_file_is_the_chosen_network(trained, recipe, blobs):
    folder, result = trained
    graph = load_model(folder / "model.pt")
    assert graph.labels == blobs.class_names
    assert graph.relu_count == recipe.relu_count
    assert graph.meta["calibration"] == {"source": "training images of blobs", "sample_count": 64}
    mean, deviation = (np.array(result["data"][key]).reshape(1, 2, 1, 1) for key in ("mean", "deviation"))
    images = ((blobs.test.images / 255 - mean) / deviation).astype(np.float32)
    right = outputs(graph, images).argmax(axis=1) == blobs.test.labels
    assert 100 * right.mean() == pytest.approx(result["test_accuracy_pct"], abs=0.01)
    # Its ranges are those of such images: the ranges of all training images are little larger.
    everything = ((blobs.train.images / 255 - mean) / deviation).astype(np.float32)
    for name, needed in calibrate(graph, everything).items():
        assert 0.6 * needed < graph.ranges[name] <= 1.01 * needed, name


@pytest.mark.parametrize("step", [1, 14, 20, 24])
@pytest.mark.usefixtures("no_export")
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, trained, recipe, blobs, settings, step):
    with pytest.raises(Killed):
        train_recipe(recipe, blobs, settings, tmp_path, progress=kill_at(step))
    assert not (tmp_path / "state.pt").exists()
    torch.rand(step)  # nothing may depend on the global generator
    train_recipe(recipe, blobs, settings, tmp_path)
    assert_same_training(tmp_path, trained[0])


@pytest.mark.usefixtures("no_export")
def test_a_choice_outlives_a_kill(tmp_path, recipe, blobs, settings, monkeypatch):
    falling = iter([90.0, 80.0, 70.0, 60.0, 50.0])
    monkeypatch.setattr(trainer, "evaluate", lambda *_: (1.0, next(falling)))
    with pytest.raises(Killed):
        train_recipe(recipe, blobs, settings, tmp_path, progress=kill_at(24))
    result = train_recipe(recipe, blobs, settings, tmp_path)
    assert (result["chosen_epoch"], result["validation_accuracy_pct"]) == (1, 90.0)
    with pytest.raises(Killed):
        train_recipe(recipe, blobs, settings, tmp_path / "one", progress=kill_at(14))
    after_one = torch.load(tmp_path / "one" / "checkpoint.pt", weights_only=True)["module"]
    assert all(torch.equal(value, after_one[name]) for name, value in state_of(tmp_path).items())


@pytest.mark.usefixtures("no_export")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # torch has one thread here
def test_a_process_killed_for_real_goes_on(tmp_path, trained, recipe, blobs, settings):
    def kill(what, done, total):
        if what.startswith("epoch 3"):
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(
        target=train_recipe, args=(recipe, blobs, settings, tmp_path), kwargs={"progress": kill}
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert [row["epoch"] for row in log_of(tmp_path)] == ["1", "2"]
    train_recipe(recipe, blobs, settings, tmp_path)
    assert_same_training(tmp_path, trained[0])


@pytest.mark.usefixtures("no_export")
def test_running_a_finished_training_again_changes_nothing(tmp_path, recipe, blobs, settings):
    settings = dataclasses.replace(settings, epochs=1)
    first = train_recipe(recipe, blobs, settings, tmp_path)
    before = state_of(tmp_path)
    assert train_recipe(recipe, blobs, settings, tmp_path) == first
    assert all(torch.equal(value, before[name]) for name, value in state_of(tmp_path).items())
    train_recipe(recipe, blobs, dataclasses.replace(settings, seed=2), tmp_path / "other")
    name = "stem.conv.weight"
    assert not torch.equal(state_of(tmp_path / "other")[name], before[name])  # the seed decides


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"seed": 2}, "seed"),
        ({"epochs": 5}, "epochs"),
        ({"learning_rate": 0.1}, "learning_rate"),
    ],
)
def test_a_folder_of_another_training_is_refused(trained, recipe, blobs, settings, change, key):
    with pytest.raises(TrainingError, match=f"holds a training with another {key} "):
        train_recipe(recipe, blobs, dataclasses.replace(settings, **change), trained[0])


def test_a_folder_of_another_recipe_is_refused(trained, recipe, blobs, settings):
    other = dataclasses.replace(recipe, thinned_stages=(1,))
    with pytest.raises(TrainingError, match="another recipe"):
        train_recipe(other, blobs, settings, trained[0])


def test_a_foreign_checkpoint_is_refused(tmp_path, recipe, blobs, settings):
    torch.save({"format": "other"}, tmp_path / "checkpoint.pt")
    with pytest.raises(TrainingError, match="no checkpoint of this program"):
        train_recipe(recipe, blobs, settings, tmp_path)
    torch.save({"format": Killed}, tmp_path / "checkpoint.pt")
    with pytest.raises(ModelError, match="nothing of it was run"):
        train_recipe(recipe, blobs, settings, tmp_path)


def test_divergence_is_named(tmp_path, recipe, blobs, settings):
    with pytest.raises(
        TrainingError, match=r"diverged in epoch \d by batch \d+: .* lower --learning-rate than 1e\+06"
    ):
        train_recipe(recipe, blobs, dataclasses.replace(settings, learning_rate=1e6, epochs=20), tmp_path)
    assert not (tmp_path / "state.pt").exists()


def test_a_loss_far_above_guessing_is_divergence_too(tmp_path, recipe, blobs, settings):
    with pytest.raises(
        TrainingError, match=r"diverged in epoch \d by batch \d+: .* 2 times that of guessing"
    ):
        train_recipe(recipe, blobs, dataclasses.replace(settings, learning_rate=60, epochs=20), tmp_path)
    assert not (tmp_path / "state.pt").exists()


def test_a_loss_that_was_too_large_before_a_kill_counts_after_it(tmp_path, blobs, settings):
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(128, 3))
    torch.nn.init.constant_(module[1].bias, 0.0)
    module[1].bias.data[0] = 1e4  # two of three classes have an endless loss
    slow = dataclasses.replace(settings, learning_rate=1e-12, batch_size=4096)  # one look per epoch
    batches = Batches(blobs, slow.validation_fraction, torch.device("cpu"))
    common = {"teacher": None, "identity": {}, "device": torch.device("cpu")}
    with pytest.raises(Killed):
        trainer.train(module, batches, slow, tmp_path, progress=kill_at(3), **common)
    assert len(log_of(tmp_path)) == 2
    with pytest.raises(TrainingError, match=r"diverged in epoch 4 by batch 1: .* 2 times that of guessing"):
        trainer.train(module, batches, slow, tmp_path, progress=lambda *_: None, **common)


def test_a_log_that_lacks_the_last_epoch_of_the_checkpoint_gets_it(tmp_path):
    rows = [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.25}]
    EpochLog(tmp_path, []).add(rows[:1])
    EpochLog(tmp_path, rows).close()
    assert [row["epoch"] for row in log_of(tmp_path)] == ["1", "2"]


@pytest.mark.usefixtures("no_export")
def test_adam_and_bfloat16_learn_and_resume(tmp_path, recipe, blobs, settings):
    chosen = dataclasses.replace(
        settings, optimizer="adam", learning_rate=0.005, precision="bfloat16", epochs=3
    )
    result = train_recipe(recipe, blobs, chosen, tmp_path / "whole")
    assert result["test_accuracy_pct"] > 60  # 33 by chance
    with pytest.raises(Killed):
        train_recipe(recipe, blobs, chosen, tmp_path / "killed", progress=kill_at(14))
    train_recipe(recipe, blobs, chosen, tmp_path / "killed")
    assert_same_training(tmp_path / "killed", tmp_path / "whole")
    precise = dataclasses.replace(chosen, precision="float32", epochs=1)
    train_recipe(recipe, blobs, precise, tmp_path / "precise")
    losses = [float(log_of(tmp_path / name)[0]["train_loss"]) for name in ("precise", "whole")]
    assert losses[0] != losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.mark.parametrize(
    ("precision", "kind", "has_bfloat16", "enabled"),
    [
        ("auto", "cuda", True, True),
        ("auto", "cuda", False, False),
        ("auto", "cpu", True, False),
        ("float32", "cuda", True, False),
        ("bfloat16", "cpu", False, True),
    ],
)
def test_where_the_forward_pass_is_in_bfloat16(monkeypatch, precision, kind, has_bfloat16, enabled):
    """A GPU is asked for its own features, not for those that it emulates."""
    asked = []
    monkeypatch.setattr(torch, "autocast", lambda device, **how: asked.append((device, how)))
    supported = {False: has_bfloat16, True: True}
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: supported[including_emulation]
    )
    mixed_precision(precision, torch.device(kind))
    assert asked == [(kind, {"dtype": torch.bfloat16, "enabled": enabled})]


@pytest.mark.usefixtures("no_export")
def test_weights_are_trained_in_channels_last_and_exported_contiguous(tmp_path, recipe, blobs, settings):
    seen = set()

    def look(module, inputs, output):
        if module.training and isinstance(module, torch.nn.Conv2d) and module.kernel_size == (3, 3):
            layout = {"memory_format": torch.channels_last}
            seen.add((module.weight.is_contiguous(**layout), inputs[0].is_contiguous(**layout)))

    with torch.nn.modules.module.register_module_forward_hook(look):
        train_recipe(recipe, blobs, dataclasses.replace(settings, epochs=1), tmp_path)
    assert seen == {(True, True)}
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert all(value.is_contiguous() for value in state.values())


@pytest.mark.usefixtures("no_export")
def test_the_log_for_tensorboard(tmp_path, recipe, blobs, settings):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with pytest.raises(Killed):
        train_recipe(recipe, blobs, settings, tmp_path, progress=kill_at(24), tensorboard=True)
    train_recipe(recipe, blobs, settings, tmp_path, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    for name in ("train_loss", "validation_accuracy_pct", "learning_rate"):
        found = [(event.step, event.value) for event in events.Scalars(name)]
        wanted = [(int(row["epoch"]), pytest.approx(float(row[name]))) for row in log_of(tmp_path)]
        assert found == wanted


@pytest.mark.usefixtures("no_export")
def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path, trained, recipe, blobs, settings):
    with pytest.raises(Killed):
        train_recipe(recipe, blobs, settings, tmp_path, progress=kill_at(14))
    good = (tmp_path / "checkpoint.pt").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, hard))  # a write beyond it fails
    try:
        with pytest.raises(OutputError, match=r"cannot write .*checkpoint.pt.*the last good one is kept"):
            train_recipe(recipe, blobs, settings, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "checkpoint.pt").read_bytes() == good
    assert not list(tmp_path.glob(".*partial"))
    train_recipe(recipe, blobs, settings, tmp_path)
    assert_same_training(tmp_path, trained[0])


def test_a_file_is_never_half_written(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write_whole(tmp_path / "folder", b"new")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert {entry.name for entry in tmp_path.iterdir()} == {"file", "folder"}


@pytest.mark.usefixtures("no_export")
def test_a_teacher_is_followed_and_left_alone(tmp_path, trained, recipe, blobs, settings):
    folder, _ = trained
    teacher = Teacher(recipe, folder / "state.pt")
    settings = dataclasses.replace(settings, epochs=1)
    student = dataclasses.replace(recipe, name="student", culled_stages=(1,), stem_relu=False)
    before = (folder / "state.pt").read_bytes()
    result = train_recipe(student, blobs, settings, tmp_path / "taught", teacher=teacher)
    train_recipe(student, blobs, settings, tmp_path / "alone")
    assert result["teacher"]["name"] == "tiny"
    assert (folder / "state.pt").read_bytes() == before
    weights = [state_of(tmp_path / name)["classifier.weight"] for name in ("taught", "alone")]
    assert not torch.equal(*weights)
    with pytest.raises(TrainingError, match="another teacher"):
        train_recipe(student, blobs, settings, tmp_path / "taught")


def test_a_teacher_of_another_network_is_refused(tmp_path, trained, recipe, blobs, settings):
    wider = dataclasses.replace(recipe, alpha=2.0)
    with pytest.raises(ModelError, match="do not fit"):
        train_recipe(recipe, blobs, settings, tmp_path, teacher=Teacher(wider, trained[0] / "state.pt"))
    other = dataclasses.replace(recipe, class_count=4)
    with pytest.raises(ModelError, match="for other images or classes: its class_count is 4"):
        train_recipe(recipe, blobs, settings, tmp_path, teacher=Teacher(other, trained[0] / "state.pt"))


def test_data_must_fit(tmp_path, recipe, blobs, settings):
    with pytest.raises(ModelError, match="is for 5 classes"):
        train_recipe(dataclasses.replace(recipe, class_count=5), blobs, settings, tmp_path)


def test_a_recipe_is_fitted_to_other_data():
    shipped = load_recipe("resnet18-cifar100-12288")
    assert for_data(shipped, "cifar100", 100, (3, 32, 32)) is shipped
    digits = for_data(shipped, "digits", 10, (3, 32, 32))
    assert (digits.name, digits.class_count) == ("resnet18-digits-12288", 10)
    assert (digits.relu_count, digits.published) == (12288, None)
    tiny = for_data(shipped, "tinyimagenet", 200, (3, 64, 64))
    assert (tiny.name, tiny.relu_count) == ("resnet18-tinyimagenet-49152", 49152)
