"""A protocol of another package, `toy` of tests/fixtures, through every command.

Parties are real processes. That the harness knows nothing of `toy` is shown by its place outside the package.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_bench.cli import main
from pi_bench.costs import Costs
from pi_bench.prediction.costs_file import write_costs
from pi_bench.primitives.channel import CHANNEL
from pi_bench.primitives.memory import MEMORY
from tests.packages import TOY, Packages
from tests.schemas import require_valid

UNIT = "expanded word"
"""The cost unit that `toy` declares."""


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch, made_up_costs: Costs, tmp_path: Path) -> None:
    """The protocol, and made-up costs with its unit."""
    Packages(TOY, monkeypatch)
    costs = replace(made_up_costs, unit_s={**made_up_costs.unit_s, UNIT: 1e-8})
    write_costs(costs, tmp_path / "costs" / "toy.json")
    monkeypatch.setenv("PI_BENCH_COSTS", str(tmp_path / "costs" / "toy.json"))


def run(command: str, folder: Path, *arguments: Any, name: str = "toy") -> dict[str, Any]:
    target = folder / f"{command}.json"
    flags = ("--protocol", name, "--json", str(target))
    assert main([command, *map(str, arguments), *flags]) == 0
    result: dict[str, Any] = json.loads(target.read_text())
    described = {"latency": "result", "inspect": "inspection"}.get(command, command)
    require_valid(result, described)
    return result


def test_latency_measures_parts_and_rounds_and_explains_them_in_its_words(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(
        "latency",
        tmp_path,
        model_file,
        "--expansion",
        3,
        "--runs",
        1,
        "--warmup",
        0,
        "--explain",
        "--layers",
        "all",
    )
    assert result["verification"]["passed"] and result["verification"]["compared_count"] > 0
    assert (result["mode"], result["options"], result["secure"]) == ("floor", {"expansion": 3}, False)
    online, offline, predicted = result["online"], result["offline"], result["prediction"]
    assert list(offline["parts"]) == ["pads", "other"] and list(online["parts"]) == ["products", "other"]
    relus = [layer for layer in online["layers"] if layer["relu_count"]]
    products = [layer for layer in online["layers"] if layer["parts"]]
    # The first message of the first round goes along with the last one of the layer before.
    assert relus and all(layer["comm_round_count"] == 1.5 for layer in relus)
    assert products and all(layer["mac_count"] or layer["operator"] for layer in products)
    for phase, own in (("online", online), ("offline", offline)):
        assert list(predicted[phase]["parts"]) == list(own["parts"])
        for name, part in own["parts"].items():
            assert predicted[phase]["parts"][name]["bytes"] == part["bytes"], (phase, name)
    assert (
        sum(layer["parts"]["products"]["bytes"]["client_to_server"] for layer in products)
        == online["parts"]["products"]["bytes"]["client_to_server"]
    )
    assert predicted["online"]["comm_round_count"] == online["comm_round_count"]
    text, warned = capsys.readouterr()
    assert "mode floor, expansion 3" in text and "online, by part" in text
    assert "expanded products of the linear layers'" in text and "pads of the " in text
    assert "label" not in text and "garbl" not in text
    assert "Use --protocol delphi with real data" in text and "INSECURE protocol: toy" in warned


def test_null_plays_its_messages_and_its_law(model_file: Path, tmp_path: Path) -> None:
    own, null = (
        run("latency", tmp_path, model_file, "--expansion", 2, "--runs", 1, "--warmup", 0, name=name)
        for name in ("toy", "null:toy")
    )
    assert null["protocol"] == "null:toy" and null["verification"]["passed"]
    assert [null[phase]["bytes"] for phase in ("offline", "online")] == [
        own[phase]["bytes"] for phase in ("offline", "online")
    ]


def test_inspect_predicts_it_over_a_link(model_file: Path, tmp_path: Path) -> None:
    found = run("inspect", tmp_path, model_file, "--link", "wan", "--explain", "--mode", "exact")
    assert (found["mode"], found["options"]) == ("exact", {"expansion": 1})
    assert list(found["predicted_bytes"]["offline_parts"]) == ["pads"]
    rounds = found["prediction"]["online"]["comm_round_count"]
    assert found["prediction"]["online"]["latency_s"] > 0.9 * rounds * found["prediction"]["link"]["rtt_s"]
    assert found["prediction"]["online"]["bytes"] == found["predicted_bytes"]["online"]


def test_accuracy_follows_its_law(model_file: Path, tmp_path: Path) -> None:
    """Rounded down, every activation is a little too small: the integer answers are further from the float
    ones than in exact mode, and the private answers are the integer ones."""
    images = np.random.default_rng(5).normal(size=(12, 2, 6, 6)).clip(-2.5, 2.5).astype(np.float32)
    np.save(tmp_path / "x.npy", images)
    pair = (model_file, "--data", tmp_path / "x.npy", "--private-sample", 4)
    floor, exact = (run("accuracy", tmp_path, *pair, "--mode", mode) for mode in ("floor", "exact"))
    for result in (floor, exact):
        assert result["private"]["verified"] and result["private"]["largest_difference_from_integer"] == 0
        assert result["approximated_law"] is None
    assert floor["integer"]["rms_logit_error"] > 2 * exact["integer"]["rms_logit_error"]


def test_a_search_measures_with_it(tmp_path: Path) -> None:
    for module in ("torch", "sklearn"):
        pytest.importorskip(module)
    (tmp_path / "small.toml").write_text(
        'schema = 1\nname = "small"\nfamily = "resnet"\ndataset = "digits"\n'
        "input_shape = [1, 8, 8]\nclass_count = 10\nblocks = [1]\nwidths = [2]\n"
    )
    out = tmp_path / "out"
    fixed = "--data digits --epochs 1 --finetune-epochs 1 --device cpu --jobs 1 --threads 1 --no-plot"
    command = [
        "reduce",
        "prune",
        "--budget",
        "192",
        "--network",
        str(tmp_path / "small.toml"),
        "-o",
        str(out),
    ]
    measuring = "--runs 1 --warmup 0 --protocol toy --expansion 2"
    assert main([*command, *fixed.split(), *measuring.split()]) == 0
    with (out / "pareto.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    measured = [json.loads((out / row["folder"] / "latency.json").read_text()) for row in rows]
    assert measured and all(m["verification"]["passed"] for m in measured)
    assert {(m["protocol"], m["mode"], m["options"]["expansion"]) for m in measured} == {("toy", "floor", 2)}


def test_micro_times_its_primitive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "micro.json"
    assert main(["micro", "toy", "--count", "4096", "--repetitions", "1", "--json", str(target)]) == 0
    (row,) = json.loads(target.read_text())["results"]
    assert (row["primitive"], row["unit"], row["unit_count"]) == ("toy", "word", 4 * 4096)
    assert "expand fourfold" in capsys.readouterr().out


def test_its_costs_are_measured_on_this_machine(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PI_BENCH_COSTS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("pi_bench.launch.cached_costs.BUILT_IN", (CHANNEL, MEMORY))  # the others take seconds
    monkeypatch.setattr("pi_bench.metrics.primitive_costs._REPETITIONS", 2)
    monkeypatch.setattr("pi_bench.launch.two_party_costs._RUNS", 2)
    monkeypatch.setattr("pi_bench.primitives.memory._WORDS", 1 << 16)
    found = run("inspect", tmp_path, model_file)
    (kept,) = (tmp_path / "pi-bench").glob("costs-*.json")
    assert json.loads(kept.read_text())["unit_s"][UNIT] > 0
    assert found["prediction"]["online"]["parts"]["products"]["client"]["compute_s"] > 0


def test_an_impossible_value_is_refused_in_a_line(
    model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["inspect", str(model_file), "--protocol", "toy", "--expansion", "9"])
    assert left.value.code == 2
    assert "argument --expansion: '9' is not 1 to 8" in capsys.readouterr().err
