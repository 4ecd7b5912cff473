"""SNL and filter pruning as searches: one network per budget, resumption and refusals."""

import dataclasses
import json
import shutil

import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import DivergedError, ModelError, TrainingError, UsageError
from pi_bench.models import parse_recipe
from pi_bench.models.linearization.settings import LinearizationSettings
from pi_bench.models.reduction.prune import PruningSettings, prune
from pi_bench.models.reduction.snl import SnlSettings, snl
from pi_bench.models.training import TrainingSettings

from .conftest import InlineEngine, numbered, weights_of

BUDGETS = (200, 60)


@pytest.fixture(scope="module")
def snl_settings(settings):
    return SnlSettings(
        budgets=BUDGETS,
        training=settings.training,
        linearization=LinearizationSettings(learning_rate=0.02, lasso=0.01, batch_size=64),
        finetuning=TrainingSettings(epochs=1, learning_rate=0.01, soft_weight=1.0),
        data_dir=settings.data_dir,
        device="cpu",
        threads=1,
        linearization_threads=1,
    )


@pytest.fixture(scope="module")
def pruning_settings(snl_settings):
    names = ("budgets", "training", "finetuning", "data_dir", "device", "threads")
    return PruningSettings(**{name: getattr(snl_settings, name) for name in names})


def run(method, base, settings, folder, engine=None):
    quiet = {"progress": lambda *_: None, "announce": lambda *_: None, "say": lambda words: None}
    return method(base, settings, folder, engine or InlineEngine(), **quiet)


@pytest.fixture(scope="module")
def linearized(base, snl_settings, tmp_path_factory):
    folder, engine = tmp_path_factory.mktemp("linearized"), InlineEngine()
    return folder, run(snl, base, snl_settings, folder, engine), engine.titles


def test_one_linearization_serves_all_budgets(linearized, base):
    folder, candidates, titles = linearized
    assert titles == numbered(["teacher", "linearized", "200", "60"])
    assert [(one.method, one.step, one.relu_count) for one in candidates] == [
        ("baseline", "", base.relu_count),
        ("snl", "pixel-200", 200),
        ("snl", "pixel-60", 60),
    ]
    for one in candidates[1:]:
        recipe = parse_recipe((folder / one.folder / "recipe.toml").read_text(), one.name)
        assert (recipe.relu_count, recipe.masks) == (one.relu_count, "pixel")
        result = json.loads((folder / one.folder / "result.json").read_text())
        assert result["teacher"]["name"] == base.name
        assert result["start_sha256"]
        assert (folder / one.folder / "model.pt").is_file()


def test_nothing_is_done_twice_and_smaller_budgets_may_follow(linearized, base, snl_settings):
    folder, candidates, _ = linearized
    engine = InlineEngine()
    assert run(snl, base, snl_settings, folder, engine) == candidates
    assert engine.names == []
    more = dataclasses.replace(snl_settings, budgets=(*BUDGETS, 5))
    found = run(snl, base, more, folder, engine)
    assert engine.names == ["linearized", "5"]
    assert found[:3] == candidates
    assert found[3].relu_count == 5
    with pytest.raises(TrainingError, match="did not stop at 100"):
        run(snl, base, dataclasses.replace(snl_settings, budgets=(100,)), folder)


class Killed(BaseException):
    pass


class KilledAt(InlineEngine):
    """Ends the search before one of its jobs, or in its middle."""

    def __init__(self, name, looks):
        super().__init__()
        self._name, self._looks = name, looks

    def run(self, jobs, progress):
        for job in jobs:
            seen = 0

            def look(what, done, total, job=job):
                nonlocal seen
                seen += 1
                if job.name == self._name and seen > self._looks:
                    raise Killed

            yield from super().run([job], look)


def run_killed(method, base, settings, folder, *places):
    """Runs a search that is killed at each of the places, a job's name and its looks, and then goes on."""
    for name, looks in places:
        with pytest.raises(Killed):
            run(method, base, settings, folder, KilledAt(name, looks))
    return run(method, base, settings, folder)


@pytest.mark.usefixtures("no_export")
def test_a_search_that_was_killed_ends_with_the_same_weights(linearized, base, snl_settings, tmp_path):
    run_killed(snl, base, snl_settings, tmp_path, ("linearized", 2), ("60", 0))
    wanted = weights_of(linearized[0])
    for folder, found in weights_of(tmp_path).items():
        assert found == wanted[folder], folder


def test_a_linearization_that_diverges_ends_the_search(base, snl_settings, tmp_path, linearized):
    wild = dataclasses.replace(
        snl_settings,
        teacher=linearized[0] / "teacher",
        linearization=dataclasses.replace(snl_settings.linearization, learning_rate=1e6, batch_size=2),
    )
    for _ in range(2):  # it is not tried again
        with pytest.raises(DivergedError, match="linearized: training diverged"):
            run(snl, base, wild, tmp_path)


def test_a_finetuning_that_diverges_names_its_own_option(linearized, base, snl_settings, tmp_path):
    wild = dataclasses.replace(
        snl_settings,
        budgets=(60,),
        teacher=linearized[0] / "teacher",
        finetuning=dataclasses.replace(
            snl_settings.finetuning, learning_rate=1e6, weight_decay=1.0, batch_size=16
        ),
    )
    found = run(snl, base, wild, tmp_path)
    assert "lower --finetune-learning-rate than 1e+06" in found[-1].failure


def test_a_network_that_cannot_be_exported_is_listed_and_ends_nothing(
    linearized, base, snl_settings, tmp_path, monkeypatch
):
    def export(module, batches, recipe, *others):
        if recipe.relu_count == 60:
            raise ModelError("layer 'relu': its terms cancel")

    monkeypatch.setattr("pi_bench.models.training.train_recipe._export", export)
    folder = shutil.copytree(linearized[0], tmp_path / "search")
    shutil.rmtree(folder / "networks")
    for names in (["200", "60"], []):  # it would fail again
        engine = InlineEngine()
        _, found, lost = run(snl, base, snl_settings, folder, engine)
        assert engine.names == names
        assert found.test_accuracy_pct is not None and not found.failure
        assert lost.test_accuracy_pct is None
        assert lost.failure == "the network is trained and cannot be exported: layer 'relu': its terms cancel"


def test_what_is_refused(base, snl_settings, pruning_settings, tmp_path, linearized):
    too_many = dataclasses.replace(snl_settings, budgets=(base.relu_count,))
    with pytest.raises(UsageError, match="a budget must be below that"):
        run(snl, base, too_many, tmp_path / "out")
    other = dataclasses.replace(base, widths=(2, 8))
    foreign = dataclasses.replace(snl_settings, teacher=linearized[0] / "teacher")
    with pytest.raises(ModelError, match="is another network, small-digits"):
        run(snl, other, foreign, tmp_path / "out")
    with pytest.raises(ModelError, match="culled, thinned, masked or merged already"):
        run(snl, dataclasses.replace(base, kept_relus=5), snl_settings, tmp_path / "out")
    with pytest.raises(UsageError, match=r"--budget 200: 256 is the least for small-digits"):
        run(prune, base, pruning_settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(TrainingError, match="another search, with another linearization"):
        changed = dataclasses.replace(snl_settings.linearization, lasso=1.0)
        run(snl, base, dataclasses.replace(snl_settings, linearization=changed), linearized[0])


@pytest.mark.usefixtures("no_export")
def test_filter_pruning(base, pruning_settings, tmp_path, linearized):
    settings = dataclasses.replace(pruning_settings, budgets=(300,), teacher=linearized[0] / "teacher")
    (found,) = run(prune, base, settings, tmp_path)
    assert (found.method, found.relu_count) == ("l1-pruning", 288)
    recipe = parse_recipe((tmp_path / found.folder / "recipe.toml").read_text(), found.name)
    assert (recipe.scaled_widths, recipe.kept_relus) == ((1, 3), None)
    engine = InlineEngine()
    assert run(prune, base, settings, tmp_path, engine) == [found]
    assert engine.names == []
