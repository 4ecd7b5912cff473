"""`pi-bench train`: a folder with a model to measure, and one line for whatever the user got wrong."""

import argparse
import dataclasses
import json
from pathlib import Path

import pytest

from pi_bench.cli import train
from pi_bench.cli.train import describe
from pi_bench.errors import DataError, ModelError, PiBenchError, UsageError
from pi_bench.models import load_recipe
from pi_bench.models.recipe_writing import format_recipe
from pi_bench.network.files.model_file import load_model
from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")


def run(*arguments):
    parser = argparse.ArgumentParser()
    train.add_parser(parser.add_subparsers())
    parsed = parser.parse_args(["train", *map(str, arguments)])
    return parsed.run(parsed)


@pytest.fixture(autouse=True)
def threads_restored():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def small(tmp_path):
    """A thinned network for 8 x 8 images, made for CIFAR-100: digits have other classes."""
    recipe = dataclasses.replace(
        load_recipe("resnet18-cifar100-557056"),
        name="small-cifar100",
        input_shape=(3, 8, 8),
        blocks=(1, 1),
        widths=(8, 16),
        thinned_stages=(1, 2),
        published=None,
    )
    path = tmp_path / "small.toml"
    path.write_text(format_recipe(recipe))
    return path


def quick(recipe, folder, *more):
    return run(
        "--recipe",
        recipe,
        "--data",
        "digits",
        "--epochs",
        2,
        "--threads",
        1,
        "--device",
        "cpu",
        "-o",
        folder,
        *more,
    )


def test_from_a_recipe_to_a_model_file(small, tmp_path, capsys):
    folder = tmp_path / "out"
    assert quick(small, folder) == 0
    out, err = capsys.readouterr()
    result = json.loads((folder / "result.json").read_text())
    assert f"test accuracy {result['test_accuracy_pct']:.2f} %" in out
    assert f"pi-bench latency {folder}/model.pt" in out
    assert "training small-digits-" in err
    assert (result["recipe"]["class_count"], result["data"]["name"]) == (10, "digits")
    assert result["settings"]["epochs"] == 2
    assert result["settings"]["schedule"] == "cosine"  # the default of digits
    graph = load_model(folder / "model.pt")
    assert graph.labels == tuple("0123456789")
    assert graph.meta["name"] == result["recipe"]["name"]

    # A student of it: the teacher's recipe lies beside its weights.
    student = tmp_path / "student"
    assert quick(folder / "recipe.toml", student, "--teacher", folder, "--seed", 2) == 0
    teacher = json.loads((student / "result.json").read_text())["teacher"]
    assert teacher["name"] == result["recipe"]["name"]

    # The weights go through `export` and `--teacher-recipe` too, wherever they lie.
    alone = tmp_path / "alone.pt"
    alone.write_bytes((folder / "state.pt").read_bytes())
    with pytest.raises(UsageError, match="give --teacher-recipe"):
        quick(small, tmp_path / "third", "--teacher", alone)
    assert quick(small, tmp_path / "third", "--teacher", alone, "--teacher-recipe", small) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--epochs", 0], UsageError, "--epochs 0, allowed: 1 to 100000"),
        (["--validation", 1], UsageError, "--validation 1.0, allowed: 0 to 0.9"),
        (["--schedule", "linear"], UsageError, "--schedule 'linear', allowed: step, cosine"),
        (["--device", "tpu"], UsageError, "--device tpu: auto, cpu or cuda is needed"),
        (["--data", "svhn"], UsageError, "there is no data set 'svhn'; there are digits, fashion-mnist"),
        (["--data", "cifar10"], DataError, "cifar-10-binary.tar.gz is missing: add --download"),
        (["--teacher", "nowhere"], ModelError, "there are no weights at nowhere"),
        (["--teacher-recipe", "x"], UsageError, "goes with --teacher"),
        (["--recipe", "resnet18-cifar-12288"], UsageError, "did you mean"),
        (["--recipe", "gone.toml"], ModelError, "cannot read the recipe gone.toml"),
    ],
)
def test_what_is_wrong_is_named(small, tmp_path, arguments, error, message):
    with pytest.raises(PiBenchError) as caught:
        run("--recipe", small, "--data-dir", tmp_path, "-o", tmp_path / "out", *arguments)
    assert isinstance(caught.value, error)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_is_a_file(small, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(PiBenchError, match=r"cannot use .*out as the output folder"):
        quick(small, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_no_gpu(small, tmp_path):
    with pytest.raises(UsageError, match="torch sees no GPU here; use --device cpu"):
        run("--recipe", small, "--device", "cuda", "-o", tmp_path / "out")


@pytest.mark.parametrize(
    ("classes", "accuracy_pct", "hint"), [(10, 11.2, True), (10, 42.0, False), (100, 1.0, True)]
)
def test_a_training_that_ends_at_chance_says_so(classes, accuracy_pct, hint):
    recipe = {"name": "tiny", "relu_count": 64, "class_count": classes}
    result = {"recipe": recipe, "settings": {"epochs": 9}, "training_s": 5.2, "chosen_epoch": 9}
    result |= {"validation_accuracy_pct": None, "test_accuracy_pct": accuracy_pct}
    words = describe(result, Path("trained"))
    chance = f"this is chance level ({100 // classes} % for {classes} classes): the network has not learned"
    assert (chance in words and "--epochs" in words) == hint and "chance" not in words.replace(chance, "")
