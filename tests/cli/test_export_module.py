"""`pi-bench export --module`: the user's own module, weights and masks, from its file to a model file."""

import sys
from pathlib import Path

import numpy as np
import pytest

from pi_bench.cli import main
from pi_bench.network.files.model_file import load_model

torch = pytest.importorskip("torch")

SOURCE = """
import torch
from torch import nn

def build(classes=3):
    features = nn.Sequential(nn.AvgPool2d(6), nn.Flatten())
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), *features, nn.Linear(4, classes))

network = build(5)
text = "no module"

class Failing(nn.Module):
    def __init__(self):
        raise RuntimeError("no\\nGPU")
"""

SMALL_RECIPE = """
schema = 1
name = "small"
family = "resnet"
dataset = "digits"
input_shape = [1, 8, 8]
class_count = 3
blocks = [1, 1]
widths = [2, 4]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "users_own_network.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "users_own_network", raising=False)
    return tmp_path


def run(*flags: object) -> int:
    return main(["export", "-o", "m.pt", *map(str, flags)])


def test_weights_and_masks_of_a_checkpoint(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = torch.Generator().manual_seed(0)
    state = {
        "module.0.weight": torch.randn(4, 2, 3, 3, generator=generator),
        "module.0.bias": torch.zeros(4),
        "module.4.weight": torch.randn(7, 4, generator=generator),
        "module.4.bias": torch.zeros(7),
        "module.1.alpha": torch.linspace(0, 1, 144).reshape(1, 4, 6, 6),
    }
    torch.save({"state_dict": state}, "checkpoint.pt")
    np.save("images.npy", np.random.default_rng(0).normal(size=(9, 2, 6, 6)))
    flags = ["--module", "users_own_network:build", "--module-arguments", '{"classes": 7}']
    flags += ["--weights", "checkpoint.pt", "--calibration", "images.npy", "--mask-pattern", "*.alpha"]
    assert run(*flags) == 3
    assert "'1.alpha' of checkpoint.pt is not binary: 142 of 144" in capsys.readouterr().err
    assert run(*flags, "--mask-threshold", "0.75") == 0
    assert "36 ReLUs, input 2 x 6 x 6, 7 outputs" in capsys.readouterr().out
    graph = load_model("m.pt")
    np.testing.assert_array_equal(graph.parameters["0.weight"], state["module.0.weight"].numpy())
    assert graph.meta["calibration"] == {"source": "given inputs", "sample_count": 9}
    assert graph.meta["name"] == "users_own_network"  # neither "build" nor "Sequential"


def test_an_instance_and_noise(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--module", "users_own_network:network", "--input-shape", "2,6,6") == 0
    told = capsys.readouterr().out
    assert "calibrated on 32 samples of seeded noise" in told
    assert "weights unknown" in told and "export with --own-weights or own_weights= to note it" in told


@pytest.mark.parametrize("origin", ["given", "random"])
def test_the_origin_of_own_weights_is_noted(
    origin: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--module", "users_own_network:network", "--input-shape", "2,6,6", "--own-weights", origin)
    assert run(*flags) == 0
    assert f"weights {origin}" in capsys.readouterr().out
    assert load_model(folder / "m.pt").meta["random_weights"] == (origin == "random")


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["users_own_network"], 2, "MODULE:NAME is needed"),
        (["users_own_netwerk:build"], 2, "there is no Python module 'users_own_netwerk'"),
        (["users_own_netwerk.py:build"], 2, "in this folder; write users_own_netwerk:build"),
        (["users_own_network:bild"], 2, "users_own_network has no name 'bild'; did you mean build?"),
        (["users_own_network:text"], 3, "TypeError: 'str' object is not callable"),
        (["users_own_network:Failing"], 3, "RuntimeError: no GPU"),
        (["builtins:int"], 3, "it makes an int, no torch.nn.Module"),
        (["users_own_network:torch.zeros"], 3, "TypeError: zeros()"),
        (["users_own_network:build", "--module-arguments", '{"width": 1}'], 3, "unexpected keyword argument"),
        (["users_own_network:build"], 2, "which inputs? give --calibration"),
        (["a:b", "--weights", "c", "--own-weights", "given"], 2, "--own-weights is about a module without"),
        (["users_own_network:build", "--mask-pattern", "*"], 2, "--mask-pattern goes with --weights"),
        (
            ["users_own_network:build", "--mask-threshold", "1"],
            2,
            "--mask-threshold goes with --mask-pattern",
        ),
        (["users_own_network:build", "--input-shape", "3,6,6"], 3, "module itself fails"),
    ],
)
def test_wrong_arguments(
    folder: Path, flags: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--module", *flags) == code
    error = capsys.readouterr().err
    assert message in error and error.count("\n") <= 2 and "Traceback" not in error
    assert not (folder / "m.pt").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--module", "a:b", "--input-shape", "3,x"], "is no shape"),
        (["--module", "a:b", "--module-arguments", "[1]"], "is no JSON object"),
        (["--module", "a:b", "--recipe", "c"], "not allowed with"),
        (
            ["--module", "a:b", "--calibration-percentile", "20"],
            "argument --calibration-percentile: 20 is no percentile from 50 to 100",
        ),
    ],
)
def test_words_that_cannot_be_parsed(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(*flags)
    assert message in capsys.readouterr().err


def test_calibration_without_channels_is_told_what_images_need(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("wrong.npy", np.ones((4, 6, 6), np.float32))
    assert run("--module", "users_own_network:build", "--calibration", "wrong.npy") == 3
    error = capsys.readouterr().err
    assert "(batch, channels, height, width): add the axis that is missing" in error
    assert "example_input" not in error


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 2, 6, 6), "the calibration inputs are all zero: calibrate with real inputs"),
        ((0, 2, 6, 6), "calibration inputs have shape (0, 2, 6, 6), (samples, 2, 6, 6) is needed"),
    ],
)
def test_calibration_that_cannot_be_used_is_4_and_names_the_flag(
    folder: Path, shape: tuple[int, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("wrong.npy", np.zeros(shape, np.float32))
    assert run("--module", "users_own_network:build", "--calibration", "wrong.npy") == 4
    error = capsys.readouterr().err
    assert message in error and "example_input" not in error


def test_options_of_a_module_do_not_go_with_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--recipe", "resnet18-cifar100-12288", "--mask-pattern", "*") == 2
    assert "--mask-pattern goes with --module" in capsys.readouterr().err


def test_an_archive_of_torch_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 1), torch.nn.ReLU(), torch.nn.Flatten())
    torch.export.save(torch.export.export(network, (torch.zeros(1, 2, 3, 3),)), "network.pt2")
    assert run("--pt2", "network.pt2") == 0
    out = capsys.readouterr().out
    assert "36 ReLUs, input 2 x 3 x 3, 36 outputs" in out and "seeded noise" in out
    np.save("images.npy", np.random.default_rng(0).normal(size=(9, 2, 3, 3)))
    assert run("--pt2", "network.pt2", "--calibration", "images.npy") == 0
    assert "9 samples of given inputs" in capsys.readouterr().out
    np.save("images.npy", np.zeros((9, 2, 4, 3)))
    assert load_model("m.pt").meta["name"] == "network"  # the stem of network.pt2: Sequential says nothing
    for flags, code, message in [
        (["--pt2", "none.pt2"], 3, "cannot read the network none.pt2: No such file"),
        (["--pt2", "images.npy"], 3, "neither a torch.export archive (.pt2) nor an ONNX file"),
        (["--pt2", "network.pt2", "--calibration", "images.npy"], 4, "(samples, 2, 3, 3) is needed"),
        (["--onnx", "none.onnx"], 3, "cannot read the network none.onnx: No such file"),
        (["--onnx", "images.npy"], 3, "neither a torch.export archive (.pt2) nor an ONNX file"),
        (["--pt2", "network.pt2", "--weights", "w.pt"], 2, "--weights goes with --recipe or --module"),
    ]:
        assert run(*flags) == code
        error = capsys.readouterr().err
        assert message in error and "Traceback" not in error


def test_an_onnx_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx = pytest.importorskip("onnx")
    weight = onnx.numpy_helper.from_array(np.ones((4, 2, 1, 1), np.float32), "conv.weight")
    nodes = [
        onnx.helper.make_node("Conv", ["x", "conv.weight"], ["a"]),
        onnx.helper.make_node("Relu", ["a"], ["y"]),
    ]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", ["batch", 2, 3, "width"]), ("y", None))
    ]
    graph = onnx.helper.make_graph(nodes, "users network", ends[:1], ends[1:], [weight])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), "n.onnx")
    assert run("--onnx", "n.onnx") == 2
    assert "which inputs?" in capsys.readouterr().err
    assert run("--onnx", "n.onnx", "--input-shape", "2,3,5") == 0
    assert "users network\n  60 ReLUs, input 2 x 3 x 5" in capsys.readouterr().out


@pytest.fixture
def networks(folder: Path) -> dict[str, list[str]]:
    """The same network through every kind of source: flags by kind."""
    onnx = pytest.importorskip("onnx")
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.ReLU(), torch.nn.Flatten())
    torch.export.save(torch.export.export(network, (torch.zeros(1, 2, 3, 3),)), "archived.pt2")
    weight = onnx.numpy_helper.from_array(np.ones((3, 2, 3, 3), np.float32), "w")
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["a"]),
        onnx.helper.make_node("Relu", ["a"], ["b"]),
        onnx.helper.make_node("Flatten", ["b"], ["y"]),
    ]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 2, 3, 3]), ("y", None))
    ]
    graph = onnx.helper.make_graph(nodes, "main_graph", ends[:1], ends[1:], [weight])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), "traced.onnx")
    (folder / "small.toml").write_text(SMALL_RECIPE)
    module = ["--module", "users_own_network:build", "--input-shape", "2,6,6"]
    return {
        "small": ["--recipe", "small.toml"],
        "users_own_network": [*module, "--module-arguments", '{"classes": 3}'],
        "archived": ["--pt2", "archived.pt2"],
        "traced": ["--onnx", "traced.onnx"],
    }


@pytest.mark.parametrize("own", ["small", "users_own_network", "archived", "traced"])
def test_every_source_takes_a_name_and_labels(
    own: str, networks: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = networks[own]
    assert run(*flags) == 0
    assert load_model("m.pt").meta["name"] == own  # never Sequential, build or main_graph
    Path("labels.txt").write_text("cat\ndog\nowl\n")
    assert run(*flags, "--name", "my net", "--labels", "labels.txt") == 0
    graph = load_model("m.pt")
    assert (graph.meta["name"], graph.labels) == ("my net", ("cat", "dog", "owl"))
    capsys.readouterr()
    for content, code, message in [
        ("cat\n\nowl\n", 4, "one class name per line"),
        ("", 4, "one class name per line"),
        ("cat\ndog\n", 4, "2 labels for 3 outputs: give one class name per output"),
    ]:
        Path("labels.txt").write_text(content)
        assert run(*flags, "--labels", "labels.txt") == code
        assert message in capsys.readouterr().err
    assert run(*flags, "--labels", "none.txt") == 4
    assert "cannot read the labels none.txt: No such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(*flags, "--name", "")
    assert "printable text of 1 to 256" in capsys.readouterr().err


def test_onnx_is_an_extra(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "n.onnx").write_bytes(b"\x08\x08\x12\x00")
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert run("--onnx", "n.onnx") == 7
    assert 'pip install "pi-bench[onnx]"' in capsys.readouterr().err
