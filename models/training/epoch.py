"""One pass over the training images, and one evaluation of other images.

The trainer and SNL's linearization both consist of these two.
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
from .polynomial_training import limit_gradients
from .settings import TrainingSettings
from .workers import mean_over_workers

_LOOKED_EVERY = 16  # batches between checks of the loss; each check waits for the device
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
    before_batch: Callable[[float], object] = lambda done: None,
) -> float:
    """Trains `module` for one epoch, one step per batch, and returns the mean loss, penalty included.

    Without a teacher, the loss is the cross-entropy. With one, it is hard_weight times the cross-entropy plus
    soft_weight times `teaching_loss`.

    Args:
        epoch: the epoch, from 0; with the settings' seed it decides order and augmentation.
        report: called from time to time with the number of finished batches and of all batches.
        penalty: gives a term that is added to each batch's loss.
        before_batch: called before each batch with the number of epochs until then, such as 2.5 in the middle
            of the third one. A schedule that moves there is complete even if there is only one epoch.

    Raises:
        DivergedError: The training diverges.

    >>> from pathlib import Path
    >>> from pi_bench.models.data import load_data
    >>> cpu = torch.device("cpu")
    >>> batches = Batches(load_data("digits", (1, 8, 8), data_dir=Path("data")), 0.0, cpu)
    >>> module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    >>> common = {"teacher": None, "watch": DivergenceWatch(10, ""), "report": lambda done, count: None}
    >>> settings = TrainingSettings(epochs=2)
    >>> losses = [train_epoch(module, batches, n, settings, optimizer, **common) for n in (0, 1)]
    >>> losses[1] < losses[0]
    True
    """
    module.train()
    device = batches.train.images.device
    total, hard_total = torch.zeros((2,), device=device)
    count, looked = batches.batch_count(settings.batch_size), 0
    for number, (images, labels) in enumerate(
        batches.epoch(settings.seed, epoch, settings.batch_size), start=1
    ):
        before_batch(epoch + (number - 1) / count)
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
        limit_gradients(module, settings.gradient_limit)
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
    """Returns the mean cross-entropy on `split`, and the percentage of images that `module` classifies right.

    >>> from pathlib import Path
    >>> from pi_bench.models.data import load_data
    >>> batches = Batches(load_data("digits", (1, 8, 8), data_dir=Path("data")), 0.0, torch.device("cpu"))
    >>> module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> loss, accuracy_pct = evaluate(module.requires_grad_(False), batches, batches.test)
    >>> 0 <= accuracy_pct <= 100
    True
    """
    module.eval()
    device = split.images.device
    loss = torch.zeros((), device=device)
    right = torch.zeros((), dtype=torch.int64, device=device)
    for start in range(0, len(split), _EVALUATED_AT_ONCE):
        images = batches.normalized(split.images[start : start + _EVALUATED_AT_ONCE])
        labels = split.labels[start : start + _EVALUATED_AT_ONCE]
        logits = module(images)  # in float32 everywhere, as the exported network
        loss += functional.cross_entropy(logits, labels, reduction="sum")
        right += (logits.argmax(dim=1) == labels).sum()
    return float(loss) / len(split), 100 * int(right) / len(split)


def mixed_precision(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Returns the context of a forward pass in bfloat16, or one that does nothing.

    bfloat16 has the range of float32, so gradients need no scaling.

    Args:
        precision: "bfloat16", "float32", or "auto", which is bfloat16 on a GPU that has it.

    >>> with mixed_precision("bfloat16", torch.device("cpu")):
    ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
    torch.bfloat16
    """
    enabled = precision == "bfloat16" or (
        precision == "auto"
        and device.type == "cuda"
        and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
