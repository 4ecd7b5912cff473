"""Results say of the model file whether its weights are random."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_bench.cli import main
from pi_bench.network.files.model_file import save_model
from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_run import outputs
from pi_bench.report.weights import export_text
from tests.schemas import require_valid

SAID = "warning: weights are random: latency and bytes are those of a trained network, answers mean nothing"
LATENCY = ("--protocol", "ideal", "--runs", "1", "--warmup", "0")


def noted(graph: Graph, folder: Path, **meta: Any) -> str:
    path = folder / "noted.pt"
    save_model(dataclasses.replace(graph, meta={**graph.meta, **meta}), path)
    return str(path)


def result_of(folder: Path, kind: str, *arguments: str) -> dict[str, Any]:
    """The JSON that the command wrote, which its schema describes."""
    target = folder / "result.json"
    assert main([*arguments, "--json", str(target)]) == 0
    result: dict[str, Any] = json.loads(target.read_text())
    require_valid(result, kind)
    return result


@pytest.mark.parametrize(("meta", "weights"), [(True, "random"), (False, "given"), (None, None)])
def test_random_weights_are_said_by_every_command(
    meta: bool | None,
    weights: str | None,
    tiny_graph: Graph,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = noted(tiny_graph, tmp_path, **({} if meta is None else {"random_weights": meta}))
    np.save(tmp_path / "x.npy", np.zeros((2, 2, 6, 6), np.float32))
    data = ("--data", str(tmp_path / "x.npy"), "--private-sample", "0", "--no-remedies")
    for kind, arguments in [
        ("result", ("latency", model, *LATENCY)),
        ("accuracy", ("accuracy", model, *data)),
    ]:
        result = result_of(tmp_path, kind, *arguments)
        assert result["network"]["weights"] == weights
        text = capsys.readouterr().out
        assert f"weights {weights or 'unknown'}" in text
        assert (SAID in text) == (weights == "random"), kind
    assert main(["inspect", model, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["weights"] == weights
    assert main(["inspect", model]) == 0
    text = capsys.readouterr().out
    assert f"weights {weights or 'unknown'}" in text
    assert (SAID in text) == (weights == "random")
    noted_words = export_text({} if meta is None else {"random_weights": meta, "seed": 7})
    assert noted_words.startswith(f"weights {weights or 'unknown'}")  # as `export` writes them


def test_private_accuracy_stands_beside_that_of_the_same_images_with_intervals(
    tiny_graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(5).normal(size=(30, 2, 6, 6)).clip(-2.5, 2.5).astype(np.float32)
    labels = outputs(tiny_graph, images).argmax(axis=1)
    labels[1:29] = (labels[1:29] + 1) % 3  # the private sample is the first and the last image
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    flags = ("--data", str(tmp_path / "data.npz"), "--private-sample", "2", "--protocol", "ideal")
    result = result_of(tmp_path, "accuracy", "accuracy", noted(tiny_graph, tmp_path), *flags)
    assert result["float"]["accuracy_pct"] == pytest.approx(100 * 2 / 30)
    same = result["private"]["same_images"]
    assert [same[kind]["image_count"] for kind in ("float", "integer")] == [2, 2]
    assert same["float"]["accuracy_pct"] == result["private"]["accuracy_pct"] == 100
    assert result["private"]["accuracy_interval_pct"] == pytest.approx([34.24, 100], abs=0.01)
    text = capsys.readouterr().out
    assert "float, private images" in text and "34.2 to 100.0 %" in text
