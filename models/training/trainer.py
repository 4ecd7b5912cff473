"""The training loop. Read from the top: what is resumed, an epoch, what is kept.

All randomness of an epoch follows from the seed and the epoch's number, and a checkpoint is written
after each epoch; so a run that was killed repeats at most one epoch and ends with the same bits as
one that was not (on the CPU, with as many threads).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .batches import Batches
from .divergence import DivergenceWatch
from .epoch import evaluate, train_epoch
from .files import CHECKPOINT_FORMAT, check_same, load_checkpoint, save_tensors
from .logs import EpochLog
from .settings import TrainingSettings
from .workers import alone_again, shared_training

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The epoch that was chosen (from 1) and the log, a row an epoch; the module holds its weights."""

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
) -> Outcome:
    """Trains `module` in place, from the folder's checkpoint if it has one.

    Writes `checkpoint.pt` and `log.csv` to `folder` after each epoch. The epoch of the highest
    validation accuracy is chosen (of equals, that of the lowest validation loss); without validation
    images, the last.

    Args:
        identity: what else makes this training the one that it is (recipe, data, teacher).
        tensorboard: whether to write the same log for TensorBoard as well.

    Raises:
        TrainingError: it diverges, or the folder holds another training.
        OutputError: a file cannot be written.
    """
    module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(module, settings)
    path = folder / "checkpoint.pt"
    saved = load_checkpoint(path)
    best: dict[str, Any] = {"epoch": 0, "rank": (-1.0, 0.0), "state": None}
    rows: list[dict[str, float]] = []
    if saved is not None:
        check_same(saved, {**identity, **settings.as_dict()}, folder)
        module.load_state_dict(saved["module"])
        optimizer.load_state_dict(saved["optimizer"])
        best, rows = saved["best"], saved["rows"]
    log = EpochLog(folder, rows, tensorboard=tensorboard)
    watch = DivergenceWatch(batches.class_count, settings.learning_rate)
    learner = shared_training(module, device)

    for epoch in range(len(rows), settings.epochs):
        begun = time.monotonic()
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
        )
        row = {"epoch": epoch + 1, "learning_rate": rate, "train_loss": loss}
        rank = (0.0, float(epoch))
        if len(batches.validation):
            validation_loss, accuracy = evaluate(module, batches, batches.validation)
            row |= {"validation_loss": validation_loss, "validation_accuracy_pct": accuracy}
            rank = (accuracy, -validation_loss)
        if rank > tuple(best["rank"]):
            best = {"epoch": epoch + 1, "rank": rank, "state": copied_state(module)}
        rows.append({**row, "seconds": round(time.monotonic() - begun, 3)})
        save_tensors(
            path,
            {
                "format": CHECKPOINT_FORMAT,
                "identity": {**identity, **settings.as_dict()},
                "module": copied_state(module),
                "optimizer": optimizer.state_dict(),
                "best": best,
                "rows": rows,
            },
        )
        log.add(rows)

    if rows:
        total = settings.epochs * batches.batch_count(settings.batch_size)
        progress(f"epoch {len(rows)} of {settings.epochs} done: {_figures(rows[-1])}", total, total)
    log.close()
    alone_again(module).load_state_dict(best["state"])
    return Outcome(best["epoch"], rows)


def make_optimizer(module: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
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
    """On the CPU, and a copy: training goes on in the module's own tensors."""
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}


def _reporter(
    progress: Progress, epoch: int, epochs: int, rows: list[dict[str, float]]
) -> Callable[[int, int], None]:
    what = f"epoch {epoch + 1} of {epochs}"
    if rows:
        what += f" (epoch {epoch}: {_figures(rows[-1])})"
    return lambda done, count: progress(what, epoch * count + done, epochs * count)


def _figures(row: Mapping[str, float]) -> str:
    """Of a finished epoch."""
    accuracy = row.get("validation_accuracy_pct")
    return f"loss {row['train_loss']:.3g}" + ("" if accuracy is None else f", validation {accuracy:.2f} %")
