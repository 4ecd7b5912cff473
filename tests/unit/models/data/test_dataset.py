"""Statistics, the held-out split, the digits, and the record of a data set."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_bench.errors import DataError
from pi_bench.models.data import Split, hold_out, image_shape, load_data
from pi_bench.models.data.data_sets import SOURCES
from pi_bench.models.data.dataset import mean_and_deviation
from pi_bench.models.data.digits import interpolation
from pi_bench.models.data.source import DataSource
from pi_bench.models.linearization.settings import default_finetuning, default_linearization
from pi_bench.models.training import default_settings
from tests.installed import skip_without

skip_without("sklearn")


def digits(*shape):
    return load_data("digits", shape, data_dir=Path("unused"))


def test_digits_are_the_real_ones_enlarged():
    from sklearn.datasets import load_digits

    data = digits(3, 32, 32)
    assert data.class_names == tuple("0123456789")
    assert data.image_shape == (3, 32, 32)
    assert (len(data.train), len(data.test)) == (1438, 359)
    assert not data.flips
    np.testing.assert_array_equal(data.train.images[:, 0], data.train.images[:, 2])
    # At their own size they are the originals, split without loss or repetition.
    small = digits(1, 8, 8)
    both = np.concatenate([small.train.images, small.test.images])[:, 0]
    original = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, both)) == sorted(map(bytes, original))
    # Enlarging keeps the mean: linear interpolation between pixel centers.
    means = [split.images.mean() for split in (small.train, data.train)]
    assert means[1] == pytest.approx(means[0], rel=0.02)


def test_the_test_split_is_always_the_same_and_balanced():
    first, second = digits(1, 8, 8), digits(3, 16, 16)
    np.testing.assert_array_equal(first.test.labels, second.test.labels)
    assert np.bincount(first.test.labels).min() >= 34


@pytest.mark.parametrize("shape", [(2, 32, 32), (3, 32, 16), (3, 12, 12), (1, 4, 4), (1, 128, 128)])
def test_shapes_that_digits_lack(shape):
    with pytest.raises(DataError, match="digits have no images of"):
        digits(*shape)


def test_without_scikit_learn_the_extra_is_named():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from pathlib import Path; from pi_bench.models.data import load_data\n"
        "from pi_bench.errors import DataError\n"
        "try: load_data('digits', (1, 8, 8), data_dir=Path())\n"
        "except DataError as error: assert 'pi-bench[train]' in str(error)\n"
        "else: raise AssertionError\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_digits_come_without_an_import_of_scikit_learn():
    code = (
        "import sys; from pathlib import Path; from pi_bench.models.data import load_data\n"
        "load_data('digits', (1, 8, 8), data_dir=Path())\n"
        "assert 'sklearn' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_digits_at_another_place_are_read_by_scikit_learn(monkeypatch):
    here = digits(1, 8, 8)
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    there = digits(1, 8, 8)
    np.testing.assert_array_equal(here.train.images, there.train.images)
    np.testing.assert_array_equal(here.test.labels, there.test.labels)


def test_interpolation():
    matrix = interpolation(8, 32)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    ramp = matrix @ np.arange(8)
    np.testing.assert_allclose(np.diff(ramp[2:-2]), 0.25)
    assert (ramp[0], ramp[-1]) == (0, 7)
    np.testing.assert_array_equal(interpolation(8, 8), np.eye(8))


def test_mean_and_deviation_are_exact():
    images = np.random.default_rng(1).integers(0, 256, (5000, 2, 3, 4), np.uint8)
    images[:, 1] = 7
    mean, deviation = mean_and_deviation(images)
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 2, 3)))
    assert deviation[0] == pytest.approx((images[:, 0] / 255).std())
    assert deviation[1] == 1  # a constant channel


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    fraction=st.floats(0, 0.9),
    seed=st.integers(0, 2**32),
)
def test_hold_out_is_a_partition_that_keeps_every_class(labels, fraction, seed):
    labels = np.array(labels)
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    kept, held = hold_out(Split(images, labels), fraction, seed)
    assert sorted([*kept.images.ravel(), *held.images.ravel()]) == list(range(len(labels)))
    np.testing.assert_array_equal(labels[kept.images.ravel()], kept.labels)
    assert set(kept.labels) == set(labels)
    for label in set(labels):
        total, away = (labels == label).sum(), (held.labels == label).sum()
        assert away <= total - 1
        if fraction > 0 and total > 1:
            assert abs(away - fraction * total) <= 1
        elif fraction == 0:
            assert away == 0
    again = hold_out(Split(images, labels), fraction, seed)
    np.testing.assert_array_equal(again[1].images, held.images)


def test_a_data_set_is_one_record(monkeypatch, blobs, tmp_path):
    """All differences between data sets are read from the record."""
    source = DataSource(
        name="blobs",
        read=lambda path, shape, progress: blobs,
        shapes=((2, 8, 8),),
        training={"epochs": 3},
        linearization={"lasso": 0.5},
        finetuning={"epochs": 2},
    )
    monkeypatch.setitem(SOURCES, "blobs", source)
    assert load_data("blobs", (2, 8, 8), data_dir=tmp_path) is blobs
    assert image_shape("blobs", (1, 16, 16)) == (2, 8, 8)
    assert default_settings("blobs") == {"epochs": 3}
    assert default_linearization("blobs") == {"lasso": 0.5}
    assert default_finetuning("blobs")["epochs"] == 2
    with pytest.raises(DataError, match="the images of blobs are 2 x 8 x 8"):
        load_data("blobs", (3, 8, 8), data_dir=tmp_path)
