"""Fixtures of trainings in tests: images so easy that an epoch takes a moment, and one thread."""

from collections.abc import Iterator

import numpy as np
import pytest

from pi_bench.models.data import Dataset, Split


@pytest.fixture
def one_thread() -> Iterator[None]:
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings write no model file, for tests that look at weights and logs only."""
    monkeypatch.setattr("pi_bench.models.training.train_recipe._export", lambda *_: None)


@pytest.fixture(scope="session")
def blobs() -> Dataset:
    """Three classes told apart by where a bright square lies, in noise."""
    generator = np.random.default_rng(11)

    def split(count: int) -> Split:
        labels = np.arange(count) % 3
        images = generator.integers(0, 90, (count, 2, 8, 8))
        for index, label in enumerate(labels):
            images[index, :, 2 * label : 2 * label + 3, 1:5] += 160
        return Split(images.astype(np.uint8), labels.astype(np.int64))

    return Dataset("blobs", ("low", "mid", "high"), split(600), split(60), crop_padding=1, flips=True)
