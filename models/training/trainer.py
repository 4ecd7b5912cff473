"""The training loop. Read from the top: settings, one epoch, one evaluation, and what is kept.

All randomness of an epoch follows from the seed and the epoch's number, and a checkpoint is written
after each epoch; so a run that was killed repeats at most one epoch and ends with the same bits as
one that was not (on the CPU, with as many threads).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import TrainingError

from .batches import Batches, DeviceSplit
from .distillation import distillation_loss
from .files import CHECKPOINT_FORMAT, load_checkpoint, save_tensors, write_log
from .settings import TrainingSettings

Progress = Callable[[str, int, int], None]

_CHECKED_EVERY = 16  # batches between looks at the loss; each look waits for the device
_EVALUATED_AT_ONCE = 512


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
) -> Outcome:
    """Trains `module` in place, from the folder's checkpoint if it has one.

    Writes `checkpoint.pt` and `log.csv` to `folder` after each epoch. The epoch of the highest
    validation accuracy is chosen (of equals, that of the lowest validation loss); without validation
    images, the last.

    Args:
        identity: what else makes this training the one that it is (recipe, data, teacher).

    Raises:
        TrainingError: the loss is no number any more, a file cannot be written, or the folder holds
            another training.
    """
    module.to(device).to(memory_format=_memory_format(device))  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        module.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    path = folder / "checkpoint.pt"
    saved = load_checkpoint(path)
    best: dict[str, Any] = {"epoch": 0, "rank": (-1.0, 0.0), "state": None}
    rows: list[dict[str, float]] = []
    if saved is not None:
        _check_same(saved, settings, identity, folder)
        module.load_state_dict(saved["module"])
        optimizer.load_state_dict(saved["optimizer"])
        best, rows = saved["best"], saved["rows"]

    for epoch in range(len(rows), settings.epochs):
        begun = time.monotonic()
        rate = settings.learning_rate_at(epoch)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = _train_epoch(module, batches, settings, epoch, optimizer, teacher, device, progress)
        row = {"epoch": epoch + 1, "learning_rate": rate, "train_loss": loss}
        rank = (0.0, float(epoch))
        if len(batches.validation):
            validation_loss, accuracy = evaluate(module, batches, batches.validation, device)
            row |= {"validation_loss": validation_loss, "validation_accuracy_pct": accuracy}
            rank = (accuracy, -validation_loss)
        if rank > tuple(best["rank"]):
            best = {"epoch": epoch + 1, "rank": rank, "state": _on_cpu(module.state_dict())}
        rows.append({**row, "seconds": round(time.monotonic() - begun, 3)})
        save_tensors(
            path,
            {
                "format": CHECKPOINT_FORMAT,
                "settings": settings.as_dict(),
                "identity": dict(identity),
                "module": _on_cpu(module.state_dict()),
                "optimizer": optimizer.state_dict(),
                "best": best,
                "rows": rows,
            },
        )
        write_log(folder / "log.csv", rows)

    module.load_state_dict(best["state"])
    return Outcome(best["epoch"], rows)


def _train_epoch(
    module: nn.Module,
    batches: Batches,
    settings: TrainingSettings,
    epoch: int,
    optimizer: torch.optim.Optimizer,
    teacher: nn.Module | None,
    device: torch.device,
    progress: Progress,
) -> float:
    """One pass over the training images; the mean loss."""
    module.train()
    total = torch.zeros((), device=device)
    count = batches.batch_count(settings.batch_size)
    for number, (images, labels) in enumerate(
        batches.epoch(settings.seed, epoch, settings.batch_size), start=1
    ):
        images = images.contiguous(memory_format=_memory_format(device))
        with _mixed_precision(device):
            logits = module(images)
            if teacher is None:
                loss = functional.cross_entropy(logits, labels)
            else:
                with torch.no_grad():
                    teacher_logits = teacher(images)
                loss = distillation_loss(
                    logits, teacher_logits, labels, settings.temperature, settings.hard_weight
                )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach()
        if number % _CHECKED_EVERY == 0 or number == count:
            if not torch.isfinite(total):
                raise TrainingError(
                    f"training diverged in epoch {epoch + 1} by batch {number}: the loss is no number; "
                    f"use a lower --learning-rate than {settings.learning_rate:g}"
                )
            progress(
                f"epoch {epoch + 1} of {settings.epochs}", epoch * count + number, settings.epochs * count
            )
    return float(total) / count


@torch.no_grad()
def evaluate(
    module: nn.Module, batches: Batches, split: DeviceSplit, device: torch.device
) -> tuple[float, float]:
    """Mean cross-entropy, and the share in percent of images whose largest logit is their class."""
    module.eval()
    loss = torch.zeros((), device=device)
    right = torch.zeros((), dtype=torch.int64, device=device)
    for start in range(0, len(split), _EVALUATED_AT_ONCE):
        images = batches.normalized(split.images[start : start + _EVALUATED_AT_ONCE])
        labels = split.labels[start : start + _EVALUATED_AT_ONCE]
        # In float32 everywhere: it is what is exported.
        logits = module(images.contiguous(memory_format=_memory_format(device)))
        loss += functional.cross_entropy(logits, labels, reduction="sum")
        right += (logits.argmax(dim=1) == labels).sum()
    return float(loss) / len(split), 100 * int(right) / len(split)


def _check_same(
    saved: Mapping[str, Any], settings: TrainingSettings, identity: Mapping[str, str], folder: Path
) -> None:
    wanted = {**identity, **settings.as_dict()}
    found = {**saved["identity"], **saved["settings"]}
    for key, value in wanted.items():
        if found.get(key) != value:
            raise TrainingError(
                f"{folder} holds a training with another {key} ({found.get(key)!r:.60}, not {value!r:.60}): "
                "choose another --output folder, or delete this one"
            )


def _mixed_precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where the GPU has it: float32's range, so gradients need no scaling."""
    enabled = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def _memory_format(device: torch.device) -> torch.memory_format:
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def _on_cpu(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A copy: training goes on in the tensors of `state`."""
    return {name: value.detach().cpu().clone() for name, value in state.items()}
