"""A tiny trained network whose ReLUs are to be linearized, on images so easy that an epoch takes a moment."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pi_bench.models import parse_recipe  # noqa: E402
from pi_bench.models.data import Dataset, Split  # noqa: E402
from pi_bench.models.linearization.settings import LinearizationSettings  # noqa: E402
from pi_bench.models.training import TrainingSettings  # noqa: E402
from pi_bench.models.training.run import Teacher, train_recipe  # noqa: E402

RECIPE = """
schema = 1
name = "tiny-blobs"
family = "resnet"
dataset = "blobs"
input_shape = [2, 8, 8]
class_count = 3
blocks = [1, 1]
widths = [4, 8]
stem_relu = false
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def recipe():
    return parse_recipe(RECIPE, "tiny.toml")


@pytest.fixture(scope="session")
def blobs():
    """Three classes told apart by where a bright square lies, in noise."""
    generator = np.random.default_rng(11)

    def split(count):
        labels = np.arange(count) % 3
        images = generator.integers(0, 90, (count, 2, 8, 8))
        for index, label in enumerate(labels):
            images[index, :, 2 * label : 2 * label + 3, 1:5] += 160
        return Split(images.astype(np.uint8), labels.astype(np.int64))

    return Dataset("blobs", ("low", "mid", "high"), split(600), split(60), crop_padding=1, flips=True)


@pytest.fixture(scope="session")
def teacher(recipe, blobs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    settings = TrainingSettings(epochs=4, batch_size=32, learning_rate=0.05, schedule="cosine")
    train_recipe(recipe, blobs, settings, folder)
    return Teacher(recipe, folder / "state.pt")


@pytest.fixture(scope="session")
def quickly():
    """So large a lasso that six epochs of 16 batches pass all budgets."""
    return LinearizationSettings(learning_rate=0.02, lasso=0.01, batch_size=32, epoch_limit=40)


@pytest.fixture(scope="session")
def channels(quickly):
    return dataclasses.replace(quickly, masks="channel")
