import pickle
from pathlib import Path

import numpy as np
import pytest

from pi_bench.errors import InputError
from pi_bench.launch.inputs import load_input, noise_input
from pi_bench.network.program import InputOp


class Evil:
    """Would create a file when unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


def test_loads_what_numpy_saved(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(tmp_path / "x.npy", array)
    np.testing.assert_array_equal(load_input(tmp_path / "x.npy"), array)


def test_object_arrays_are_never_unpickled(tmp_path: Path) -> None:
    evil = Evil(tmp_path / "was-run")
    np.save(tmp_path / "x.npy", np.array([evil], dtype=object), allow_pickle=True)
    (tmp_path / "y.npy").write_bytes(pickle.dumps(evil))
    for name in ("x.npy", "y.npy"):
        with pytest.raises(InputError, match="holds Python objects"):
            load_input(tmp_path / name)
    assert not evil.marker.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"1.0 2.0\n3.0 4.0\n", "it is text"),
        ("größe 1\n".encode() * 100, "it is text"),
        (b"\xff\x00\x01\x02", "it is not a .npy file"),
        (b"\x93NUMPY\x01\x00", "damaged header"),
        (b"\x93NUMPY\x01\x00\x01\x00{", "damaged header"),
        (b"\x93NUMPY\x09\x00" + bytes(64), "damaged header"),
    ],
)
def test_other_files(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(InputError, match=words):
        load_input(tmp_path / "x.npy")


def saved(path: Path, array: np.ndarray) -> bytes:
    np.save(path, array)
    return path.read_bytes()


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(saved(path, np.zeros((2, 3), np.float32))[:-5])
    with pytest.raises(InputError, match=r"is truncated.* \(2, 3\) of float32 takes 24 bytes, 19 follow"):
        load_input(path)


def test_a_header_that_announces_too_much_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    data = saved(path, np.zeros(100_000, np.float32))
    old = b"(100000,), }".ljust(24)
    for shape, words in [
        (b"1 << 99", "damaged header"),
        (b"(9**9**9,)", "damaged header"),
        (b"(-1,)", "impossible shape"),
        (b"(9999999999999,)", "is truncated, or its header is wrong"),
    ]:
        path.write_bytes(data.replace(old, (shape + b", }").ljust(len(old))))
        with pytest.raises(InputError, match=words):
            load_input(path)


def test_more_than_one_array(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(saved(path, np.zeros(3)) + path.read_bytes())
    with pytest.raises(InputError, match="more than one array"):
        load_input(path)


@pytest.mark.parametrize(
    ("dtype", "native"),
    [("<f2", "<f4"), (">f4", "<f4"), (">f8", "<f8"), ("<g", "<f8"), ("|u1", "<f4"), (">i4", "<f8")],
)
def test_real_numbers_of_any_kind_become_native_floats(tmp_path: Path, dtype: str, native: str) -> None:
    values = np.arange(6).reshape(2, 3, order="F").astype(dtype)
    np.save(tmp_path / "x.npy", values)
    loaded = load_input(tmp_path / "x.npy")
    assert loaded.dtype.str == native
    np.testing.assert_array_equal(loaded, values)


def test_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    with pytest.raises(InputError, match=r"an archive \(\.npz, or a model"):
        load_input(tmp_path / "x.npz")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file; check its name"):
        load_input(tmp_path / "x.npy")
    with pytest.raises(InputError, match="it is a folder; name one file in it"):
        load_input(tmp_path)


def test_noise_repeats_and_stays_in_range() -> None:
    op = InputOp(0, "input", (1, 3, 8, 8), 7, 0.5)
    first, again, other = noise_input(op, 1), noise_input(op, 1), noise_input(op, 2)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == op.shape and first.dtype == np.float32
    assert np.abs(first).max() < 0.5
    scaled = noise_input(InputOp(0, "input", (1, 2), 7, 40.0, np.uint8([0, 8])), 1)
    assert (
        abs(scaled[0, 1]) <= 40 / 2**10
        and scaled[0, 0] == noise_input(InputOp(0, "input", (1, 2), 7, 40.0), 1)[0, 0]
    )
