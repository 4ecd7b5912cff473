"""One pass over the training images, and one look at images that are not trained on.

Both are what every training here consists of: the trainer's own and SNL's linearization.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .batches import Batches, DeviceSplit
from .distillation import teaching_loss
from .divergence import DivergenceWatch
from .settings import TrainingSettings
from .workers import mean_over_workers

_LOOKED_EVERY = 16  # batches between looks at the loss; each look waits for the device
_EVALUATED_AT_ONCE = 512


def train_epoch(
    module: nn.Module,
    batches: Batches,
    epoch: int,
    settings: TrainingSettings,
    optimizer: torch.optim.Optimizer,
    *,
    teacher: nn.Module | None,
    watch: DivergenceWatch,
    report: Callable[[int, int], None],
    penalty: Callable[[], Tensor] | None = None,
) -> float:
    """Steps once a batch; the mean loss, penalty included.

    Without a teacher the loss is cross-entropy alone; with one, hard_weight of it and soft_weight of
    `teaching_loss`.

    Args:
        epoch: from 0; with the settings' seed it decides order and augmentation.
        report: called now and then with the batches done and those that there are.
        penalty: what is added to each batch's loss.

    Raises:
        DivergedError: it diverges.
    """
    module.train()
    device = batches.train.images.device
    total, hard_total = torch.zeros((2,), device=device)
    count, looked = batches.batch_count(settings.batch_size), 0
    for number, (images, labels) in enumerate(
        batches.epoch(settings.seed, epoch, settings.batch_size), start=1
    ):
        with mixed_precision(settings.precision, device):
            logits = module(images)
            if teacher is not None:
                with torch.no_grad():
                    teacher_logits = teacher(images)
        logits = logits.float()
        hard = loss = functional.cross_entropy(logits, labels)
        if teacher is not None:
            soft = teaching_loss(logits, teacher_logits.float(), settings.temperature)
            loss = settings.hard_weight * hard + settings.soft_weight * soft
        if penalty is not None:
            loss = loss + penalty()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach()
        hard_total += hard.detach()
        if number % _LOOKED_EVERY == 0 or number == count:
            recent = float(mean_over_workers(hard_total)) / (number - looked)
            watch.look(recent, f"epoch {epoch + 1} by batch {number}")
            hard_total.zero_()
            looked = number
            report(number, count)
    return float(mean_over_workers(total)) / count


@torch.no_grad()
def evaluate(module: nn.Module, batches: Batches, split: DeviceSplit) -> tuple[float, float]:
    """Mean cross-entropy, and the share in percent of images whose largest logit is their class."""
    module.eval()
    device = split.images.device
    loss = torch.zeros((), device=device)
    right = torch.zeros((), dtype=torch.int64, device=device)
    for start in range(0, len(split), _EVALUATED_AT_ONCE):
        images = batches.normalized(split.images[start : start + _EVALUATED_AT_ONCE])
        labels = split.labels[start : start + _EVALUATED_AT_ONCE]
        logits = module(images)  # in float32 everywhere: it is what is exported
        loss += functional.cross_entropy(logits, labels, reduction="sum")
        right += (logits.argmax(dim=1) == labels).sum()
    return float(loss) / len(split), 100 * int(right) / len(split)


def mixed_precision(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 has float32's range, so gradients need no scaling."""
    enabled = precision == "bfloat16" or (
        precision == "auto"
        and device.type == "cuda"
        and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
