"""torch.export archives: the network comes through, and nothing foreign in them is run or believed."""

import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import ModelError
from pi_bench.network.graph.float_run import outputs

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn import functional

from pi_bench.network.interchange.source import read_file
from pi_bench.network.lowering import lower


class Activation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter((torch.arange(96.0).reshape(1, 4, 6, 4) % 3 == 0).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x) * self.alpha + (1 - self.alpha) * x


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.layers = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True), Activation())
        self.gain = torch.tensor([2.0])
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.bn(self.stem(x))
        y = self.layers(first.relu())
        y += self.stem(x) * self.gain
        y = functional.dropout(functional.adaptive_avg_pool2d(y, 1), 0.1, self.training)
        return self.head(torch.flatten(y, 1))


def example(batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 3, 6, 4, generator=torch.Generator().manual_seed(3))


def traced(module: nn.Module, batch: int = 1, **options: Any) -> torch.export.ExportedProgram:
    return torch.export.export(module.eval(), (example(batch),), **options)


def content(program: torch.export.ExportedProgram) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


def decomposed(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates its own internals
        return program.run_decompositions({})


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return Network()


@pytest.fixture(scope="module")
def archive(network: nn.Module) -> bytes:
    return content(traced(network))


def read(tmp_path: Path, data: bytes) -> Any:
    (tmp_path / "network.pt2").write_bytes(data)
    return read_file(tmp_path / "network.pt2")


@pytest.mark.slow
def test_the_network_comes_through_with_its_names(network: nn.Module, tmp_path: Path) -> None:
    inputs = example(5)
    with torch.no_grad():
        expected = network.eval()(inputs).numpy()
    plain = [node.name for node in lower(network, inputs[:1]).nodes]
    assert "layers.2.masked_relu" in plain
    dynamic = {"x": {0: torch.export.Dim.AUTO}}
    programs = [
        traced(network),
        traced(network, batch=2),
        decomposed(traced(network)),
        traced(network, batch=2, dynamic_shapes=dynamic),
    ]
    for number, program in enumerate(programs):
        torch.export.save(program, tmp_path / "network.pt2")
        sources = [str(tmp_path / "network.pt2"), *([program] if number < 2 else [])]
        for source in sources:
            graph = pi_bench.export(source, None, tmp_path / "m.pt", calibration=inputs)
            np.testing.assert_allclose(outputs(graph, inputs.numpy()), expected, rtol=1e-4, atol=1e-5)
            assert [node.name for node in graph.nodes] == plain
            assert graph.meta["name"] == "Network"
    assert graph.relu_count == 96 + 96 + 32


class Marker:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_nothing_in_an_archive_is_run(
    network: nn.Module, archive: bytes, tmp_path: Path, rewritten: Callable[..., bytes]
) -> None:
    marker = tmp_path / "ran"
    poison = pickle.dumps(Marker(marker))
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"

    def change(records: dict[str, bytes]) -> None:
        records["data/sample_inputs/model.pt"] = poison
        records["data/aotinductor/model/model.so"] = poison
        records["data/constants/custom_obj_0"] = poison

    def graph(program: dict[str, Any]) -> None:
        program["guards_code"] = [code]
        program["range_constraints"] = {code: {"min_val": 0, "max_val": 1}}
        sizes = program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
        sizes[0] = {"as_expr": {"expr_str": code, "hint": None}}

    module = read(tmp_path, rewritten(archive, change, graph))
    np.testing.assert_allclose(module(example()).detach(), network.eval()(example()).detach(), atol=1e-5)
    assert not marker.exists()
    (tmp_path / "control.pt").write_bytes(poison)
    pickle.loads((tmp_path / "control.pt").read_bytes())
    assert marker.exists()


def node(program: dict[str, Any], index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = program["graph_module"]["graph"]["nodes"][index]
    return found


def call(target: str, name: str, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    outputs_ = [{"as_tensor": {"name": name}}]
    return {"target": target, "inputs": inputs, "outputs": outputs_, "metadata": {}}


def fill(program: dict[str, Any], sizes: list[int]) -> None:
    ints = {"name": "size", "arg": {"as_ints": sizes}, "kind": 1}
    value = {"name": "fill_value", "arg": {"as_float": 1.0}, "kind": 1}
    nodes = program["graph_module"]["graph"]["nodes"]
    nodes.insert(0, call("torch.ops.aten.full.default", "filled", [ints, value]))


HOSTILE_GRAPHS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "file": (lambda p: node(p).update(target="torch.ops.aten.from_file.default"), "from_file.*cannot be low"),
    "custom": (
        lambda p: node(p).update(target="torch.ops.mine.conv2d.default"),
        "default.*cannot be lowered",
    ),
    "python": (lambda p: node(p).update(target="os.system"), "system.*cannot be lowered"),
    "control": (
        lambda p: node(p)["inputs"].append({"name": "true", "arg": {"as_graph": {}}, "kind": 1}),
        "conv2d in module 'stem' is control flow",
    ),
    "memory": (lambda p: fill(p, [1 << 20, 1 << 20]), "full makes 1099511627776 elements"),
    "overflow": (lambda p: fill(p, [1 << 62, 1 << 62]), "operator full cannot be applied"),
    "unmade": (
        lambda p: node(p)["inputs"][0]["arg"].update(as_tensor={"name": "nothing"}),
        "conv2d in module 'stem' reads 'nothing', which nothing makes",
    ),
    "argument": (
        lambda p: node(p)["inputs"].append({"name": "spin", "arg": {"as_int": 1}, "kind": 1}),
        "conv2d in module 'stem' cannot be applied",
    ),
    "schema": (lambda p: p["schema_version"].update(major=9), "schema version 9, 8 is read"),
    "fields": (lambda p: p["graph_module"].pop("signature"), "not as torch.export.save writes it"),
    "symbol": (
        lambda p: node(p)["inputs"][3].update(arg={"as_sym_ints": []}),
        "conv2d in module 'stem' depends on a shape.*dynamic_shapes",
    ),
    "token": (
        lambda p: p["graph_module"]["signature"]["input_specs"].append({"token": {"arg": {"name": "t"}}}),
        "takes an input of kind 'token'",
    ),
}


@pytest.mark.parametrize("case", HOSTILE_GRAPHS)
def test_graphs_that_no_network_has_are_refused(
    case: str, archive: bytes, tmp_path: Path, rewritten: Callable[..., bytes]
) -> None:
    graph, message = HOSTILE_GRAPHS[case]
    with pytest.raises(ModelError, match=message) as caught:
        read(tmp_path, rewritten(archive, graph=graph)).require_bounded(example())
    assert "\n" not in str(caught.value)


def config(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, bytes]], None]:
    def alter(records: dict[str, bytes]) -> None:
        name = "data/weights/model_weights_config.json"
        entries = json.loads(records[name])
        change(entries["config"]["stem.weight"])
        records[name] = json.dumps(entries).encode()

    return alter


def stretched(entry: dict[str, Any]) -> None:
    entry["tensor_meta"]["strides"][0] = {"as_int": 1 << 40}


def repeated(entry: dict[str, Any]) -> None:
    entry["tensor_meta"]["sizes"][0] = {"as_int": 1 << 40}
    entry["tensor_meta"]["strides"][0] = {"as_int": 0}


def saved(weights: Any) -> Callable[[dict[str, bytes]], None]:
    """Replaces the weights by one torch.save file, in which torch 2.8 keeps them."""

    def alter(records: dict[str, bytes]) -> None:
        for record in [name for name in records if name.startswith("data/weights/")]:
            del records[record]
        buffer = io.BytesIO()
        torch.save(weights, buffer)
        records["data/weights/model.pt"] = buffer.getvalue()

    return alter


HOSTILE_RECORDS: dict[str, tuple[Callable[[dict[str, bytes]], Any], str]] = {
    "pickled": (config(lambda entry: entry.update(use_pickle=True)), "'stem.weight' is pickled"),
    "complex": (config(lambda entry: entry["tensor_meta"].update(dtype=10)), "dtype 10 .* not supported"),
    "stride": (config(stretched), "truncated or damaged"),
    "repeated": (config(repeated), "truncated or damaged"),
    "cut": (lambda records: records.update({"data/weights/weight_0": b"\0" * 8}), "truncated or damaged"),
    "text": (lambda records: records.update({"models/model.json": b"[" * 100_000}), "truncated or damaged"),
    "none": (lambda records: records.pop("models/model.json"), "holds 0 programs"),
    "endian": (lambda records: records.update(byteorder=b"big"), "big-endian"),
    "tensor": (saved({}), "lacks the tensor"),
}


@pytest.mark.parametrize("case", HOSTILE_RECORDS)
def test_records_that_torch_does_not_write_are_refused(
    case: str, archive: bytes, tmp_path: Path, rewritten: Callable[..., bytes]
) -> None:
    change, message = HOSTILE_RECORDS[case]
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        raw = any(name.endswith("/model_weights_config.json") for name in file.namelist())
    if not raw and case in ("pickled", "complex", "stride", "repeated", "cut"):
        pytest.skip("this torch writes its weights as one torch.save file")
    with pytest.raises(ModelError, match=message) as caught:
        read(tmp_path, rewritten(archive, change))
    assert "\n" not in str(caught.value)


def test_weights_may_stand_in_one_file_as_torch_2_8_writes_them(
    network: nn.Module, archive: bytes, tmp_path: Path, rewritten: Callable[..., bytes]
) -> None:
    module = read(tmp_path, rewritten(archive, saved(dict(network.state_dict(keep_vars=True)))))
    np.testing.assert_allclose(module(example()).detach(), network.eval()(example()).detach(), atol=1e-5)
    marker = tmp_path / "ran"
    for name, value, message in [
        ("stem.weight", Marker(marker), "holds Python objects .* nothing of it was run"),
        ("stem.weight", "text", "'stem.weight' is no plain tensor"),
        ("stem.weight", torch.eye(3).to_sparse(), "'stem.weight' is no plain tensor"),
        ("stem.weight", torch.zeros(1, device="meta"), "'stem.weight' is no plain tensor"),
        ("stem.weight", torch.zeros(3, dtype=torch.complex64), "'stem.weight' is of torch.complex64"),
        ("stem.weight", torch.zeros(1).expand(1 << 20), "truncated or damaged"),
    ]:
        with pytest.raises(ModelError, match=message) as caught:
            read(tmp_path, rewritten(archive, saved({**network.state_dict(), name: value})))
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="truncated or damaged"):
        read(tmp_path, rewritten(archive, saved([torch.zeros(1)])))
    assert not marker.exists()


def test_damaged_archives_are_refused(
    archive: bytes, tmp_path: Path, rewritten: Callable[..., bytes]
) -> None:
    for data, message in [
        (archive[: len(archive) // 2], "truncated or damaged"),
        (archive[:3000] + bytes(64) + archive[3064:], "truncated or damaged|not as torch"),
        (rewritten(archive, compression=zipfile.ZIP_DEFLATED), "records are compressed"),
        (b"hello", "neither a torch.export archive"),
        (b"", "neither a torch.export archive"),
    ]:
        with pytest.raises(ModelError, match=message):
            read(tmp_path, data)
    with pytest.raises(ModelError, match=r"cannot read the network .*: No such file"):
        read_file(tmp_path / "none.pt2")
    with pytest.raises(ModelError, match="not a regular file"):
        read_file("/dev/null")


class TwoInputs(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


def test_programs_of_another_form_are_refused(tmp_path: Path) -> None:
    features = torch.zeros(2, 3)
    rows = {"x": {1: torch.export.Dim.AUTO}}
    cases = [
        (
            torch.export.export(TwoInputs(), (features, features)),
            "2 inputs and 1 outputs|more than one input",
        ),
        (torch.export.export(nn.Embedding(4, 3), (torch.zeros(2, dtype=torch.int64),)), "int64.*float32"),
        (torch.export.export(nn.GELU(), (features,)), "gelu.*ReLU"),
        (torch.export.export(nn.ReLU(), (features,), dynamic_shapes={"input": rows["x"]}), "dynamic shapes"),
    ]
    for program, message in cases:
        torch.export.save(program, tmp_path / "network.pt2")
        for source in (program, tmp_path / "network.pt2"):
            with pytest.raises(ModelError, match=message):
                pi_bench.export(source, None, tmp_path / "m.pt", calibration=features)


def test_inputs_are_needed_to_calibrate_with(network: nn.Module, archive: bytes, tmp_path: Path) -> None:
    module = read(tmp_path, archive)
    for source, message in [(module, "typical inputs as calibration="), (network, "needs an example input")]:
        with pytest.raises(ModelError, match=message):
            pi_bench.export(source, None, tmp_path / "m.pt")


def test_a_module_that_was_saved_whole_is_told_apart(network: nn.Module, tmp_path: Path) -> None:
    torch.save(network, tmp_path / "network.pt")
    with pytest.raises(ModelError, match=r"of torch\.save.*nothing of it was run.*--module MODULE:NAME"):
        read(tmp_path, (tmp_path / "network.pt").read_bytes())
