"""Checkpoints of strangers: nothing in them runs, and time and memory are bounded, in both formats."""

from __future__ import annotations

import io
import os
import pickle
import resource
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_bench.errors import ModelError

torch = pytest.importorskip("torch")
from torch import nn

import pi_bench
from pi_bench.network.files.pickle_data import MAX_OPERATIONS, TooManyOperations, read_pickle

MAGIC = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
STORAGE = "(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04"


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(2, 3))


def saved(content: Any, *, is_archive: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=is_archive)
    return file.getvalue()


def archive(pickled: bytes, **records: bytes) -> bytes:
    """An archive with a pickle of one's own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("a/data.pkl", pickled)
        for name, content in records.items():
            made.writestr(f"a/{name.replace('__', '/')}", content)
    return file.getvalue()


def legacy(pickled: bytes, rest: bytes) -> bytes:
    return b"".join(pickle.dumps(value, 2) for value in MAGIC) + pickled + rest


@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "before_1_6"])
def test_nothing_of_a_checkpoint_runs(is_archive: bool, tmp_path: Path) -> None:
    state = network().state_dict()
    content = {"net": state, "args": Runs(tmp_path / "made"), "more": [Runs(tmp_path / "made"), network()]}
    (tmp_path / "c.pt").write_bytes(saved(content, is_archive=is_archive))
    module = network()
    pi_bench.load_weights(module, tmp_path / "c.pt")
    assert torch.equal(module[0].weight, state["0.weight"]) and not (tmp_path / "made").exists()
    for alone in (Runs(tmp_path / "made"), {"net": Runs(tmp_path / "made")}, network()):
        (tmp_path / "c.pt").write_bytes(saved(alone, is_archive=is_archive))
        with pytest.raises(
            ModelError, match=r"Python objects \(.*nothing of it was run: save module\.state_dict"
        ):
            pi_bench.load_weights(network(), tmp_path / "c.pt")
    assert not (tmp_path / "made").exists()


def tensor(offset: bytes, shape: bytes, stride: bytes) -> bytes:
    """A pickle of {"0.weight": a tensor of the storage "0" of four numbers}."""
    return (
        b"\x80\x02}X\x08\x00\x00\x000.weightctorch._utils\n_rebuild_tensor_v2\n("
        + STORAGE.encode()
        + b"tQ%b(%bt(%bt\x89}tRs." % (offset, shape, stride)
    )


def number(value: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", value)


NESTED = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
HOSTILE: dict[str, bytes] = {
    "beyond": tensor(b"K\x03", b"K\x02K\x01", b"K\x01K\x01"),
    "negative_stride": tensor(b"K\x03", b"K\x02", number(-1)),
    "negative_offset": tensor(number(-1), b"K\x02", b"K\x01"),
    "vast": tensor(b"K\x00", number(1 << 40), b"K\x00"),
    "vast_product": tensor(b"K\x00", number(1 << 40) * 8, b"K\x00" * 8),
    "deep": NESTED,
    "no_end": b"\x80\x02}",
    "empty_stack": b"\x80\x020.",
    "mark": b"\x80\x02(.",
    "unknown_operation": b"\x80\x02\xff.",
    "extension": b"\x80\x02\x82\x01.",
    "memo": b"\x80\x02h\x05.",
    "long_text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x.",
    "long_bytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.",
    "digits": b"I" + b"9" * 1_000_000 + b"\n.",
    "itself": b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00sh\x00.",
    "wide": b"\x80\x02}q\x00("
    + b"".join(b"X\x01\x00\x00\x00%ch\x00" % c for c in range(65, 91))
    + b"uh\x00.",
    "no_arguments": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
    "class_state": b"\x80\x02ccollections\nOrderedDict\n}b.",
}


@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "before_1_6"])
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.slow if case in ("deep", "wide") else ()) for case in HOSTILE],
)
def test_hostile_pickles_are_refused_in_one_line(case: str, is_archive: bool, tmp_path: Path) -> None:
    numbers = np.ones(4, np.float32).tobytes()
    keys = b"\x80\x02]X\x01\x00\x00\x000a." + struct.pack("<q", 4) + numbers
    pickled = HOSTILE[case] if is_archive else HOSTILE[case].replace(b"cpuK\x04", b"cpuK\x04N")
    rest = keys if b"storage" in pickled else b"\x80\x02]."
    content = archive(pickled, data__0=numbers) if is_archive else legacy(pickled, rest)
    (tmp_path / "c.pt").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF)
    harmless = case in ("deep", "itself", "wide", "class_state")
    message = "holds no state_dict|more than 200,000 entries" if harmless else "truncated or damaged"
    with pytest.raises(ModelError, match=message) as caught:
        pi_bench.load_weights(network(), tmp_path / "c.pt")
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700
    assert after.ru_utime - before.ru_utime < 10 and after.ru_maxrss - before.ru_maxrss < 500_000


def test_the_sound_tensor_of_these_pickles_is_read(tmp_path: Path) -> None:
    """Otherwise the cases above would be refused for another reason."""
    numbers = np.arange(4, dtype=np.float32).tobytes()
    pickled = tensor(b"K\x00", b"K\x02K\x02", b"K\x02K\x01")
    pickled = pickled.replace(b"X\x08\x00\x00\x000.weight", b"X\x06\x00\x00\x00weight")
    keys = b"\x80\x02]X\x01\x00\x00\x000a." + struct.pack("<q", 4) + numbers
    for content in (
        archive(pickled, data__0=numbers),
        legacy(pickled.replace(b"cpuK\x04", b"cpuK\x04N"), keys),
    ):
        (tmp_path / "c.pt").write_bytes(content)
        module = nn.Linear(2, 2, bias=False)
        pi_bench.load_weights(module, tmp_path / "c.pt")
        assert module.weight.tolist() == [[0, 1], [2, 3]]


@pytest.mark.slow
@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "before_1_6"])
def test_damaged_files_are_refused_or_read(is_archive: bool, tmp_path: Path) -> None:
    whole = saved({"net": network().state_dict(), "lr": 0.1}, is_archive=is_archive)
    generator = np.random.default_rng(5)
    refused = 0
    for round_ in range(120):
        damaged = bytearray(whole)
        if round_ % 4 == 0:
            damaged = damaged[: int(generator.integers(1, len(whole)))]
        for _ in range(int(generator.integers(1, 4))):
            damaged[int(generator.integers(len(damaged)))] = int(generator.integers(256))
        (tmp_path / "c.pt").write_bytes(damaged)
        try:
            pi_bench.load_weights(network(), tmp_path / "c.pt")
        except ModelError as error:
            refused += 1
            assert "\n" not in str(error)
    assert 30 < refused < 120


def test_a_pipe_is_no_checkpoint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.pt")
    with pytest.raises(ModelError, match="no regular file"):
        pi_bench.load_weights(network(), tmp_path / "c.pt")


def test_a_pickle_of_too_many_operations_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_OPERATIONS < 10_000_000  # some seconds
    monkeypatch.setattr("pi_bench.network.files.pickle_data.MAX_OPERATIONS", 2_003)
    assert read_pickle(io.BytesIO(b"\x80\x02" + b"N0" * 1_000 + b"N."), {}) is None
    with pytest.raises(TooManyOperations):
        read_pickle(io.BytesIO(b"\x80\x02" + b"N0" * 1_001 + b"N."), {})


def test_mappings_keep_text_keys_alone() -> None:
    """Numbers that hash alike would make a mapping take quadratic time."""
    content = {"a": 1, 3: 2, (2**61 - 1) * 5: 3, ("b",): 4}
    assert read_pickle(io.BytesIO(pickle.dumps(content)), {}) == {"a": 1}
