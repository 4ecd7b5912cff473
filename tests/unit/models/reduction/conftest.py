"""A network of two stages, so that a search has five candidates, on digits of 8 x 8 pixels."""

import functools
import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.models import parse_recipe
from pi_bench.models.data import digits
from pi_bench.models.reduction import objective
from pi_bench.models.reduction.deepreduce import DeepReduceSettings, deepreduce
from pi_bench.models.reduction.job import perform
from pi_bench.models.reduction.training_job import data_of
from pi_bench.models.reduction.untrained import untrained_graph
from pi_bench.models.training import TrainingSettings
from tests.small_recipe import RECIPE


class InlineEngine:
    """Runs each job here and now, and remembers which, with its title in progress reports."""

    def __init__(self):
        self.names, self.titles = [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, jobs, progress):
        for job in jobs:
            self.names.append(job.name)
            self.titles.append(job.title)
            yield job, perform(job.to_json(), progress)


@contextmanager
def without_exports():
    """Trainings write no model file within the context, as with the fixture `no_export`."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pi_bench.models.training.train_recipe._export", lambda *_: None)
        yield


def numbered(names):
    """The titles of all jobs of a search that knows their number beforehand."""
    return [f"{name} ({number} of {len(names)})" for number, name in enumerate(names, 1)]


@pytest.fixture(autouse=True)
def threads_restored():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", autouse=True)
def few_digits():
    """An eighth of the digits for the searches of a module: no statement depends on accuracies."""
    images, labels = digits._originals()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(digits, "_originals", lambda: (images[::8], labels[::8]))
        data_of.cache_clear()
        yield
    data_of.cache_clear()


@pytest.fixture(scope="session")
def base():
    return parse_recipe(RECIPE, "small.toml")


@pytest.fixture(scope="session")
def one_block():
    """A network of three layers of ReLUs, for searches that predict many networks."""
    text = RECIPE.replace("blocks = [1, 1]", "blocks = [1]").replace("widths = [2, 4]", "widths = [4]")
    return parse_recipe(text, "one-block.toml")


@pytest.fixture(scope="session", autouse=True)
def graphs_kept():
    """Traces each network whose time is predicted once in all tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(objective, "untrained_graph", functools.lru_cache(untrained_graph))
        yield


@pytest.fixture(scope="session")
def settings():
    training = TrainingSettings(epochs=1, batch_size=64, learning_rate=0.05)
    return DeepReduceSettings(training=training, data_dir=Path("nowhere"), device="cpu", threads=1)


@pytest.fixture
def search(base, settings):
    """Runs the search in a folder; the candidates, and the announcements of each job."""

    def run(folder, engine, base=base, settings=settings):
        heard = []
        candidates = deepreduce(
            base,
            settings,
            folder,
            engine,
            progress=lambda what, done, total: None,
            announce=lambda outcome, fresh: heard.append((outcome.job.name, fresh)),
            say=lambda words: None,
        )
        return candidates, heard

    return run


def weights_of(folder):
    """Every network of a search by its folder: its result but for the seconds, its weights, the last ones.

    The last epoch need not be the chosen one, and a training that goes on wrongly shows there.
    """
    found = {}
    for path in sorted(folder.rglob("result.json")):
        result = json.loads(path.read_text())
        del result["training_s"]
        chosen = torch.load(path.with_name("state.pt"), weights_only=True)
        last = torch.load(path.with_name("checkpoint.pt"), weights_only=True)["module"]
        states = [{name: value.numpy().tobytes() for name, value in one.items()} for one in (chosen, last)]
        found[str(path.parent.relative_to(folder))] = (result, *states)
    return found
