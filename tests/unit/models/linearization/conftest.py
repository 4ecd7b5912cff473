"""A tiny trained network whose ReLUs are to be linearized."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from pi_bench.models import parse_recipe
from pi_bench.models.linearization.settings import LinearizationSettings
from pi_bench.models.training import TrainingSettings
from pi_bench.models.training.train_recipe import Teacher, train_recipe

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
def _one_thread(one_thread):
    """Every test here: more threads would wait for each other."""


@pytest.fixture(scope="session")
def recipe():
    return parse_recipe(RECIPE, "tiny.toml")


@pytest.fixture(scope="session")
def teacher(recipe, blobs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    settings = TrainingSettings(epochs=3, batch_size=60, learning_rate=0.05, schedule="cosine")
    train_recipe(recipe, blobs, settings, folder)
    return Teacher(recipe, folder / "state.pt")


@pytest.fixture(scope="session")
def quickly():
    """So fast a growth of the lasso that five epochs of 6 batches pass all budgets, at different ones."""
    return LinearizationSettings(
        learning_rate=0.03, lasso=0.001, lasso_growth=3, threshold=0.5, batch_size=90, epoch_limit=40
    )


@pytest.fixture(scope="session")
def channels(quickly):
    return dataclasses.replace(quickly, masks="channel")
