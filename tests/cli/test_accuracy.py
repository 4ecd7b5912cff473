"""`pi-bench accuracy`: real parties on a sample, JSON by its schema, one line for whatever is wrong."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_bench.cli import main
from pi_bench.network.files.model_file import save_model
from pi_bench.network.graph import (
    AvgPoolNode,
    FlattenNode,
    Graph,
    InputNode,
    LinearNode,
    OutputNode,
)
from pi_bench.network.graph.float_run import calibrate, outputs
from tests.schemas import require_valid

DIGITS = ("--data", "digits", "--private-sample", 0, "--no-remedies")


@pytest.fixture
def data(tiny_graph: Graph, tmp_path: Path) -> Path:
    """30 images, of which the float network gets two thirds right."""
    images = np.random.default_rng(5).normal(size=(30, 2, 6, 6)).clip(-2.5, 2.5).astype(np.float32)
    labels = outputs(tiny_graph, images).argmax(axis=1)
    labels[::3] = (labels[::3] + 1) % 3
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "y.npy", labels)
    return tmp_path / "data.npz"


def run(model_file: Path, folder: Path, *flags: Any) -> dict[str, Any]:
    target = folder / "result.json"
    assert main(["accuracy", str(model_file), *map(str, flags), "--json", str(target)]) == 0
    result: dict[str, Any] = json.loads(target.read_text())
    require_valid(result, "accuracy")
    return result


def test_exact_private_answers_are_the_integer_networks(
    model_file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(model_file, tmp_path, "--data", data, "--mode", "exact", "--private-sample", 4)
    assert result["float"]["accuracy_pct"] == pytest.approx(200 / 3)
    private = result["private"]
    assert (private["image_count"], private["verified"]) == (4, True)
    assert private["largest_difference_from_integer"] == 0
    assert private["same_class_as_integer_pct"] == 100
    assert result["integer"]["same_class_as_float_pct"] > 90
    assert result["worst_layer"] in {layer["name"] for layer in result["layers"]}
    assert result["warnings"] == []
    text = capsys.readouterr().out
    assert (
        "30 images of data.npz, 0 refused" in text and "66.67 %" in text and "private runs verified" in text
    )


def test_intervals_typical_errors_and_one_more_bit_are_told(
    model_file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--data", data, "--activation-bits", 6, "--mode", "exact", "--private-sample", 0)
    result = run(model_file, tmp_path, *flags)
    integer, remedies = result["integer"], result["remedies"]
    low, high = integer["same_class_interval_pct"]
    assert low < integer["same_class_as_float_pct"] <= high
    assert integer["typical_logit_error_pct"] > 0
    assert remedies["image_count"] == 30
    assert remedies["unchanged"]["typical_logit_error_pct"] == integer["typical_logit_error_pct"]
    assert remedies["remedies"][0]["rms_logit_error"] < remedies["unchanged"]["rms_logit_error"]
    assert remedies["remedies"][0]["predicted_online_s"] > 0
    text = capsys.readouterr().out
    assert f"{low:.1f} to {high:.1f} %" in text and "\nall activations  " in text
    assert re.search(r"^layer '.* \d+ %$", text, re.MULTILINE), "a layer causes a part of the errors"
    assert run(model_file, tmp_path, *flags, "--no-remedies")["remedies"] is None


def test_at_80_columns_no_name_and_no_figure_is_cut(
    model_file: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    drop = ("--mode", "truncated-sign", "--sign-drop", 3)
    run(model_file, tmp_path, "--data", data, "--private-sample", 2, *drop, "--protocol", "ideal")
    for command in ("inspect MODEL", "latency MODEL --protocol ideal --runs 1 --warmup 0", "export --list"):
        assert main(command.replace("MODEL", str(model_file)).split()) == 0
    text = capsys.readouterr().out
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    for row in ("integer, truncated-sign", "float, private images", "integer, private images"):
        assert f"\n{row}  " in text
    for header in ("same class as float", "logit error", "predicted online"):
        assert header in text


def test_too_few_answers_of_the_float_network_are_warned_of(
    model_file: Path, tiny_graph: Graph, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(5).normal(size=(900, 2, 6, 6)).clip(-2.5, 2.5).astype(np.float32)
    *_, second, first = np.sort(outputs(tiny_graph, images), axis=1).T
    np.save(
        tmp_path / "close.npy", images[np.argsort(first - second)[:30]]
    )  # small errors change their class
    flags = ("--data", data, "--private-sample", 0, "--no-remedies")
    close = ("--data", tmp_path / "close.npy", *flags[2:])
    coarse = run(model_file, tmp_path, *close, "--weight-bits", 2, "--activation-bits", 3)
    share_pct = coarse["integer"]["same_class_as_float_pct"]
    assert coarse["integer"]["same_class_interval_pct"][1] < 99
    (warning,) = (words for words in coarse["warnings"] if "the float network's class" in words)
    assert f"on only {share_pct:.1f} % of 30 images" in warning
    assert "--fidelity 99%" in warning and "--weight-bits and --activation-bits" in warning
    assert "warning: the integer network has the float" in capsys.readouterr().out
    blunt = run(model_file, tmp_path, *flags, "--mode", "truncated-sign", "--sign-drop", 10)
    (warning,) = (words for words in blunt["warnings"] if "the float network's class" in words)
    assert "mode truncated-sign causes this" in warning


def test_the_law_of_each_mode_and_the_options_of_fixed_point(
    model_file: Path, data: Path, tmp_path: Path
) -> None:
    files = ("--data", data.with_name("x.npy"), "--labels", data.with_name("y.npy"))
    pair = (*files, "--private-sample", 0, "--no-remedies")
    fine = run(model_file, tmp_path, *pair)
    coarse = run(
        *(model_file, tmp_path, *pair, "--weight-bits", 4, "--activation-bits", 5),
        *("--headroom-bits", 2, "--scales", "per-tensor"),
    )
    assert fine["private"] is None and fine["approximated_law"] is None
    assert coarse["fixed_point"] == {
        "weight_bits": 4,
        "activation_bits": 5,
        "headroom_bits": 2,
        "per_channel": False,
    }
    assert coarse["integer"]["rms_logit_error"] > 4 * fine["integer"]["rms_logit_error"]
    assert coarse["layers"][0]["headroom_bits"] > fine["layers"][0]["headroom_bits"] + 0.5
    drop = run(model_file, tmp_path, *pair, "--mode", "truncated-sign", "--sign-drop", 5, "--limit", 7)
    assert drop["approximated_law"]["law"] == "windowed" and drop["options"]["sign_drop"] == 5
    assert drop["approximated_law"]["rms_logit_error"] < drop["integer"]["rms_logit_error"]
    assert drop["layers"][0]["zeroed_count"] > 0 and drop["data"]["image_count"] == 7


def test_saturation_and_refused_images_are_warned_of(
    tiny_graph: Graph, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ranges = {name: value / (1.4 if name == "input" else 8) for name, value in tiny_graph.ranges.items()}
    save_model(dataclasses.replace(tiny_graph, ranges=ranges), tmp_path / "narrow.pt")
    images = np.load(data)["images"]
    images[2] *= 3
    np.save(tmp_path / "x.npy", images)
    flags = ("--data", tmp_path / "x.npy", "--private-sample", 0, "--no-remedies")
    result = run(tmp_path / "narrow.pt", tmp_path, *flags)
    assert result["data"]["refused_count"] == 1 and result["float"]["accuracy_pct"] is None
    first, *_, last = result["warnings"]
    assert first.startswith("saturation: ") and "'stem.relu' lie outside its window" in first
    assert last.startswith("1 of 30 images have a value beyond")
    assert "warning: saturation" in capsys.readouterr().out


def test_data_of_fewer_classes_is_said_of_a_file_too(
    model_file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three outputs: 30 images of two classes are no accident, two of them may be."""
    np.save(data.with_name("y.npy"), np.arange(30) % 2)
    files = ("--data", data.with_name("x.npy"), "--labels", data.with_name("y.npy"))
    whole = ("--private-sample", 0, "--no-remedies")
    result = run(model_file, tmp_path, *files, *whole)
    assert result["data"]["class_count"] == 2
    assert result["warnings"][0].startswith(
        "x.npy has 2 classes, the network 3: it was not made for this data"
    )
    assert "warning: x.npy has 2 classes" in capsys.readouterr().out
    few = {"images": np.load(data)["images"][:2], "labels": np.array([0, 1])}
    np.savez(data, **few)
    result = run(model_file, tmp_path, "--data", data, *whole)
    assert result["data"]["class_count"] is None and result["warnings"] == []


def test_digits_are_normalized_as_the_model_file_says(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    save_model(
        digits_graph(10, data={"name": "digits", "mean": [0.5], "deviation": [0.25]}), tmp_path / "m.pt"
    )
    result = run(tmp_path / "m.pt", tmp_path, *DIGITS)
    assert (
        result["data"]["source"]
        == "digits (test split, 8 x 8 pixels enlarged to 16 x 16, normalized as in training)"
    )
    assert result["data"]["image_count"] == 359 and result["data"]["refused_count"] == 0
    assert result["layers"][-1]["largest_value"] > 0


@pytest.mark.parametrize("classes", [10, 100])
def test_data_of_another_number_of_classes_is_warned_of(
    classes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    save_model(digits_graph(classes), tmp_path / "m.pt")
    run(tmp_path / "m.pt", tmp_path, *DIGITS, "--limit", 9)
    warned = f"has 10 classes, the network {classes}" in capsys.readouterr().out
    assert warned == (classes == 100)


def digits_graph(classes: int, **meta: Any) -> Graph:
    """Averages of 4 x 4 pixels of images (1, 16, 16), and a linear layer."""
    nodes = (
        InputNode("input", (), (1, 16, 16)),
        AvgPoolNode("pool", ("input",), (1, 4, 4), (4, 4), (4, 4), (0, 0)),
        FlattenNode("flatten", ("pool",), (16,)),
        LinearNode("head", ("flatten",), (classes,), "head.weight", None),
        OutputNode("output", ("head",), (classes,)),
    )
    weight = np.random.default_rng(2).normal(0, 0.3, (classes, 16)).astype(np.float32)
    graph = Graph(nodes, {"head.weight": weight}, {}, meta={"name": "digits", **meta})
    return dataclasses.replace(graph, ranges=calibrate(graph, np.linspace(-2, 2, 512).reshape(2, 1, 16, 16)))


def test_wrong_arguments_and_data(
    model_file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = data.parent
    np.savez(folder / "names.npz", pictures=np.zeros((2, 2, 6, 6)))
    np.savez(folder / "few.npz", x=np.zeros((2, 2, 6, 6)), y=np.array([1]))
    np.savez(folder / "class.npz", x=np.zeros((2, 2, 6, 6)), y=np.array([1, 3]))
    np.save(folder / "shape.npy", np.zeros((2, 6, 6), np.float32))
    for flags, code, message in [
        (["--data", folder / "none.npy"], 4, "none.npy: there is no such file; check its name"),
        (["--data", folder / "names.npz"], 4, "arrays pictures; name the inputs 'images'"),
        (["--data", folder / "few.npz"], 4, "one whole number from 0 to 2 for each of the 2 images"),
        (["--data", folder / "class.npz"], 4, "one whole number from 0 to 2"),
        (["--data", folder / "shape.npy"], 4, "(images, 2, 6, 6) is needed"),
        (["--data", "digits"], 4, "digits have no images of 2 x 6 x 6"),
        (["--data", "svhn"], 2, "there is no data set 'svhn'"),
        (["--data", data, "--labels", "y.npy"], 2, "--labels goes with --data FILE.npy"),
        (["--data", data, "--headroom-bits", "9"], 2, "headroom of 9.0 bits: 1 to 8 are possible"),
        (["--data", data, "--mode", "fast"], 2, "no mode 'fast'"),
        (["--data", data, "--json", folder / "no" / "r.json"], 2, "cannot write"),
    ]:
        assert main(["accuracy", str(model_file), *map(str, flags)]) == code
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1 and error.startswith("error: ")
