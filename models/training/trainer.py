"""The training loop: resume, train an epoch, keep the best one.

All randomness of an epoch follows from the seed and the epoch's number, and a checkpoint is written after
each epoch. A killed run therefore repeats at most one epoch, and on a CPU with the same number of threads it
ends with the same bits as a run that was not killed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pi_bench.progress import Progress

from .batches import Batches
from .device_layout import move_to_device
from .divergence import DivergenceWatch
from .epoch import evaluate, train_epoch
from .epoch_time import EpochTime
from .logs import EpochLog
from .penalties import penalties
from .polynomial_training import set_relu_part
from .settings import TrainingSettings
from .training_files import CHECKPOINT_FORMAT, check_same, load_checkpoint, save_tensors
from .workers import unwrap, wrap_distributed


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """The result of a training. The trained module holds the weights of the chosen epoch.

    Attributes:
        epoch: the chosen epoch, from 1.
        rows: the log, one row per epoch.

    >>> TrainingOutcome(1, [{"epoch": 1, "train_loss": 0.5}]).epoch
    1
    """

    epoch: int
    rows: list[dict[str, float]]


def train(
    module: nn.Module,
    batches: Batches,
    settings: TrainingSettings,
    folder: Path,
    *,
    teacher: nn.Module | None,
    identity: Mapping[str, str],
    device: torch.device,
    progress: Progress,
    tensorboard: bool = False,
    rate_option: str = "--learning-rate",
) -> TrainingOutcome:
    """Trains `module` in place, starting from the checkpoint in `folder` if there is one.

    `checkpoint.pt` and `log.csv` are written to `folder` after each epoch. The epoch with the highest
    validation accuracy is chosen, and among equals the one with the lowest validation loss. Without
    validation images it is the last epoch. An epoch at whose end polynomials still replace ReLUs in part is
    not chosen.

    Args:
        teacher: a network to distill from, or None.
        identity: further values that tell this training from others, such as recipe, data and teacher.
        device: the device to train on.
        progress: called with epochs and batches.
        tensorboard: whether to write the log for TensorBoard as well.
        rate_option: the option that a user whose training diverges is told to lower.

    Raises:
        TrainingError: The training diverges, or the folder holds another training.
        OutputError: A file cannot be written.

    >>> import tempfile
    >>> from pi_bench.models.data import load_data
    >>> from pi_bench.progress import silent
    >>> cpu = torch.device("cpu")
    >>> batches = Batches(load_data("digits", (1, 8, 8), data_dir=Path("data")), 0.1, cpu)
    >>> module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> options = {"teacher": None, "identity": {}, "device": cpu, "progress": silent}
    >>> with tempfile.TemporaryDirectory() as name:
    ...     train(module, batches, TrainingSettings(epochs=2), Path(name), **options).epoch
    2
    """
    move_to_device(module, device)
    optimizer, path = make_optimizer(module, settings), folder / "checkpoint.pt"
    identity = {**identity, **settings.as_dict()}
    best, rows, bad_looks = _resumed(path, identity, module, optimizer)
    log = EpochLog(folder, rows, tensorboard=tensorboard)
    watch = DivergenceWatch(batches.class_count, settings.advice(rate_option), bad_looks)
    learner = wrap_distributed(module, device)

    with penalties(module, teacher, settings) as penalty:
        for epoch in range(len(rows), settings.epochs):
            begun = EpochTime()
            rate = settings.learning_rate_at(epoch)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = train_epoch(
                learner,
                batches,
                epoch,
                settings,
                optimizer,
                teacher=teacher,
                watch=watch,
                report=_reporter(progress, epoch, settings.epochs, rows),
                penalty=penalty,
                before_batch=lambda done: set_relu_part(module, settings.relu_part_at(done)),
            )
            relu_part = set_relu_part(module, settings.relu_part_at(epoch + 1))
            row = {"epoch": epoch + 1, "learning_rate": rate, "train_loss": loss}
            rank = (0.0, float(epoch))
            if len(batches.validation):
                validation_loss, accuracy = evaluate(module, batches, batches.validation)
                row |= {"validation_loss": validation_loss, "validation_accuracy_pct": accuracy}
                rank = (accuracy, -validation_loss)
            if not relu_part and rank > tuple(best["rank"]):  # else it is not the network of the recipe
                best = {"epoch": epoch + 1, "rank": rank, "state": copied_state(module)}
            rows.append(row | begun.spent())
            _save(path, identity, module, optimizer, best, rows, watch.bad_looks)
            log.add(rows)

    if rows:
        total = settings.epochs * batches.batch_count(settings.batch_size)
        progress(f"epoch {len(rows)} of {settings.epochs} done: {_figures(rows[-1])}", total, total)
    log.close()
    set_relu_part(module, 0.0)
    unwrap(module).load_state_dict(best["state"])
    return TrainingOutcome(best["epoch"], rows)


def _resumed(
    path: Path, identity: Mapping[str, Any], module: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[dict[str, Any], list[dict[str, float]], int]:
    """Loads the checkpoint `path`, if there is one.

    Returns the best epoch so far, the rows of the log, and `DivergenceWatch.bad_looks`.
    """
    saved = load_checkpoint(path)
    if saved is None:
        return {"epoch": 0, "rank": (-1.0, 0.0), "state": None}, [], 0
    check_same(saved, identity, path.parent)
    module.load_state_dict(saved["module"])
    optimizer.load_state_dict(saved["optimizer"])
    return saved["best"], saved["rows"], saved.get("bad_looks", 0)


def _save(
    path: Path,
    identity: Mapping[str, Any],
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: Mapping[str, Any],
    rows: list[dict[str, float]],
    bad_looks: int,
) -> None:
    save_tensors(
        path,
        {
            "format": CHECKPOINT_FORMAT,
            "identity": dict(identity),
            "module": copied_state(module),
            "optimizer": optimizer.state_dict(),
            "best": dict(best),
            "rows": rows,
            "bad_looks": bad_looks,
        },
    )


def make_optimizer(module: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Returns the optimizer of the settings for the parameters of `module` that are not frozen.

    >>> make_optimizer(nn.Linear(2, 2), TrainingSettings()).param_groups[0]["momentum"]
    0.9
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        parameters,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


def copied_state(module: nn.Module) -> dict[str, Tensor]:
    """Returns a copy of the module's state on the CPU, which further training does not change.

    >>> module = nn.Linear(1, 1)
    >>> state = copied_state(module)
    >>> state["weight"] is module.weight, torch.equal(state["weight"], module.weight)
    (False, True)
    """
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}


def _reporter(
    progress: Progress, epoch: int, epochs: int, rows: list[dict[str, float]]
) -> Callable[[int, int], None]:
    what = f"epoch {epoch + 1} of {epochs}"
    if rows:
        what += f" (epoch {epoch}: {_figures(rows[-1])})"
    return lambda done, count: progress(what, epoch * count + done, epochs * count)


def _figures(row: Mapping[str, float]) -> str:
    """Returns the figures of a finished epoch in words."""
    accuracy = row.get("validation_accuracy_pct")
    return f"loss {row['train_loss']:.3g}" + ("" if accuracy is None else f", validation {accuracy:.2f} %")
