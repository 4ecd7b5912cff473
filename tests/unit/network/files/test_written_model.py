"""The reader without torch: it reads the same as torch, or leaves the file to torch."""

import io
import zipfile

import numpy as np
import pytest

from pi_bench.network.files.model_file import load_model, save_model
from pi_bench.network.files.written_model import read_written
from pi_bench.network.graph import Graph

torch = pytest.importorskip("torch")


def saved(content: object, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file


def as_torch_reads(value: object) -> object:
    if isinstance(value, dict):
        return {key: as_torch_reads(each) for key, each in value.items()}
    return value.numpy() if isinstance(value, torch.Tensor) else value


def test_every_value_of_a_model_file_is_read_as_torch_reads_it() -> None:
    shared = torch.arange(6, dtype=torch.float32).reshape(1, 2, 3)
    numbers = [0, 1, 255, 256, 65_536, -1, 1 << 40, -0.0, 1e-300, True, False, None]
    many = {str(number): [number] for number in range(300)}  # long enough for long references
    content = {
        "numbers": numbers,
        "text": ["", "dög", "x" * 300],
        "nested": [[], {}, {"a": [{}]}],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        **{"many": many, "again": many["7"]},
        **{"w": shared, "same": shared, "scalar": torch.tensor(2.5), "none": torch.zeros(0)},
        "mask": torch.tensor([True, False]),
    }
    file = saved(content)
    found = read_written(file)
    file.seek(0)
    expected = as_torch_reads(torch.load(file, weights_only=True))
    assert found is not None
    assert str(found) == str(expected)
    for name in ("w", "same", "scalar", "none", "mask"):
        assert (found[name].dtype, found[name].shape) == (expected[name].dtype, expected[name].shape)
        assert found[name].flags.writeable
    assert np.shares_memory(found["w"], found["same"])


@pytest.mark.parametrize(
    "content",
    [
        {"w": torch.zeros(2, dtype=torch.float64)},
        {"w": torch.zeros(2, 3).T},
        {"w": torch.zeros(4)[1:3]},
        {"w": torch.zeros(1).expand(1 << 40)},
        {"w": torch.zeros(2).to_sparse()},
        {"w": torch.nn.Parameter(torch.zeros(2))},
        {"w": torch.zeros(2, requires_grad=True)},
        {"w": np.float64(1)},
        {1: "a key that is no text"},
        [1, 2],
        torch.nn.ReLU(),
    ],
    ids=str,
)
def test_what_save_model_does_not_write_is_left_to_torch(content: object) -> None:
    assert read_written(saved(content)) is None


def test_a_record_that_differs_from_its_checksum_or_from_its_tensor_is_left_to_torch() -> None:
    whole = saved({"w": torch.tensor([1.25, 1.25])}).getvalue()
    at = whole.index(np.float32([1.25, 1.25]).tobytes())
    assert read_written(io.BytesIO(whole)) is not None
    assert read_written(io.BytesIO(whole[:at] + b"\1" + whole[at + 1 :])) is None
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    for name, data in (("data/0", b"\0" * 4), ("byteorder", b"big"), ("data.pkl", b"\x80\x02}")):
        other = io.BytesIO()
        with zipfile.ZipFile(other, "w") as archive:
            for each, kept in records.items():
                archive.writestr(each, data if each.partition("/")[2] == name else kept)
        assert read_written(other) is None, name


def test_a_model_is_read_without_torchs_reader(
    tiny_graph: Graph, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("torch reads the file")

    monkeypatch.setattr("pi_bench.network.files.model_file.load_plain", never)
    save_model(tiny_graph, tmp_path / "model.pt")
    assert load_model(tmp_path / "model.pt").nodes == tiny_graph.nodes
