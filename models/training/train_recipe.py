"""A training from a recipe to a folder with weights, log, and a model file to measure.

recipe.toml      the network as it was trained
checkpoint.pt    the state after the last epoch, to resume from
log.csv          one line per epoch
state.pt         the weights of the chosen epoch (a state_dict)
model.pt         the same network, calibrated on training images, for `pi-bench latency`
result.json      accuracy on the test images, and the settings that repeat the run
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pi_bench.errors import ExportError, ModelError, OutputError, UsageError, reason
from pi_bench.exporting import export
from pi_bench.progress import Progress, silent

from ..building import build
from ..data import Dataset
from ..recipe import Recipe
from ..recipe_export import load_state, require_masks
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from .batches import Batches
from .device_layout import move_to_device
from .epoch import evaluate
from .polynomial_training import start_polynomials
from .settings import TrainingSettings
from .trainer import TrainingOutcome, train
from .training_files import save_tensors, write_whole
from .workers import rank, worker_count

_CALIBRATION_COUNT = 64


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained network to distill from.

    Attributes:
        recipe: the recipe of the network.
        weights: the path of its state_dict.

    >>> from pi_bench.models import load_recipe
    >>> Teacher(load_recipe("resnet18-cifar100-557056"), Path("teacher/state.pt")).recipe.relu_count
    557056
    """

    recipe: Recipe
    weights: Path


def for_data(recipe: Recipe, data: str, class_count: int, image_shape: tuple[int, ...]) -> Recipe:
    """Returns `recipe` with the classes and images of the data set `data`, or itself if it is made for
    `data`.

    Raises:
        ModelError: The network does not fit the images.

    >>> from pi_bench.models import load_recipe
    >>> for_data(load_recipe("resnet18-cifar100-12288"), "digits", 10, (1, 32, 32)).name
    'resnet18-digits-12288'
    """
    if recipe.dataset == data:
        return recipe
    prefix = recipe.name.removesuffix(f"-{recipe.relu_count}").replace(f"-{recipe.dataset}", "")
    fitted = dataclasses.replace(
        recipe, dataset=data, class_count=class_count, input_shape=image_shape, published=None
    )
    fitted = dataclasses.replace(fitted, name=f"{prefix}-{data}-{fitted.relu_count}")
    return parse_recipe(format_recipe(fitted), fitted.name)


def train_recipe(
    recipe: Recipe,
    data: Dataset,
    settings: TrainingSettings,
    folder: Path,
    *,
    teacher: Teacher | None = None,
    start: Path | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
    tensorboard: bool = False,
    rate_option: str = "--learning-rate",
) -> dict[str, Any]:
    """Trains the recipe's network in `folder`, or resumes its training, and returns result.json's content.

    Args:
        teacher: a network to distill from, or None.
        start: the path of a state_dict to start from, which a recipe with masks needs. It may be that of the
            same network with ReLUs in place of polynomials. With None, weights are random.
        progress: called with epochs and batches.
        tensorboard: whether to write the log for TensorBoard as well.
        rate_option: the option that a user whose training diverges is told to lower.

    Raises:
        ModelError: The data, the teacher or the weights to start from are not for this network.
        ExportError: The network is trained, and cannot be exported.
        UsageError: The batch cannot be divided among the workers.
        TrainingError: The training diverges, or the folder holds another training.
        OutputError: A file cannot be written.

    >>> import tempfile
    >>> from pi_bench.models.data import load_data
    >>> data = load_data("digits", (1, 8, 8), data_dir=Path("data"))
    >>> small = '''schema = 1
    ... name = "small-digits"
    ... family = "vgg"
    ... dataset = "digits"
    ... input_shape = [1, 8, 8]
    ... class_count = 10
    ... blocks = [1]
    ... widths = [2]'''
    >>> settings = TrainingSettings(epochs=1, batch_size=512)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     result = train_recipe(parse_recipe(small, "small"), data, settings, Path(name))
    ...     result["chosen_epoch"], Path(name, "model.pt").exists()
    (1, True)
    """
    require_data(recipe, data)
    _require_divisible(settings.batch_size)
    device = torch.device(device)
    identity = {"recipe": format_recipe(recipe), "data": data.name, "teacher": "none", "start": "none"}
    teaching = None
    if teacher is not None:
        teaching = load_teacher(teacher, recipe, device)
        identity["teacher"] = digest_of(teacher.weights)
    make_folder(folder)
    with repeatable(settings.seed):
        module = build(recipe)
        if start is None:
            start_polynomials(module)
        else:
            _load_start(module, recipe, start)
            identity["start"] = digest_of(start)
        require_masks(module, recipe)
        batches = Batches(data, settings.validation_fraction, device)
        outcome = train(
            module,
            batches,
            settings,
            folder,
            teacher=teaching,
            identity=identity,
            device=device,
            progress=progress,
            tensorboard=tensorboard,
            rate_option=rate_option,
        )
        write_whole(folder / "recipe.toml", identity["recipe"].encode())
        _, test_accuracy_pct = evaluate(module, batches, batches.test)
    module = module.cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    save_tensors(folder / "state.pt", module.state_dict())
    result = _result(recipe, settings, teacher, batches, outcome, test_accuracy_pct, identity)
    if rank() == 0:
        try:
            _export(module, batches, recipe, data, result, folder / "model.pt")
        except ModelError as error:
            raise ExportError(f"the network is trained and cannot be exported: {error}") from None
    write_whole(folder / "result.json", (json.dumps(result, indent=2) + "\n").encode())
    return result


def _load_start(module: nn.Module, recipe: Recipe, start: Path) -> None:
    """Loads weights of the network, or of the same network with ReLUs in place of its polynomials.

    Raises:
        ModelError: The weights are of another network.
    """
    if recipe.has_polynomials:
        plain = build(dataclasses.replace(recipe, polynomials=(), cubics=(), mixtures=(), published=None))
        try:
            load_state(plain, start)
        except ModelError:
            pass  # the next lines tell whether they are those of the network with polynomials
        else:
            module.load_state_dict(plain.state_dict(), strict=False)
            start_polynomials(module)
            return
    load_state(module, start)


def _require_divisible(batch_size: int) -> None:
    """Checks that every worker gets as many images of a batch.

    Raises:
        UsageError: The workers do not divide the batch.
    """
    if batch_size % worker_count():
        raise UsageError(
            f"--batch-size {batch_size} cannot be divided among {worker_count()} workers: use a multiple"
        )


def _result(
    recipe: Recipe,
    settings: TrainingSettings,
    teacher: Teacher | None,
    batches: Batches,
    outcome: TrainingOutcome,
    test_accuracy_pct: float,
    identity: dict[str, str],
) -> dict[str, Any]:
    mean, deviation = batches.mean.tolist(), batches.deviation.tolist()
    return {
        "recipe": recipe.summary(),
        "data": {"name": identity["data"], "mean": mean, "deviation": deviation},
        "settings": settings.as_dict(),
        "teacher": None if teacher is None else {"name": teacher.recipe.name, "sha256": identity["teacher"]},
        "start_sha256": None if identity["start"] == "none" else identity["start"],
        "chosen_epoch": outcome.epoch,
        "validation_accuracy_pct": outcome.rows[outcome.epoch - 1].get("validation_accuracy_pct"),
        "test_accuracy_pct": test_accuracy_pct,
        "training_s": round(sum(row["seconds"] for row in outcome.rows), 3),
        "device": batches.train.labels.device.type,
        "torch": torch.__version__,
    }


def _export(
    module: nn.Module, batches: Batches, recipe: Recipe, data: Dataset, result: dict[str, Any], path: Path
) -> None:
    chosen = np.linspace(0, len(batches.train) - 1, min(_CALIBRATION_COUNT, len(batches.train)))
    images = batches.normalized(batches.train.images[torch.from_numpy(np.rint(chosen).astype(np.int64))])
    images = images.cpu().contiguous()
    meta = {
        "recipe": recipe.summary(),
        "random_weights": False,
        "calibration": {"source": f"training images of {data.name}"},
        "data": result["data"],
        "test_accuracy_pct": result["test_accuracy_pct"],
    }
    export(module, images[:1], path, calibration=images, labels=data.class_names, name=recipe.name, meta=meta)


def require_data(recipe: Recipe, data: Dataset) -> None:
    """Checks that `recipe` is for the classes and images of `data`.

    Raises:
        ModelError: It is for others.

    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.data import load_data
    >>> data = load_data("digits", (3, 32, 32), data_dir=Path("data"))
    >>> require_data(for_data(load_recipe("resnet18-cifar100-12288"), "digits", 10, (3, 32, 32)), data)
    """
    if recipe.class_count != len(data.class_names) or recipe.input_shape != data.image_shape:
        raise ModelError(
            f"recipe {recipe.name} is for {recipe.class_count} classes of {recipe.input_shape} images; "
            f"{data.name} has {len(data.class_names)} of {data.image_shape}"
        )


def make_folder(folder: Path) -> None:
    """Makes the output folder, unless it exists.

    Raises:
        OutputError: The folder cannot be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     make_folder(Path(name, "a", "b"))
    ...     Path(name, "a", "b").is_dir()
    True
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot use {folder} as the output folder: {reason(error)}") from None


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Derives initial weights from `seed`, and makes a GPU's convolutions deterministic, within the context.

    >>> def drawn():
    ...     with repeatable(7):
    ...         return torch.rand(1)
    >>> torch.equal(drawn(), drawn())
    True
    """
    deterministic = torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False)
    with torch.random.fork_rng(devices=[]), deterministic:
        torch.manual_seed(seed)
        yield


def digest_of(path: Path) -> str:
    """Returns the SHA-256 of the file at `path` in hexadecimal digits.

    >>> digest_of(Path("/dev/null"))[:8]
    'e3b0c442'
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_teacher(teacher: Teacher, recipe: Recipe, device: torch.device) -> nn.Module:
    """Returns the teacher's network on `device`, frozen and in evaluation mode.

    Args:
        recipe: the network that it teaches.

    Raises:
        ModelError: The teacher has other images or classes, or its weights are those of another network or
            not finite.

    >>> from pi_bench.models import load_recipe
    >>> teacher = Teacher(load_recipe("resnet18-cifar100-557056"), Path("state.pt"))
    >>> try:
    ...     load_teacher(teacher, load_recipe("vgg16-cifar10-276480"), torch.device("cpu"))
    ... except ModelError as error:
    ...     print(str(error).partition(":")[0])
    the teacher resnet18-cifar100-557056 is for other images or classes
    """
    given, wanted = teacher.recipe, recipe
    for key in ("input_shape", "class_count"):
        if getattr(given, key) != getattr(wanted, key):
            raise ModelError(
                f"the teacher {given.name} is for other images or classes: its {key} is "
                f"{getattr(given, key)}, that of {wanted.name} is {getattr(wanted, key)}"
            )
    module = build(given)
    load_state(module, teacher.weights)
    move_to_device(module, device)
    return module.eval().requires_grad_(False)
