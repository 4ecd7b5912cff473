"""Archives of arrays from people: read whole, or refused in words."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pi_bench.errors import InputError
from pi_bench.npz_file import read_npz


def test_arrays_come_back_by_name(tmp_path: Path) -> None:
    images, labels = np.random.default_rng(0).random((3, 2, 4)), np.array([1, 2, 0])
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "data.npz", images=images, labels=labels)
        arrays = read_npz(tmp_path / "data.npz")
        assert sorted(arrays) == ["images", "labels"]
        np.testing.assert_array_equal(arrays["images"], images)
        np.testing.assert_array_equal(arrays["labels"], labels)


def member(content: bytes, name: str = "x.npy") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def test_what_is_no_such_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.npz"
    with pytest.raises(InputError, match=r"data\.npz: there is no such file"):
        read_npz(path)
    whole = member(npy(np.arange(1000.0)))
    for content, message in [
        (b"", "no whole .npz archive"),
        (whole[: len(whole) // 2], "no whole .npz archive"),
        (whole[:60] + b"\x00" * 20 + whole[80:], "no whole .npz archive"),
        (member(b"", "readme.txt"), "0 arrays"),
        (member(npy(np.array([{}]))), "array 'x': it holds Python objects"),
        (member(npy(np.arange(3.0))[:-4]), "array 'x': it is truncated"),
        (member(b"hello"), "array 'x': it is text"),
    ]:
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_npz(path)
    path.write_bytes(whole)
    monkeypatch.setattr("pi_bench.npz_file.MAX_FILE_BYTES", 5000)
    with pytest.raises(InputError, match="larger than 5000 bytes unpacked"):
        read_npz(path)
