"""Results say what a reader must know of the model file: whether its weights are random."""

import dataclasses
import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from pi_bench.cli import main
from pi_bench.network.files.model_file import save_model
from pi_bench.network.graph import Graph

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
    schema = json.loads(resources.files("pi_bench.report").joinpath(f"{kind}.schema.json").read_text())
    jsonschema.validate(result, schema)
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
    data = ("--data", str(tmp_path / "x.npy"), "--private-sample", "0")
    for kind, arguments in [
        ("result", ("latency", model, *LATENCY)),
        ("accuracy", ("accuracy", model, *data)),
    ]:
        result = result_of(tmp_path, kind, *arguments)
        assert result["network"]["weights"] == weights
        text = capsys.readouterr().out
        assert f"weights {weights or 'of unknown origin'}" in text
        assert (SAID in text) == (weights == "random"), kind
    assert main(["inspect", model, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["weights"] == weights
    assert main(["inspect", model]) == 0
    assert (SAID in capsys.readouterr().out) == (weights == "random")
