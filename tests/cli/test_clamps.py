"""Commands explain why a ReLU6 is counted as two ReLUs."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from pi_bench.cli import main
from pi_bench.network.files.model_file import save_model
from pi_bench.network.graph import ClampNode, Graph
from pi_bench.report.export import describe
from tests.clamped_graph import relu6_graph

LATENCY = ("--protocol", "ideal", "--runs", "1", "--warmup", "0")


def test_the_second_relus_of_clamps_are_explained_by_every_command(
    tiny_graph: Graph, model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph, path, target = relu6_graph(tiny_graph), str(tmp_path / "relu6.pt"), str(tmp_path / "result.json")
    save_model(graph, path)
    count = sum(math.prod(node.shape) for node in graph.nodes if isinstance(node, ClampNode))
    noted = replace(
        graph,
        meta={
            **graph.meta,
            "headroom_bits": {},
            "calibration": {"sample_count": 1, "source": "given inputs"},
        },
    )
    assert f"  {count:,} of them are clamps with two bounds, such as ReLU6" in describe(noted, path)
    for command in (("inspect", path), ("latency", path, *LATENCY)):
        assert main([*command, "--json", target]) == 0
        result = json.loads(Path(target).read_text())
        assert result.get("network", result)["upper_relu_count"] == count
        assert (
            f"{count:,} ReLUs of these serve the upper bounds of clamps such as ReLU6"
            in capsys.readouterr().out
        )
    assert main(["inspect", str(model_file)]) == 0
    assert "ReLU6" not in capsys.readouterr().out
