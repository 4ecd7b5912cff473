"""MNIST and Fashion-MNIST from small IDX files, and IDX files that are wrong."""

import dataclasses
import gzip
import hashlib
import shutil
import struct
import tracemalloc

import numpy as np
import pytest

from pi_bench.errors import DataError
from pi_bench.models.data import data_sets, load_data
from pi_bench.models.data.evaluation import evaluation_images
from pi_bench.models.data.idx import read_idx
from pi_bench.models.data.idx_files import obtain_files
from pi_bench.models.data.mnist import FASHION_MNIST_FILES, MNIST_FILES, idx_source
from pi_bench.progress import silent

PIXELS = np.random.default_rng(3).integers(0, 256, (14, 28, 28), np.uint8)
LABELS = np.arange(14, dtype=np.uint8) % 10


def idx(values, kind=0x08):
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, kind, values.ndim, *values.shape) + values.tobytes()


def contents():
    """Ten training images and four test images."""
    return {
        "train-images-idx3-ubyte": idx(PIXELS[:10]),
        "train-labels-idx1-ubyte": idx(LABELS[:10]),
        "t10k-images-idx3-ubyte": idx(PIXELS[10:]),
        "t10k-labels-idx1-ubyte": idx(LABELS[10:]),
    }


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Publishes small files under the name of Fashion-MNIST, packed, and forgets the installed package."""

    def publish(files):
        origin = tmp_path / "origin"
        origin.mkdir()
        packed = {name: gzip.compress(content, mtime=0) for name, content in files.items()}
        for name, content in packed.items():
            (origin / f"{name}.gz").write_bytes(content)

        def small(file):
            digest = hashlib.sha256(files[file.name]).hexdigest()
            return dataclasses.replace(file, packed_bytes=len(packed[file.name]), sha256=digest)

        official = dataclasses.replace(
            FASHION_MNIST_FILES,
            url=origin.as_uri(),
            train=tuple(map(small, FASHION_MNIST_FILES.train)),
            test=tuple(map(small, FASHION_MNIST_FILES.test)),
            installed=tmp_path / "installed",
        )
        monkeypatch.setitem(data_sets.SOURCES, official.name, idx_source(official, "0123456789", flips=True))
        return origin

    return publish


def load(tmp_path, side=32, **options):
    return load_data("fashion-mnist", (1, side, side), data_dir=tmp_path / "data", **options)


def test_images_stand_in_a_black_border(tmp_path, publish):
    origin = publish(contents())
    shutil.copytree(origin, tmp_path / "data")
    data = load(tmp_path)
    assert data.train.images.shape == (10, 1, 32, 32)
    np.testing.assert_array_equal(data.train.images[:, 0, 2:-2, 2:-2], PIXELS[:10])
    assert data.test.images.sum() == PIXELS[10:].sum(dtype=np.int64)  # the border is black
    np.testing.assert_array_equal(data.test.labels, LABELS[10:])
    small = load(tmp_path, side=28)
    np.testing.assert_array_equal(small.test.images[:, 0], PIXELS[10:])
    with pytest.raises(DataError, match="are 1 x 32 x 32 or 1 x 28 x 28, the recipe's input_shape is 1 x 30"):
        load(tmp_path, side=30)


def test_every_place_and_packing_holds_the_same_images(tmp_path, publish):
    """The installed package, the data folder, a folder of the data set's name, unpacked files, a download."""
    origin = publish(contents())
    with pytest.raises(
        DataError, match="is missing: install the package dataset-fashion-mnist, add --download"
    ):
        load(tmp_path)
    assert not (tmp_path / "data").exists()

    def pixels(**options):
        return load(tmp_path, side=28, **options).train.images[:, 0]

    np.testing.assert_array_equal(pixels(download=True), PIXELS[:10])
    downloaded = tmp_path / "data" / "fashion-mnist"
    assert sorted(path.name for path in downloaded.iterdir()) == sorted(f"{name}.gz" for name in contents())

    shutil.rmtree(tmp_path / "data")
    (tmp_path / "data").mkdir()
    for name, content in contents().items():
        (tmp_path / "data" / name).write_bytes(content)
    np.testing.assert_array_equal(pixels(), PIXELS[:10])

    shutil.rmtree(tmp_path / "data")
    shutil.copytree(origin, tmp_path / "installed")
    np.testing.assert_array_equal(pixels(), PIXELS[:10])
    (tmp_path / "installed" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="is missing: install the package dataset-fashion-mnist again"):
        pixels(download=True)


def test_a_folder_that_the_user_names_is_the_only_one(tmp_path, publish):
    """Images from elsewhere would be another experiment than the one that was asked for."""
    origin = publish(contents())
    shutil.copytree(origin, tmp_path / "installed")
    said = []
    assert len(load(tmp_path, say=said.append).test) == 4
    assert said == [
        f"reading fashion-mnist from {tmp_path / 'installed'}: {tmp_path / 'data'} holds none of its files"
    ]
    for _ in range(2):  # a folder that does not exist, and an empty one
        with pytest.raises(
            DataError, match=r"is missing: add --download .*; without --data-dir, the files in"
        ):
            load(tmp_path, installed=False, say=said.append)
        (tmp_path / "data").mkdir(exist_ok=True)
    assert len(load(tmp_path, installed=False, download=True, say=said.append).test) == 4
    assert len(said) == 1


def test_a_partial_download_continues_and_is_bounded(tmp_path, publish):
    origin = publish(contents())
    with (origin / "t10k-labels-idx1-ubyte.gz").open("ab") as file:
        file.write(bytes(1000))
    with pytest.raises(DataError, match="larger than the official file"):
        load(tmp_path, download=True)
    folder = tmp_path / "data" / "fashion-mnist"
    assert len(list(folder.iterdir())) == 3
    (origin / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(contents()["t10k-labels-idx1-ubyte"]))
    assert len(load(tmp_path, download=True).test) == 4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "train-labels-idx1-ubyte",
            idx(LABELS[:9]),
            "has 10 images, train-labels-idx1-ubyte.gz has 9 labels",
        ),
        ("train-labels-idx1-ubyte", idx(LABELS[:10] + 3), "has label 12, there are 10 classes"),
        (
            "train-labels-idx1-ubyte",
            idx(LABELS[9::-1]),
            r"is not the publishers' file \(its SHA-256 differs\)",
        ),
        ("train-images-idx3-ubyte", idx(PIXELS[:10, :27]), "has images of 27 x 28"),
        ("t10k-images-idx3-ubyte", idx(LABELS[10:]), "has 1 dimensions, images have three"),
        ("t10k-labels-idx1-ubyte", idx(PIXELS[10:]), "has 3 dimensions, labels have one"),
        ("t10k-labels-idx1-ubyte", idx(LABELS[10:].astype(">i4"), 0x0C), "holds 32-bit integers"),
    ],
)
def test_a_file_that_is_not_the_publishers_is_refused(tmp_path, publish, name, content, message):
    origin = publish(contents())
    shutil.copytree(origin, tmp_path / "data")
    (tmp_path / "data" / f"{name}.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_files_of_another_data_set_are_named(tmp_path, publish, monkeypatch):
    """Both data sets have files of the same names."""
    publish(contents())
    digest = hashlib.sha256(contents()["train-images-idx3-ubyte"]).hexdigest()
    monkeypatch.setitem(idx_source.__globals__["_KNOWN"], digest, "fashion-mnist")
    shutil.copytree(tmp_path / "origin", tmp_path / "data")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz belongs to fashion-mnist: delete it"):
        load_data("mnist", (1, 28, 28), data_dir=tmp_path / "data")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("cut", [0, 2, 3, 4, 9, 15, 16, 17, -1])
def test_a_cut_file_is_no_traceback(tmp_path, packed, cut):
    path = tmp_path / "images"
    content = idx(PIXELS[:2])
    path.write_bytes(gzip.compress(content)[:cut] if packed else content[:cut])
    with pytest.raises(DataError, match=r"is cut|is no IDX file"):
        read_idx(path, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>404</html>", "is no IDX file: it starts with 3c 68 74 6d"),
        (b"", "is no IDX file: it starts with nothing"),
        (idx(PIXELS[:1]) + b"x", "has more than the 784 bytes that its header declares"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 1 << 31, 28, 28), "declares 1,683,627,180,032 bytes, more than"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 1 << 18, 28, 28), "is cut: it has 0 of the 205,520,896 bytes"),
    ],
)
def test_a_header_that_lies(tmp_path, content, message):
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "images", 3)


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    """A small header, then 64 MB of zeros: nothing beyond the header's count is unpacked."""
    path = tmp_path / "labels"
    with gzip.open(path, "wb") as file:
        file.write(idx(LABELS))
        for _ in range(64):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(DataError, match="has more than the 14 bytes"):
        read_idx(path, 1)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1 << 20


def test_official_files_are_pinned():
    known = set()
    for files in (FASHION_MNIST_FILES, MNIST_FILES):
        for file in (*files.train, *files.test):
            assert len(bytes.fromhex(file.sha256)) == 32
            known.add((file.sha256, file.packed_bytes))
    assert len(known) == 8


@pytest.mark.skipif(
    not FASHION_MNIST_FILES.installed.is_dir(), reason="the package dataset-fashion-mnist is not installed"
)
def test_the_installed_package_is_the_publishers(tmp_path):
    folder = obtain_files(FASHION_MNIST_FILES, tmp_path, download=False, progress=silent)
    assert folder == FASHION_MNIST_FILES.installed
    images, labels, _ = evaluation_images(
        "fashion-mnist", (1, 28, 28), None, data_dir=tmp_path, download=False, progress=silent
    )
    assert images.shape == (10_000, 1, 28, 28)
    assert (np.bincount(labels) == 1000).all()
