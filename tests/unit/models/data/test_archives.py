"""CIFAR and TinyImageNet from small archives in their official formats, and archives that are wrong."""

import dataclasses
import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest

from pi_bench.errors import DataError, InputError, UsageError
from pi_bench.models.data import data_sets, load_data
from pi_bench.models.data.archive import ArchiveSource
from pi_bench.models.data.cifar import read_cifar10, read_cifar100
from pi_bench.models.data.tinyimagenet import read_tinyimagenet

Image = pytest.importorskip("PIL.Image")

GENERATOR = np.random.default_rng(5)
PIXELS = GENERATOR.integers(0, 256, (14, 3, 32, 32), np.uint8)


def quiet(what, done, total):
    pass


def write_tar(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def cifar10_files():
    """Two images in each of the six files, image i of class i % 10."""
    names = [f"data_batch_{batch}.bin" for batch in range(1, 6)] + ["test_batch.bin"]
    files = {"cifar-10-batches-bin/batches.meta.txt": b"\n".join(b"class%d" % c for c in range(10)) + b"\n\n"}
    for position, name in enumerate(names):
        records = b"".join(bytes([i % 10]) + PIXELS[i].tobytes() for i in (2 * position, 2 * position + 1))
        files[f"cifar-10-batches-bin/{name}"] = records
    return files


def cifar100_files():
    """Coarse labels count down, so that reading them for fine ones shows."""
    records = [bytes([19 - i, 90 + i % 10]) + PIXELS[i].tobytes() for i in range(14)]
    return {
        "cifar-100-binary/train.bin": b"".join(records[:10]),
        "cifar-100-binary/test.bin": b"".join(records[10:]),
        "cifar-100-binary/fine_label_names.txt": b"".join(b"fine%d\n" % c for c in range(100)),
        "cifar-100-binary/coarse_label_names.txt": b"coarse\n" * 20,
    }


def jpeg(color, mode="RGB", size=(64, 64)):
    buffer = io.BytesIO()
    Image.new(mode, size, color).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def tinyimagenet_files():
    root = "tiny-imagenet-200"
    files = {
        f"{root}/wnids.txt": b"n02\nn01\n",
        f"{root}/words.txt": b"n01\tgoldfish, Carassius auratus\nn02\tbell\nn99\tunused\n",
        f"{root}/val/val_annotations.txt": b"val_0.JPEG\tn01\t0\t0\t62\t62\nval_1.JPEG\tn02\t1\t2\t3\t4\n",
        f"{root}/val/images/val_0.JPEG": jpeg((250, 0, 0)),
        f"{root}/val/images/val_1.JPEG": jpeg(90, "L"),
        f"{root}/test/images/test_0.JPEG": jpeg((0, 0, 0)),
    }
    for code, color in (("n01", (0, 200, 0)), ("n02", (0, 0, 150))):
        files[f"{root}/train/{code}/{code}_boxes.txt"] = b"x\t0\t0\t1\t1\n"
        for index in range(2):
            files[f"{root}/train/{code}/images/{code}_{index}.JPEG"] = jpeg(color)
    return files


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_cifar10(tmp_path):
    write_tar(tmp_path / "a.tar.gz", cifar10_files())
    data = read_cifar10(tmp_path / "a.tar.gz")
    assert data.class_names == tuple(f"class{c}" for c in range(10))
    np.testing.assert_array_equal(data.train.images, PIXELS[:10])
    np.testing.assert_array_equal(data.train.labels, range(10))
    np.testing.assert_array_equal(data.test.images, PIXELS[10:12])
    np.testing.assert_array_equal(data.test.labels, [0, 1])
    assert (data.train.images.dtype, data.train.labels.dtype) == (np.uint8, np.int64)


def test_cifar100_has_the_fine_classes(tmp_path):
    write_tar(tmp_path / "a.tar.gz", cifar100_files())
    data = read_cifar100(tmp_path / "a.tar.gz")
    assert data.class_names[3] == "fine3"
    assert len(data.class_names) == 100
    np.testing.assert_array_equal(data.train.labels, range(90, 100))
    np.testing.assert_array_equal(data.test.labels, range(90, 94))
    np.testing.assert_array_equal(data.train.images, PIXELS[:10])
    np.testing.assert_array_equal(data.test.images, PIXELS[10:])


def test_tinyimagenet(tmp_path):
    write_zip(tmp_path / "a.zip", tinyimagenet_files())
    data = read_tinyimagenet(tmp_path / "a.zip", quiet)
    assert data.class_names == ("bell", "goldfish")  # in the order of wnids.txt
    np.testing.assert_array_equal(data.train.labels, [1, 1, 0, 0])
    np.testing.assert_array_equal(data.test.labels, [1, 0])
    assert data.image_shape == (3, 64, 64)
    means = data.train.images.mean(axis=(2, 3))
    np.testing.assert_allclose(means, [[0, 200, 0]] * 2 + [[0, 0, 150]] * 2, atol=3)
    # A gray image has three equal channels.
    np.testing.assert_allclose(data.test.images.mean(axis=(2, 3)), [[250, 0, 0], [90] * 3], atol=3)


def without(name):
    def change(files):
        del files[name]

    return change


def with_content(name, content):
    def change(files):
        files[name] = content(files[name])

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("cifar-10-batches-bin/test_batch.bin"), "lacks cifar-10-batches-bin/test_batch.bin"),
        (without("cifar-10-batches-bin/batches.meta.txt"), "lacks cifar-10-batches-bin/batches.meta.txt"),
        (with_content("cifar-10-batches-bin/data_batch_3.bin", lambda b: b[:-1]), "not a multiple of 3073"),
        (with_content("cifar-10-batches-bin/data_batch_3.bin", lambda b: b""), "has 0 bytes"),
        (with_content("cifar-10-batches-bin/test_batch.bin", lambda b: b"\x0a" + b[1:]), "label 10"),
        (with_content("cifar-10-batches-bin/batches.meta.txt", lambda b: b"\xff\n"), "not text"),
    ],
)
def test_damaged_cifar_is_named(tmp_path, change, message):
    files = cifar10_files()
    change(files)
    write_tar(tmp_path / "a.tar.gz", files)
    with pytest.raises(DataError) as caught:
        read_cifar10(tmp_path / "a.tar.gz")
    assert message in str(caught.value)
    assert "a.tar.gz" in str(caught.value)


def test_a_folder_in_place_of_a_file_is_not_read(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        link = tarfile.TarInfo("cifar-100-binary/train.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DataError, match="lacks"):
        read_cifar100(tmp_path / "a.tar.gz")


R = "tiny-imagenet-200"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without(f"{R}/wnids.txt"), f"lacks {R}/wnids.txt"),
        (without(f"{R}/val/images/val_1.JPEG"), f"lacks {R}/val/images/val_1.JPEG"),
        (with_content(f"{R}/val/val_annotations.txt", lambda b: b.replace(b"n01", b"n77")), "class 'n77'"),
        (with_content(f"{R}/val/val_annotations.txt", lambda b: b""), "no images"),
        (with_content(f"{R}/train/n01/images/n01_0.JPEG", lambda b: b[:200]), "n01_0.JPEG is no whole JPEG"),
        (
            with_content(f"{R}/train/n01/images/n01_0.JPEG", lambda b: b"GIF89a"),
            "n01_0.JPEG is no whole JPEG",
        ),
        (
            with_content(f"{R}/train/n02/images/n02_1.JPEG", lambda b: jpeg(0, "L", (32, 64))),
            "n02_1.JPEG is (32, 64) pixels",
        ),
        (with_content(f"{R}/words.txt", lambda b: b"\xff\xfe\xff"), "words.txt is not text"),
    ],
)
def test_damaged_tinyimagenet_is_named(tmp_path, change, message):
    files = tinyimagenet_files()
    change(files)
    write_zip(tmp_path / "a.zip", files)
    with pytest.raises(DataError) as caught:
        read_tinyimagenet(tmp_path / "a.zip", quiet)
    assert message in str(caught.value)


@pytest.mark.parametrize("read", [read_cifar10, read_cifar100, lambda path: read_tinyimagenet(path, quiet)])
@pytest.mark.parametrize("cut", [0, 10, 1000, -1000])
def test_cut_and_foreign_files_are_named(tmp_path, read, cut):
    whole = tmp_path / "whole"
    if read is read_cifar10:
        write_tar(whole, cifar10_files())
    elif read is read_cifar100:
        write_tar(whole, cifar100_files())
    else:
        write_zip(whole, tinyimagenet_files())
    (tmp_path / "cut").write_bytes(whole.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"truncated|lacks"):
        read(tmp_path / "cut")
    (tmp_path / "foreign").write_bytes(b"<html>404</html>" * 100)
    with pytest.raises(DataError, match="truncated or no"):
        read(tmp_path / "foreign")


@pytest.fixture
def small_cifar(tmp_path, monkeypatch):
    """A small archive as if it were the official one, in a folder to download from."""
    origin = tmp_path / "origin"
    origin.mkdir()
    archive = origin / "cifar-10-binary.tar.gz"
    write_tar(archive, cifar10_files())
    content = archive.read_bytes()
    source = ArchiveSource(archive.name, archive.as_uri(), len(content), hashlib.sha256(content).hexdigest())
    pretend(monkeypatch, source)
    return source, content


def pretend(monkeypatch, archive):
    """Make `archive` the official one of CIFAR-10."""
    changed = dataclasses.replace(data_sets.SOURCES["cifar10"], archive=archive)
    monkeypatch.setitem(data_sets.SOURCES, "cifar10", changed)


def load(tmp_path, **options):
    return load_data("cifar10", (3, 32, 32), data_dir=tmp_path / "data", **options)


def test_a_missing_archive_says_what_to_do(tmp_path, small_cifar):
    with pytest.raises(DataError, match=r"is missing: add --download .* put file:.* --data-dir"):
        load(tmp_path)
    assert not (tmp_path / "data").exists()


def test_download_checks_keeps_and_reads(tmp_path, small_cifar):
    steps = []
    data = load(tmp_path, download=True, progress=lambda *step: steps.append(step))
    np.testing.assert_array_equal(data.train.images, PIXELS[:10])
    source, content = small_cifar
    assert {step[0].split()[0] for step in steps} == {"downloading", "checking"}
    assert all(0 < done <= total == len(content) for _, done, total in steps)
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == [source.file_name]
    assert load(tmp_path).name == "cifar10"  # now without the network


def test_no_network_says_where_to_put_the_archive(tmp_path, small_cifar, monkeypatch):
    source, _ = small_cifar
    for url in ("http://127.0.0.1:9/cifar.tar.gz", (tmp_path / "gone").as_uri()):
        pretend(monkeypatch, dataclasses.replace(source, url=url))
        with pytest.raises(
            DataError, match=r"cannot download .*; get it on a machine with network and put it at"
        ):
            load(tmp_path, download=True)
        assert list((tmp_path / "data").iterdir()) == []


def test_an_endless_download_is_cut_off(tmp_path, small_cifar, monkeypatch):
    source, content = small_cifar
    pretend(monkeypatch, dataclasses.replace(source, size_bytes=len(content) - 1))
    with pytest.raises(DataError, match="larger than the official file"):
        load(tmp_path, download=True)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], "truncated: it has"),
        (lambda content: content + b"x", "not the official archive"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "not the official archive"),
    ],
)
def test_an_archive_is_the_official_one_bit_for_bit(tmp_path, small_cifar, damage, message):
    source, content = small_cifar
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / source.file_name).write_bytes(damage(content))
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path)
    assert "delete it" in str(caught.value)
    assert caught.value.exit_code == InputError.exit_code


def test_a_folder_in_the_archives_place(tmp_path, small_cifar):
    (tmp_path / "data" / small_cifar[0].file_name).mkdir(parents=True)
    with pytest.raises(DataError, match="cannot read"):
        load(tmp_path)


def test_images_must_fit_the_recipe(tmp_path, small_cifar):
    with pytest.raises(DataError, match="are 3 x 32 x 32, the recipe's input_shape is 1 x 32 x 32"):
        load_data("cifar10", (1, 32, 32), data_dir=tmp_path / "data", download=True)


def test_official_sources_are_pinned():
    archives = {name: source.archive for name, source in data_sets.SOURCES.items() if source.archive}
    assert set(archives) == {"cifar10", "cifar100", "tinyimagenet"}
    for source in archives.values():
        assert source.url.endswith("/" + source.file_name)
        assert source.size_bytes > 10**8
        assert len(bytes.fromhex(source.sha256)) == 32


def test_unknown_data(tmp_path):
    with pytest.raises(
        UsageError, match="there is no data set 'svhn'; there are digits, fashion-mnist, mnist"
    ):
        load_data("svhn", (3, 32, 32), data_dir=tmp_path)
