"""Options of the commands that train."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pi_bench.cli.arguments import number, thread_count, whole_number
from pi_bench.errors import UsageError

_SETTINGS = (
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "schedule",
    "precision",
    "validation_fraction",
    "seed",
)


def add_device(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--device", default="auto", help="auto (a GPU where there is one), cpu, cuda, cuda:1 …"
    )


def add_threads(parser: argparse._ActionsContainer, default: str) -> None:
    parser.add_argument(
        "--threads",
        type=thread_count,
        metavar="N",
        help=f"computing threads of a training ({default})",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        default="digits",
        metavar="NAME",
        help="name of a data set (default digits; docs/training.md)",
    )
    add_archive(data)


def add_archive(data: argparse._ActionsContainer) -> None:
    data.add_argument(
        "--data-dir", type=Path, default=Path("data"), metavar="FOLDER", help="of the official archive (data)"
    )
    data.add_argument("--download", action="store_true", help="fetch the archive if it is not there")


def add_training(parser: argparse.ArgumentParser) -> None:
    training = parser.add_argument_group("training (defaults depend on the data)")
    training.add_argument("--epochs", type=whole_number, metavar="N")
    training.add_argument("--batch-size", type=whole_number, metavar="N", help="of all workers together")
    training.add_argument("--optimizer", metavar="NAME", help="sgd (default) or adam")
    training.add_argument("--learning-rate", type=number, metavar="X")
    training.add_argument("--schedule", metavar="NAME", help="step, cosine or constant")
    training.add_argument(
        "--precision",
        metavar="NAME",
        help="of the forward pass: float32, bfloat16 or auto (default: bfloat16 on a GPU that has it)",
    )
    training.add_argument(
        "--validation",
        type=number,
        metavar="SHARE",
        dest="validation_fraction",
        help="of the training images, to choose the epoch; 0 keeps the last (0.1)",
    )
    training.add_argument(
        "--seed", type=whole_number, metavar="N", help="of weights, order and augmentation (1)"
    )


def settings_of(training: Any, parsed: argparse.Namespace) -> Any:
    """The `TrainingSettings` that were asked for; `training` is ``pi_bench.models.training``.

    Raises:
        UsageError: a value outside its range.
    """
    given = {name: getattr(parsed, name) for name in _SETTINGS if getattr(parsed, name) is not None}
    return training.TrainingSettings(**training.default_settings(parsed.data) | given)


def data_for(
    data_sets: Any, running: Any, parsed: argparse.Namespace, recipe: Any, progress: Any
) -> tuple[Any, Any]:
    """The data set that was asked for, and `recipe` fitted to it.

    Args:
        data_sets: ``pi_bench.models.data``.
        running: ``pi_bench.models.training.run``.

    Raises:
        DataError: no such data, or not at hand.
        ModelError: the network does not fit its images.
    """
    shape = data_sets.image_shape(parsed.data, recipe.input_shape)
    data = data_sets.load_data(
        parsed.data, shape, data_dir=parsed.data_dir, download=parsed.download, progress=progress
    )
    return data, running.for_data(recipe, data.name, len(data.class_names), shape)


def device_of(torch: Any, name: str) -> str:
    """`name` of --device as torch takes it. Raises: UsageError."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(name).type
    except RuntimeError:
        kind = ""
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"--device {name}: auto, cpu or cuda is needed")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: torch sees no GPU here; use --device cpu")
    return name
