"""`pi-bench train`: trains a recipe's network on real images, so that it can be measured."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

from pi_bench.cli import model_options, training_options
from pi_bench.cli.interruption import continuing
from pi_bench.cli.output import print_text
from pi_bench.cli.recipes import recipe_of
from pi_bench.errors import ModelError, UsageError

_DESCRIPTION = """\
Trains a recipe's network and writes a folder: recipe.toml, checkpoint.pt, log.csv, state.pt (weights),
model.pt (for `pi-bench latency`) and result.json (test accuracy). The same command continues
after a kill. The default settings are those of the papers (docs/training.md).
"""
_AT_CHANCE = 1.5
"""An accuracy of up to so many times that of a guess tells nothing."""

_EPILOG = """\
examples:
  pi-bench train --recipe resnet18-cifar100-12288 --data digits -o trained
  pi-bench train --recipe resnet18-fashion-mnist-69632 --data fashion-mnist --threads 1 -o fashion
  pi-bench train --recipe resnet18-cifar100-557056 --data cifar100 --download -o teacher
  pi-bench train --recipe resnet18-cifar100-12288 --data cifar100 --teacher teacher -o student
  torchrun --nproc-per-node 4 -m pi_bench train --recipe resnet18-cifar100-12288 --data cifar100 -o trained
  pi-bench latency student/model.pt
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> parser = argparse.ArgumentParser()
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["train", "--recipe", "mine.toml", "-o", "trained"]).data
    'digits'
    """
    parser = subparsers.add_parser(
        "train",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--recipe",
        required=True,
        metavar="NAME",
        help="recipe to train: a name from `export --list`, or a .toml file",
    )
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FOLDER", help="folder to write to"
    )
    training_options.add_device(parser)
    training_options.add_threads(parser, "default: torch's choice; on a busy machine 1 is often faster")
    training_options.add_data(parser)
    teaching = parser.add_argument_group("knowledge distillation")
    teaching.add_argument(
        "--teacher",
        type=Path,
        metavar="PATH",
        help="folder of an earlier training, or a state.pt, to distil from",
    )
    teaching.add_argument(
        "--teacher-recipe",
        metavar="NAME",
        help="recipe of the teacher (default: recipe.toml beside its weights)",
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="PATH",
        help="folder of an earlier training, or a state.pt, to start from: of the same network, or of the "
        "one with ReLUs in place of its polynomials (default: random weights)",
    )
    training_options.add_training(parser)
    parser.add_argument(
        "--tensorboard", action="store_true", help="also write the log for TensorBoard, in the folder"
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Trains the network and writes its folder, or continues an earlier training there. Returns the exit
    code.

    Raises:
        UsageError: a setting is out of range, or options do not go together.
        ModelError: the recipe or the teacher cannot be used.
        DataError: the images are missing or damaged.
        TrainingError: the training diverged, or its folder holds another training.

    ```python
    from pi_bench.cli import main

    def train(recipe: str, folder: str) -> int:
        return main(["train", "--recipe", recipe, "--data", "digits", "-o", folder])
    ```
    """
    from pi_bench.cli.progress import Progress

    models = importlib.import_module("pi_bench.models")
    data_sets = importlib.import_module("pi_bench.models.data")
    recipe = recipe_of(models, parsed.recipe)
    if parsed.teacher is None and parsed.teacher_recipe is not None:
        raise UsageError("--teacher-recipe goes with --teacher")
    fitting = {
        "--interpolation": not parsed.interpolation or recipe.has_polynomials or recipe.identities,
        "--range-penalty": not parsed.range_penalty or recipe.has_polynomials,
    }
    for option in (option for option, fits in fitting.items() if not fits):
        raise UsageError(f"{option} is for polynomials, and recipe {recipe.name} has none: leave it out")
    model_options.require_torch("train")
    import torch

    training = importlib.import_module("pi_bench.models.training")
    running = importlib.import_module("pi_bench.models.training.train_recipe")
    settings = training_options.settings_of(training, parsed, polynomials=recipe.has_polynomials)
    workers = importlib.import_module("pi_bench.models.training.workers")
    if parsed.threads is not None:
        torch.set_num_threads(parsed.threads)

    with workers.joined(training_options.device_of(torch, parsed.device)) as device:
        first = workers.rank() == 0
        with Progress(lines=True, silent=not first) as progress:
            if not first:
                workers.wait_for_all()  # for worker 0, which may have to download
            data, fitted = training_options.data_for(data_sets, running, parsed, recipe, progress)
            if first:
                workers.wait_for_all()
            teacher = _teacher(models, running, parsed, data, data.image_shape)
            if first:
                progress.clear()
                print(
                    f"training {fitted.name} ({fitted.relu_count:,} ReLUs) on {len(data.train):,} images "
                    f"of {data.name}, {settings.epochs} epoch{'s' * (settings.epochs != 1)}, on {device} …",
                    file=sys.stderr,
                )
            with continuing(parsed.output):
                result = running.train_recipe(
                    fitted,
                    data,
                    settings,
                    parsed.output,
                    teacher=teacher,
                    start=None if parsed.start is None else _weights("--start", parsed.start),
                    device=device,
                    progress=progress,
                    tensorboard=parsed.tensorboard,
                )
    if first:
        print_text(describe(result, parsed.output))
    return 0


def describe(result: dict[str, Any], folder: Path) -> str:
    """Describes a finished training for the terminal. `result` holds the fields of its result.json.

    >>> result = {"recipe": {"name": "tiny", "relu_count": 64}, "settings": {"epochs": 9}, "training_s": 5.2}
    >>> result["recipe"]["class_count"] = 10
    >>> result |= {"chosen_epoch": 9, "validation_accuracy_pct": None, "test_accuracy_pct": 91.5}
    >>> print(describe(result, Path("trained")))
    wrote trained: tiny, 64 ReLUs
      test accuracy 91.50 %, epoch 9 of 9 (the last), 5 s of training
      measure it: pi-bench latency trained/model.pt
    """
    recipe, settings = result["recipe"], result["settings"]
    validation = result["validation_accuracy_pct"]
    chance_pct, accuracy_pct = 100 / recipe["class_count"], result["test_accuracy_pct"]
    hint = (
        f"  this is chance level ({chance_pct:.3g} % for {recipe['class_count']:,} classes): the network has "
        "not learned; train it in another folder with more --epochs or another --learning-rate\n"
        if accuracy_pct <= _AT_CHANCE * chance_pct
        else ""
    )
    chosen = "the last" if validation is None else f"validation accuracy {validation:.2f} %"
    return (
        f"wrote {folder}: {recipe['name']}, {recipe['relu_count']:,} ReLUs\n"
        f"  test accuracy {accuracy_pct:.2f} %, epoch {result['chosen_epoch']} of "
        f"{settings['epochs']} ({chosen}), {result['training_s']:.0f} s of training\n"
        f"{hint}"
        f"  measure it: pi-bench latency {folder / 'model.pt'}"
    )


def _weights(option: str, path: Path) -> Path:
    weights = path / "state.pt" if path.is_dir() else path
    if not weights.is_file():
        raise ModelError(f"{option} {path}: there are no weights at {weights}")
    return weights


def _teacher(models: Any, running: Any, parsed: argparse.Namespace, data: Any, shape: tuple[int, ...]) -> Any:
    if parsed.teacher is None:
        return None
    weights = _weights("--teacher", parsed.teacher)
    name = parsed.teacher_recipe
    if name is None:
        beside = weights.with_name("recipe.toml")
        if not beside.is_file():
            raise UsageError(
                f"--teacher {parsed.teacher}: no recipe.toml beside it, so give --teacher-recipe"
            )
        return running.Teacher(recipe_of(models, str(beside)), weights)
    recipe = recipe_of(models, name)
    return running.Teacher(running.for_data(recipe, data.name, len(data.class_names), shape), weights)
