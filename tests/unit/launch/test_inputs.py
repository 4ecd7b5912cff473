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


@pytest.mark.parametrize("data", [b"", b"not an array", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x01\x00\x01\x00{"])
def test_other_files(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(InputError, match=r"x\.npy: (it is not a \.npy file|it holds Python objects)"):
        load_input(tmp_path / "x.npy")


def test_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="an archive of arrays"):
        load_input(tmp_path / "x.npz")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_input(tmp_path / "x.npy")
    with pytest.raises(InputError, match="directory"):
        load_input(tmp_path)


def test_noise_repeats_and_stays_in_range() -> None:
    op = InputOp(0, "input", (1, 3, 8, 8), 7, 0.5)
    first, again, other = noise_input(op, 1), noise_input(op, 1), noise_input(op, 2)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == op.shape and first.dtype == np.float32
    assert np.abs(first).max() < 0.5
