"""Options of the commands that train, and the settings, data and device that they choose."""

from __future__ import annotations

import argparse
import sys
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
    "gradient_limit",
    "interpolation",
    "range_penalty",
)


def add_device(parser: argparse._ActionsContainer) -> None:
    """Adds ``--device``. `device_of` reads it.

    >>> parser = argparse.ArgumentParser()
    >>> add_device(parser)
    >>> parser.parse_args(["--device", "cpu"]).device
    'cpu'
    """
    parser.add_argument(
        "--device",
        default="auto",
        help="device to train on: auto (a GPU if there is one), cpu, cuda, cuda:1 …",
    )


def add_threads(parser: argparse._ActionsContainer, default: str) -> None:
    """Adds ``--threads``.

    Args:
        default: says in the help which value is used without it.

    >>> parser = argparse.ArgumentParser()
    >>> add_threads(parser, default="default 1")
    >>> parser.parse_args(["--threads", "2"]).threads
    2
    """
    parser.add_argument(
        "--threads",
        type=thread_count,
        metavar="N",
        help=f"computing threads per training ({default})",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the training data. `data_for` reads them.

    >>> parser = argparse.ArgumentParser()
    >>> add_data(parser)
    >>> parser.parse_args(["--data", "cifar100"]).data
    'cifar100'
    """
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        default="digits",
        metavar="NAME",
        help="name of a data set, see docs/training.md (default digits)",
    )
    add_archive(data)


def add_archive(data: argparse._ActionsContainer) -> None:
    """Adds the options of the files of a data set.

    >>> parser = argparse.ArgumentParser()
    >>> add_archive(parser)
    >>> parser.parse_args(["--data-dir", "downloads"]).data_dir
    PosixPath('downloads')
    """
    data.add_argument(
        "--data-dir",
        type=Path,
        metavar="FOLDER",
        help="folder of the official files (default: data, or that of the operating system's package if it "
        "holds none of them)",
    )
    data.add_argument("--download", action="store_true", help="fetch official files that are missing")


def data_dir_of(parsed: argparse.Namespace) -> Path:
    """Returns the folder of the official files.

    >>> data_dir_of(argparse.Namespace(data_dir=None))
    PosixPath('data')
    """
    return Path("data") if parsed.data_dir is None else parsed.data_dir


def data_files(parsed: argparse.Namespace, progress: Any) -> dict[str, Any]:
    """Returns the arguments by which `load_data` finds the files of a data set, or fetches them.

    A package of the operating system counts only if the user named no folder.

    Args:
        progress: a `cli.progress.Progress`.

    >>> from pi_bench.cli.progress import Progress
    >>> found = data_files(argparse.Namespace(data_dir=Path("mine"), download=False), Progress(silent=True))
    >>> found["data_dir"], found["installed"]
    (PosixPath('mine'), False)
    """

    def say(words: str) -> None:
        progress.clear()
        print(words, file=sys.stderr, flush=True)

    return {
        "data_dir": data_dir_of(parsed),
        "installed": parsed.data_dir is None,
        "download": parsed.download,
        "progress": progress,
        "say": say,
    }


def add_training(parser: argparse.ArgumentParser) -> None:
    """Adds the settings of a training. `settings_of` reads them.

    >>> parser = argparse.ArgumentParser()
    >>> add_training(parser)
    >>> parser.parse_args(["--epochs", "9"]).epochs
    9
    """
    training = parser.add_argument_group("training (defaults depend on the data)")
    training.add_argument("--epochs", type=whole_number, metavar="N", help="number of epochs")
    training.add_argument(
        "--batch-size", type=whole_number, metavar="N", help="images per step, over all workers"
    )
    training.add_argument("--optimizer", metavar="NAME", help="sgd (default) or adam")
    training.add_argument(
        "--learning-rate", type=number, metavar="X", help="learning rate of the first epoch"
    )
    training.add_argument("--schedule", metavar="NAME", help="step, cosine or constant")
    training.add_argument(
        "--precision",
        metavar="NAME",
        help="number format of the forward pass: float32, bfloat16 or auto (default: bfloat16 on a GPU "
        "that has it)",
    )
    training.add_argument(
        "--validation",
        type=number,
        metavar="FRACTION",
        dest="validation_fraction",
        help="fraction of the training images that serves to choose the epoch; 0 keeps the last epoch "
        "(default 0.1)",
    )
    training.add_argument(
        "--gradient-limit",
        type=number,
        metavar="X",
        help="largest absolute value of a gradient's element; 0 for no limit (default 0; with polynomials 2)",
    )
    training.add_argument(
        "--interpolation",
        type=number,
        metavar="FRACTION",
        help="fraction of the epochs in which polynomials replace ReLUs step by step (default one third)",
    )
    training.add_argument(
        "--range-penalty",
        type=number,
        metavar="X",
        help="weight of the penalty on large inputs of polynomials; 0 for none (default 0.001)",
    )
    training.add_argument(
        "--seed", type=whole_number, metavar="N", help="seed of weights, order and augmentation (default 1)"
    )


def settings_of(training: Any, parsed: argparse.Namespace, *, polynomials: bool = False) -> Any:
    """Returns the `TrainingSettings` that the user asked for. `training` is ``pi_bench.models.training``.

    Args:
        polynomials: whether the network has polynomials, which have defaults of their own.

    Raises:
        UsageError: a value is out of range.

    >>> from importlib import import_module
    >>> parser = argparse.ArgumentParser()
    >>> add_data(parser)
    >>> add_training(parser)
    >>> settings_of(import_module("pi_bench.models.training"), parser.parse_args(["--epochs", "9"])).epochs
    9
    """
    given = {name: getattr(parsed, name) for name in _SETTINGS if getattr(parsed, name) is not None}
    try:
        return training.TrainingSettings(
            **training.default_settings(parsed.data, polynomials=polynomials) | given
        )
    except UsageError as error:  # it names the setting as training logs do, not the flag
        name, _, rest = str(error).removeprefix("training: ").partition(" is ")
        flag = "validation" if name == "validation_fraction" else name.replace("_", "-")
        raise UsageError(f"--{flag} {rest}") from None


def data_for(
    data_sets: Any, running: Any, parsed: argparse.Namespace, recipe: Any, progress: Any
) -> tuple[Any, Any]:
    """Loads the data set that the user asked for, and returns it with `recipe` fitted to its images.

    Args:
        data_sets: ``pi_bench.models.data``.
        running: ``pi_bench.models.training.train_recipe``.

    Raises:
        DataError: there is no such data set, or its files are missing.
        ModelError: the network does not fit the images.

    ```python
    from importlib import import_module

    from pi_bench.progress import silent

    def digits_for(recipe: object) -> tuple[object, object]:
        parsed = argparse.Namespace(data="digits", data_dir=Path("data"), download=False)
        running = import_module("pi_bench.models.training.train_recipe")
        return data_for(import_module("pi_bench.models.data"), running, parsed, recipe, silent)
    ```
    """
    shape = data_sets.image_shape(parsed.data, recipe.input_shape)
    data = data_sets.load_data(parsed.data, shape, **data_files(parsed, progress))
    return data, running.for_data(recipe, data.name, len(data.class_names), shape)


def device_of(torch: Any, name: str) -> str:
    """Returns the device that ``--device`` names, as `torch` takes it.

    Raises:
        UsageError: there is no such device here.

    >>> import torch
    >>> device_of(torch, "cpu")
    'cpu'
    """
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
