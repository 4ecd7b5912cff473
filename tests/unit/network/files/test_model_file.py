"""Model files: written networks are read again, and each other file gets one line that names its kind."""

import os
import pickle
import re
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pi_bench.errors import ModelError, OutputError
from pi_bench.network.files.model_file import _digest, load_model, save_model
from pi_bench.network.graph import (
    OPERATORS,
    ConvNode,
    FlattenNode,
    Graph,
    InputNode,
    LinearNode,
    OutputNode,
    ReluNode,
)

torch = pytest.importorskip("torch")


def small_graph(**changes):
    rng = np.random.default_rng(0)
    nodes = (
        InputNode("input", (), (2, 4, 4)),
        ConvNode("conv", ("input",), (3, 4, 4), "conv.weight", "conv.bias", (1, 1), (1, 1)),
        ReluNode("relu", ("conv",), (3, 4, 4), "relu.mask"),
        FlattenNode("flatten", ("relu",), (48,)),
        LinearNode("fc", ("flatten",), (2,), "fc.weight", None),
        OutputNode("output", ("fc",), (2,)),
    )
    fields = {
        "nodes": nodes,
        "parameters": {
            "conv.weight": rng.standard_normal((3, 2, 3, 3), dtype=np.float32),
            "conv.bias": np.zeros(3, np.float32),
            "fc.weight": rng.standard_normal((2, 48), dtype=np.float32),
        },
        "masks": {"relu.mask": rng.random((3, 4, 4)) < 0.5},
        "ranges": {node.name: 1.0 + index / 3 for index, node in enumerate(nodes)},
        "labels": ("cat", "dög"),
        "meta": {"name": "small", "random_weights": True, "headroom_bits": {"relu": 1.25}},
    }
    return Graph(**fields | changes)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.pt"
    save_model(small_graph(), path)
    return path


def refusal(path):
    """The message for the file at `path`, which must be one line that names the file."""
    with pytest.raises(ModelError) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def resave(path, change):
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def test_what_goes_in_comes_out(model):
    expected, loaded = small_graph(), load_model(model)
    assert loaded.nodes == expected.nodes
    assert (loaded.labels, loaded.ranges, loaded.meta) == (expected.labels, expected.ranges, expected.meta)
    for kind in ("parameters", "masks"):
        left, right = getattr(loaded, kind), getattr(expected, kind)
        assert set(left) == set(right)
        assert all(np.array_equal(left[k], right[k]) and left[k].dtype == right[k].dtype for k in left)
    assert loaded.relu_count == expected.relu_count


def test_the_file_is_plain_data_and_the_same_every_time(model, tmp_path):
    content = torch.load(model, weights_only=True)
    assert (content["format"], content["version"]) == ("pi-bench model", 2)
    again = tmp_path / "again.pt"
    save_model(small_graph(), again)
    assert again.read_bytes() == model.read_bytes()


def test_an_existing_file_is_replaced_and_nothing_is_left_beside_it(model):
    model.write_bytes(b"old")
    save_model(small_graph(), model)
    assert load_model(model).labels == ("cat", "dög")
    assert os.listdir(model.parent) == ["model.pt"]


def test_a_failed_write_leaves_the_old_file(model, monkeypatch):
    before = model.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write .*model\.pt: No space left on device"):
        save_model(small_graph(), model)
    assert model.read_bytes() == before
    assert os.listdir(model.parent) == ["model.pt"]


def test_a_link_is_written_through(tmp_path):
    target, link = tmp_path / "target.pt", tmp_path / "link.pt"
    link.symlink_to(target)
    save_model(small_graph(), link)
    assert link.is_symlink() and load_model(target).labels


@pytest.mark.parametrize("where", ["missing/model.pt", "folder"])
def test_a_path_that_cannot_be_written_is_named(tmp_path, where):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=f"cannot write .*{where}"):
        save_model(small_graph(), tmp_path / where)


def test_a_device_is_not_replaced():
    with pytest.raises(OutputError, match="not a regular file"):
        save_model(small_graph(), "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_graph_without_ranges_is_not_written(tmp_path):
    with pytest.raises(ModelError, match="no calibrated range"):
        save_model(small_graph(ranges={}), tmp_path / "model.pt")
    assert os.listdir(tmp_path) == []


def test_numpy_numbers_in_metadata_are_written_as_plain_ones(tmp_path):
    save_model(small_graph(meta={"accuracy": np.float64(0.5)}), tmp_path / "model.pt")
    accuracy = load_model(tmp_path / "model.pt").meta["accuracy"]
    assert (accuracy, type(accuracy)) == (0.5, float)


def test_metadata_that_json_cannot_hold_is_not_written(tmp_path):
    with pytest.raises(ModelError, match="JSON"):
        save_model(small_graph(meta={"note": object()}), tmp_path / "model.pt")


# Files that are not model files.


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


class NeverRun:
    """Fails the test that made it if anything of a hostile file ran."""

    def __init__(self, folder):
        self.canary = folder / "canary"

    def check(self):
        assert not self.canary.exists()


@pytest.mark.parametrize("wrap", ["archive", "archive_dict", "archive_protocol_4", "pickle"])
def test_code_in_a_file_does_not_run(tmp_path, wrap):
    never = NeverRun(tmp_path)
    path = tmp_path / "model.pt"
    hostile = Malicious(never.canary)
    if wrap == "pickle":
        path.write_bytes(pickle.dumps({"format": "pi-bench model", "version": 1, "nodes": hostile}))
    else:
        content = hostile if wrap == "archive" else {"format": "pi-bench model", "nodes": hostile}
        torch.save(content, path, pickle_protocol=4 if wrap == "archive_protocol_4" else 2)
    message = refusal(path)
    assert "could run code; nothing of it was run" in message
    never.check()
    with open(path, "rb") as file:  # the file is as hostile as the test believes
        if wrap == "pickle":
            pickle.load(file)
        else:
            torch.load(file, weights_only=False)
    assert never.canary.exists()


def test_a_pickled_module(tmp_path):
    path = tmp_path / "model.pt"
    torch.save(torch.nn.Linear(2, 2), path)
    message = refusal(path)
    assert "pickled torch module (torch.nn.modules.linear.Linear)" in message
    assert "pi_bench.export" in message


def test_an_old_style_torch_file(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"a": 1}, path, _use_new_zipfile_serialization=False)
    assert "Python pickle" in refusal(path)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")  # deprecated, in newer torch as a FutureWarning
def test_a_torchscript_file(tmp_path):
    path = tmp_path / "model.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    assert "is a TorchScript file" in refusal(path)


@pytest.mark.filterwarnings("ignore")
def test_a_torch_export_archive(tmp_path):
    path = tmp_path / "model.pt2"
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),)), path)
    assert "torch.export archive" in refusal(path)


@pytest.mark.parametrize("nest", [lambda state: state, lambda state: {"epoch": 3, "state_dict": state}])
def test_a_state_dict(tmp_path, nest):
    path = tmp_path / "state.pt"
    torch.save(nest(torch.nn.Linear(2, 2).state_dict()), path)
    message = refusal(path)
    assert "is a state_dict" in message and "--weights" in message


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], {}, {"a": 1}, 5])
def test_other_torch_files(tmp_path, content):
    path = tmp_path / "other.pt"
    torch.save(content, path)
    assert "not a pi-bench model" in refusal(path)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"", "is empty"),
        (b"hello world", "no torch archive"),
        (b"\0", "no torch archive"),
        (b"\x93NUMPY\x01\x00", "numpy array"),
        (b"\x08\x09\x12\x07pytorch", "ONNX"),
        (b"\x08\x08:\x90\x01", "ONNX"),
        ((40).to_bytes(8, "little") + b'{"a":{}}', "safetensors"),
        (b"PK\x03\x04", "truncated or damaged"),
    ],
)
def test_other_formats_are_named(tmp_path, head, what):
    path = tmp_path / "model.pt"
    path.write_bytes(head)
    assert what in refusal(path)


def test_an_onnx_name(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"anything")
    assert "ONNX" in refusal(path)


def test_a_zip_of_something_else(tmp_path):
    path = tmp_path / "arrays.npz"
    np.savez(path, a=np.zeros(3))
    assert "zip archive but not of torch" in refusal(path)


def test_a_compressed_archive_is_not_unpacked(model):
    with zipfile.ZipFile(model) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(model, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in records.items():
            archive.writestr(name, data)
    assert "compressed records" in refusal(model)


def test_missing_and_directory(tmp_path):
    assert "No such file" in refusal(tmp_path / "none.pt")
    assert "directory" in refusal(tmp_path).lower()


def test_a_device_is_not_read():
    assert "not a regular file" in refusal("/dev/zero")


def test_every_truncation_is_refused(model):
    whole = model.read_bytes()
    for size in range(1, len(whole), 97):
        model.write_bytes(whole[:size])
        refusal(model)


def test_every_flipped_byte_is_refused_or_harmless(model):
    whole = model.read_bytes()
    expected = load_model(model)
    for position in range(0, len(whole), 41):
        model.write_bytes(whole[:position] + bytes([whole[position] ^ 0x20]) + whole[position + 1 :])
        try:
            loaded = load_model(model)
        except ModelError as error:
            assert "\n" not in str(error)
        else:  # padding and fields of the archive that mean nothing
            assert loaded.nodes == expected.nodes and loaded.meta == expected.meta
            assert all(
                np.array_equal(loaded.parameters[k], expected.parameters[k]) for k in expected.parameters
            )


def set_key(*path_and_value):
    *path, last, value = path_and_value

    def change(content):
        for key in path:
            content = content[key]
        content[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["parameters"]["fc.weight"][0, 0].add_(1),
        lambda content: content["masks"]["relu.mask"][0, 0, 0].logical_not_(),
        set_key("meta", "random_weights", False),
        set_key("meta", "extra", torch.zeros(1)),
        set_key("ranges", "relu", 2.0),
        set_key("labels", 0, "dog"),
        set_key("labels", None),
        set_key("nodes", 1, "stride", [2, 2]),
        set_key("nodes", {}),
        set_key("sha256", "0" * 64),
        set_key("sha256", None),
        set_key("added", 1),
        set_key("parameters", "fc.weight", torch.zeros(2, 48, dtype=torch.float64)),
        set_key("parameters", "fc.weight", torch.zeros(1).expand(1 << 40)),
        set_key("parameters", "fc.weight", torch.zeros(2, 48).to_sparse()),
        set_key("parameters", "fc.weight", 3),
        set_key("parameters", []),
        set_key("masks", "relu.mask", torch.zeros(3, 4, 4)),
        lambda content: content.pop("ranges"),
    ],
)
def test_alterations_are_found(model, change):
    resave(model, change)
    assert "damaged or was altered" in refusal(model)


def test_a_newer_version(model):
    resave(model, set_key("version", 3))
    message = refusal(model)
    assert "format version 3" in message and "update pi-bench" in message


def test_a_file_of_version_1(model):
    """Nodes without the fields that version 2 added, whose defaults have the meaning of version 1."""
    content = torch.load(model, weights_only=True)
    for node in content["nodes"]:
        for field in ("dilation", "groups", "ceil", "count_padding", "divisor"):
            node.pop(field, None)
    metadata = {key: content[key] for key in ("nodes", "ranges", "labels", "meta")}
    arrays = [{name: t.numpy() for name, t in content[kind].items()} for kind in ("parameters", "masks")]
    content |= {"version": 1, "sha256": _digest(1, metadata, *arrays)}
    torch.save(content, model)
    assert load_model(model).nodes == small_graph().nodes
    content["version"] = 2  # which its digest does not fit
    torch.save(content, model)
    assert "damaged or was altered" in refusal(model)


@pytest.mark.parametrize("version", [0, "1", None])
def test_an_impossible_version(model, version):
    resave(model, set_key("version", version))
    assert "format version" in refusal(model)


@pytest.mark.slow
def test_deep_nesting_is_refused(model):
    depth = 100_000
    deep = b"]" * depth + b"a" * (depth - 1)  # pickle: as many empty lists, each put into the one before
    with zipfile.ZipFile(model) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    fields = {"format": "pi-bench model", "version": 1, "ranges": {}, "labels": [], "meta": {}}
    fields |= {"parameters": {}, "masks": {}, "sha256": ""}
    head = pickle.dumps(fields, protocol=2).removesuffix(b".")
    key = b"X" + (5).to_bytes(4, "little") + b"nodes"
    with zipfile.ZipFile(model, "w") as archive:
        for name, data in records.items():
            hostile = head + key + deep + b"s."
            archive.writestr(name, hostile if name.endswith("data.pkl") else data)
    assert "damaged or was altered" in refusal(model)


def test_many_names_for_one_tensor_ask_for_no_memory(model, monkeypatch):
    def alias(content):
        shared = torch.zeros(1 << 16)
        content["parameters"] = {f"p{index}": shared for index in range(4096)}  # 1 GiB in all

    resave(model, alias)

    def never(*_arguments):
        raise AssertionError("the digest copies the hashed arrays")

    monkeypatch.setattr("pi_bench.network.files.model_file._digest", never)
    assert "damaged or was altered" in refusal(model)


def test_the_document_lists_the_operators_of_the_format():
    text = (Path(__file__).parents[4] / "docs" / "model-file.md").read_text()
    table = text.partition("| operator |")[2].partition("\n\n")[0]
    first_columns = (line.split("|")[1] for line in table.splitlines()[2:])
    listed = [name for column in first_columns for name in re.findall(r"`(\w[\w.]*)`", column)]
    assert sorted(listed) == sorted(OPERATORS)
