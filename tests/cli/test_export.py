"""`pi-bench export`: the list, a file, and one line for whatever the user got wrong."""

import argparse
import json
import re

import pytest

from pi_bench.cli import export, main
from pi_bench.errors import ModelError, UsageError
from pi_bench.models import parse_recipe
from pi_bench.network.files.model_file import load_model
from tests.schemas import require_valid

TINY = """
schema = 1
name = "tiny"
family = "resnet"
dataset = "none"
input_shape = [3, 8, 8]
class_count = 5
blocks = [1]
widths = [4]
"""


def run(*arguments):
    parser = argparse.ArgumentParser()
    export.add_parser(parser.add_subparsers())
    args = parser.parse_args(["export", *map(str, arguments)])
    return args.run(args)


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_the_parameters_are_those_of_the_recipe(recipe, tmp_path, capsys):
    assert run("--recipe", recipe, "-o", tmp_path / "model.pt") == 0
    (printed,) = re.findall(r"([\d,]+) parameters", capsys.readouterr().out)
    assert int(printed.replace(",", "")) == parse_recipe(TINY, "tiny").parameter_count


def test_the_list_is_a_table(capsys):
    assert run("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["name", "family"]
    row = next(line for line in lines if "resnet18-cifar100-12288 " in line)
    expected = "resnet18-cifar100-12288 resnet 12,288 2.82 35 S1+S4 S2+S3 0.5 0.5 2-2-2-2 64.97 % 0.45 s"
    assert " ".join(row.split()) == expected
    ends = {line.index(entry) + len(entry) for line in lines[2:-2] for entry in [line.split()[2]]}
    assert len(ends) == 1  # aligned


def test_the_list_as_json(capsys):
    assert run("--list", "--json", "-") == 0
    recipes = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    families = {entry["family"] for entry in recipes.values()}
    assert families == {
        *("resnet", "wide_resnet", "vgg", "mobilenet_v1", "mobilenet_v2", "minionn"),
        *("cryptonas", "sphynx"),
    }
    entry = recipes["resnet18-cifar100-12288"]
    assert (entry["dataset"], entry["relu_count"]) == ("cifar100", 12288)
    assert (entry["culled"], entry["thinned"]) == (["S1", "S4"], ["S2", "S3"])
    assert (entry["alpha"], entry["rho"], entry["blocks"]) == (0.5, 0.5, [2, 2, 2, 2])
    assert (entry["published_accuracy_pct"], entry["published_latency_s"]) == (64.97, 0.45)
    assert recipes["resnet18-cifar100-557056"]["published_latency_s"] is None


def test_a_recipe_becomes_a_file_that_says_it_is_random(recipe, tmp_path, capsys):
    pytest.importorskip("torch")
    path = tmp_path / "model.pt"
    assert run("--recipe", recipe, "-o", path, "--seed", 7) == 0
    out = capsys.readouterr().out
    assert "768 ReLUs" in out
    assert "weights random, seed 7: latency and bytes are those of a trained network" in out
    assert "calibrated on 32 samples of seeded noise; headroom at least" in out
    assert "--calibration" not in out
    graph = load_model(path)
    assert (graph.meta["name"], graph.meta["seed"], graph.relu_count) == ("tiny", 7, 768)


def test_an_export_is_described_as_json(recipe, tmp_path, capsys):
    pytest.importorskip("torch")
    path, target = tmp_path / "model.pt", tmp_path / "export.json"
    assert run("--recipe", recipe, "-o", path, "--seed", 7, "--json", target) == 0
    assert "wrote " in capsys.readouterr().out
    found = json.loads(target.read_text())
    require_valid(found, "export")
    graph = load_model(path)
    assert (found["path"], found["name"], found["weights"], found["seed"]) == (str(path), "tiny", "random", 7)
    assert (found["relu_count"], found["headroom_bits"]) == (768, graph.meta["headroom_bits"])
    assert found["fidelity"]["sample_count"] == graph.meta["fidelity"]["sample_count"]
    assert 0 < found["batch_norm_parameter_count"] < found["parameter_count"]
    assert main(["inspect", str(path), "--json", "-"]) == 0
    inspected = json.loads(capsys.readouterr().out)
    assert (found["digest"], found["bits"]) == (inspected["digest"], inspected["bits"])
    folded_away = found["parameter_count"] - inspected["parameter_count"]
    assert 0 < folded_away <= found["batch_norm_parameter_count"]
    assert run("--recipe", recipe, "-o", path, "--json", "-") == 0
    out = capsys.readouterr().out
    assert json.loads(out)["name"] == "tiny"


def test_given_weights_are_not_called_random(recipe, tmp_path, capsys):
    torch = pytest.importorskip("torch")
    from pi_bench.models import parse_recipe
    from pi_bench.models.building import build

    torch.save(build(parse_recipe(TINY, "tiny")).state_dict(), tmp_path / "state.pt")
    assert run("--recipe", recipe, "--weights", tmp_path / "state.pt", "-o", tmp_path / "model.pt") == 0
    out = capsys.readouterr().out
    assert "weights given" in out
    assert "give some with --calibration" in out


def test_few_calibration_inputs_are_told(recipe, tmp_path, capsys):
    numpy = pytest.importorskip("numpy")
    shape = parse_recipe(TINY, "tiny").input_shape
    for count, few in ((15, True), (16, False)):
        noise = numpy.random.default_rng(0).normal(size=(count, *shape)).astype(numpy.float32)
        numpy.save(tmp_path / "x.npy", noise)
        arguments = "--recipe", recipe, "--calibration", tmp_path / "x.npy", "-o", tmp_path / "model.pt"
        assert run(*arguments) == 0
        assert ("warning: so few calibration inputs cannot show" in capsys.readouterr().err) is few


NAME = "resnet18-cifar100-12288"


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["--recipe", "resnet18-cifar-12288", "-o", "m.pt"], UsageError, f"did you mean {NAME}"),
        (["--recipe", NAME], UsageError, "--output is missing"),
        (["--recipe", "none.toml", "-o", "m.pt"], ModelError, "cannot read the recipe none.toml: No such"),
    ],
)
def test_wrong_arguments(arguments, kind, message):
    with pytest.raises(kind) as caught:
        run(*arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_output_that_cannot_be_written(recipe, tmp_path, capsys):
    for path in (tmp_path, tmp_path / "none" / "model.pt"):
        with pytest.raises(UsageError, match="cannot write"):
            run("--recipe", recipe, "-o", path)
    assert capsys.readouterr().err == ""  # before the work


@pytest.mark.parametrize("seed", ["-1", "x", str(1 << 63)])
def test_impossible_seeds(seed, capsys):
    with pytest.raises(SystemExit) as caught:
        run("--recipe", "a", "-o", "b", f"--seed={seed}")
    assert caught.value.code == 2
    assert "whole number" in capsys.readouterr().err


def test_polynomials_stand_in_the_layers_that_are_named(recipe, tmp_path, capsys):
    out = tmp_path / "model.pt"
    chosen = ("--polynomial", "*.relu2", "--polynomial", "stem.relu", "--polynomial-relu-fraction", "0.5")
    assert run("--recipe", recipe, "-o", out, *chosen, "--polynomial-degree", "3") == 0
    assert "512 ReLUs, 256 polynomials, input" in capsys.readouterr().out
    graph = load_model(out)
    assert (graph.relu_count, graph.polynomial_count) == (4 * 64 + 2 * 2 * 64, 2 * 2 * 64)
    with pytest.raises(ModelError, match="'nowhere', which no ReLU layer matches: they are stem"):
        run("--recipe", recipe, "-o", out, "--polynomial", "nowhere")
    with pytest.raises(UsageError, match="--polynomial goes with --recipe"):
        run("--module", "m:n", "-o", out, "--polynomial", "*")


def test_export_says_its_fidelity_and_bits_by_hand_are_kept(recipe, tmp_path, capsys):
    pytest.importorskip("torch")
    assert run("--recipe", recipe, "-o", tmp_path / "model.pt", "--fidelity", "99.5%") == 0
    out = capsys.readouterr().out
    assert "the integer network agrees with the float one on" in out and "inputs of noise" in out
    meta = load_model(tmp_path / "model.pt").meta
    assert meta["fidelity"]["goal_pct"] == 99.5 and meta["bits"]["layer_activations"]
    assert run("--recipe", recipe, "-o", tmp_path / "model.pt", "--activation-bits", 3) == 0
    captured = capsys.readouterr()
    assert "bits: 10 of weights, 3 of activations" in captured.out
    assert re.fullmatch(r"exporting tiny …\nwarning: these bits [^\n]*: give more bits[^\n]*\n", captured.err)
    meta = load_model(tmp_path / "model.pt").meta
    assert meta["fidelity"]["goal_pct"] is None
    assert (meta["bits"]["activations"], meta["bits"]["layer_activations"]) == (3, {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fidelity", "99%", "--weight-bits", "12"), "--fidelity chooses the bits"),
        (("--fidelity", "100%"), "90 to 99.99 % are possible"),
        (("--weight-bits", "17"), "2 to 16 are possible"),
    ],
)
def test_bits_that_cannot_be_chosen_are_refused(recipe, tmp_path, arguments, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        run("--recipe", recipe, "-o", tmp_path / "model.pt", *arguments)
    assert not (tmp_path / "model.pt").exists()
