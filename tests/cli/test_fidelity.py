"""The fidelity of a model file beside the verdict of `latency` and in `inspect`, as text and as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pi_bench.cli import main
from pi_bench.fidelity import Fidelity, FidelityGoal
from pi_bench.network.files.model_file import save_model
from pi_bench.network.graph import Graph
from tests.schemas import require_valid
from tests.unit.network.fusion.fusion_graphs import culled_graph

GOOD = Fidelity(256, 255, 0.05, 10.0, "held-out calibration inputs", FidelityGoal(99.0))
WORDS = (
    "the integer network agrees with the float one on 99.6 % of 256 held-out calibration inputs "
    "(95 % interval 97.8 to 99.9 %), typical logit error 0.50 % of the logits' range"
)


def model_with(fidelity: Fidelity, graph: Graph, folder: Path) -> str:
    """Writes the network with the fidelity as one of default bits."""
    notes = {**graph.meta, "random_weights": False, "fidelity": fidelity.to_fields()}
    save_model(dataclasses.replace(graph, meta=notes), folder / "model.pt")
    return str(folder / "model.pt")


def told(
    capsys: pytest.CaptureFixture[str], folder: Path, command: str, model: str, *flags: str
) -> tuple[dict[str, Any], str]:
    """Returns the JSON and the text of a command that succeeds."""
    target = folder / "found.json"
    runs = ("--runs", "1", "--warmup", "0", "--protocol", "ideal") if command == "latency" else ()
    assert main([command, model, *runs, *flags, "--json", str(target)]) == 0
    found: dict[str, Any] = json.loads(target.read_text())
    require_valid(found, "result" if command == "latency" else "inspection")
    return found, capsys.readouterr().out


def test_latency_repeats_it_beside_the_verdict(
    tiny_graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a batch too, whose program is another one."""
    model = model_with(GOOD, tiny_graph, tmp_path)
    found, text = told(capsys, tmp_path, "latency", model, "--batch", "2")
    assert f"fidelity  {WORDS}\n" in text
    fidelity = found["fidelity"]
    assert (fidelity["sample_count"], fidelity["same_class_pct"]) == (256, 100 * 255 / 256)
    assert fidelity["goal"] == {"same_class_pct": 99.0, "logit_error_pct": 2.0}
    assert fidelity["met"] and fidelity["of_this_program"]
    assert not any("fidelity" in warning for warning in found["warnings"])
    assert found["bits"]["activations"] == {"input": 10, "stem.relu": 10, "sum.relu": 10}
    assert found["bits"]["weights"] == {"stem": 10, "body": 10, "head": 10}


def test_latency_warns_of_a_missed_goal_and_of_noise(
    tiny_graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missed = dataclasses.replace(GOOD, same_class_count=200, logit_error=0.5, source="noise")
    found, text = told(capsys, tmp_path, "latency", model_with(missed, tiny_graph, tmp_path))
    assert "agrees with the float one on 78.1 % of 256 inputs of noise" in text
    assert not found["fidelity"]["met"]
    for words in ("warning: the fidelity goal is missed: 99 %", "warning: fidelity was measured on noise"):
        assert words in text


def test_few_inputs_show_no_fidelity(
    tiny_graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = dataclasses.replace(GOOD, sample_count=4, same_class_count=4, source="calibration inputs")
    _, text = told(capsys, tmp_path, "latency", model_with(few, tiny_graph, tmp_path))
    assert "measured on 4 calibration inputs, which cannot show 99 %: export again with 32 or more" in text


def test_an_older_file_says_how_to_get_it(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, text = told(capsys, tmp_path, "latency", str(model_file))
    assert found["fidelity"] is None
    assert "warning: the model file does not say how closely" in text and "export it again" in text


def test_other_bits_have_another_fidelity(
    tiny_graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_with(GOOD, tiny_graph, tmp_path)
    found, text = told(capsys, tmp_path, "inspect", model)
    assert WORDS in text and "activation bits 10, weight bits 10" in text
    for flags in (("--activation-bits", "8"), ("--mode", "truncated-sign", "--sign-drop", "3")):
        found, text = told(capsys, tmp_path, "inspect", model, *flags)
        assert not found["fidelity"]["of_this_program"]
        assert "fidelity: not known for these bits" in text


def test_an_export_tells_its_bits_and_its_fidelity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bits by layer, and those of a bit more by hand."""
    torch = pytest.importorskip("torch")
    import pi_bench

    torch.manual_seed(3)
    layers = torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 16), torch.nn.ReLU()
    network = torch.nn.Sequential(*layers, torch.nn.Linear(16, 4))
    model = str(tmp_path / "model.pt")
    graph = pi_bench.export(network, torch.zeros(1, 8), model, calibration=torch.randn(96, 8))
    found, text = told(capsys, tmp_path, "inspect", model)
    assert found["fidelity"]["of_this_program"] and found["fidelity"]["met"]
    assert found["fidelity"]["source"] == "held-out calibration inputs"
    assert found["bits"]["activations"] == graph.meta["bits"]["layer_activations"]
    assert "of 48 held-out calibration inputs (95 % interval" in text
    bits = found["bits"]["activations"].values()
    assert f"activation bits {min(bits)} to {max(bits)}" in text
    found, _ = told(capsys, tmp_path, "inspect", model, "--activation-bits", str(max(bits) + 1))
    assert not found["fidelity"]["of_this_program"]


def test_a_fused_network_has_another_fidelity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = model_with(GOOD, culled_graph(), tmp_path)
    for flags, same in (((), True), (("--fuse",), False)):
        found, _ = told(capsys, tmp_path, "inspect", model, *flags)
        assert found["fidelity"]["of_this_program"] is same


def test_a_damaged_note_is_refused_before_anything_starts(
    tiny_graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = {**tiny_graph.meta, "fidelity": {**GOOD.to_fields(), "same_class_count": 257}}
    save_model(dataclasses.replace(tiny_graph, meta=notes), tmp_path / "model.pt")
    assert main(["latency", str(tmp_path / "model.pt")]) == 3
    captured = capsys.readouterr()
    assert captured.out == "" and "note on its fidelity is damaged: export the network again" in captured.err


def test_latency_compares_with_the_goal_that_it_is_given(
    tiny_graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A miss is a warning with advice, for random weights too; the run succeeds with the bits of the file."""
    notes = {**tiny_graph.meta, "random_weights": True, "fidelity": GOOD.to_fields()}
    save_model(dataclasses.replace(tiny_graph, meta=notes), tmp_path / "model.pt")
    found, text = told(capsys, tmp_path, "latency", str(tmp_path / "model.pt"), "--fidelity", "99.9%")
    assert found["fidelity"]["goal"] == {"same_class_pct": 99.9, "logit_error_pct": 0.2}
    assert not found["fidelity"]["met"] and not found["fidelity"]["goal_is_default"]
    assert "warning: the fidelity goal is missed: 99.9 %" in text
    assert "export again with `--fidelity 99.9%`" in text
    model = model_with(GOOD, tiny_graph, tmp_path)
    found, text = told(capsys, tmp_path, "latency", model, "--fidelity", "98")
    assert found["fidelity"]["met"] and "goal is missed" not in text


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--fidelity", "99%", "--activation-bits", "12"), "--fidelity chooses the bits: give it, or"),
        (("--fidelity", "99.999%"), "a fidelity of 99.999 %: 90 to 99.99 % are possible"),
    ],
)
def test_contradicting_goals_are_refused_before_anything_starts(
    flags: tuple[str, ...], words: str, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["latency", str(model_file), *flags]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and words in captured.err
