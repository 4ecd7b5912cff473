"""A network so small that an epoch takes a moment."""

import pytest

torch = pytest.importorskip("torch")

from pi_bench.models import parse_recipe
from pi_bench.models.training import TrainingSettings

RECIPE = """
schema = 1
name = "tiny"
family = "resnet"
dataset = "blobs"
input_shape = [2, 8, 8]
class_count = 3
blocks = [1, 1]
widths = [4, 8]
"""


@pytest.fixture(autouse=True)
def _one_thread(one_thread):
    """Every test here: more threads would wait for each other."""


@pytest.fixture(scope="session")
def recipe():
    return parse_recipe(RECIPE, "tiny.toml")


@pytest.fixture(scope="session")
def settings():
    return TrainingSettings(epochs=4, batch_size=48, learning_rate=0.05, validation_fraction=0.2)
