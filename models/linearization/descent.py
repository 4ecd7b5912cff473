"""The training of masks and weights together, down to the smallest budget (Algorithm 1, lines 1 to 10).

The course of a descent does not depend on the budget; only its end does. One descent therefore serves several
budgets. Each gets the weights and masks with which a descent to it alone would end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pi_bench.errors import TrainingError
from pi_bench.progress import Progress

from ..networks.masked_relu import masked_relus
from ..training.batches import Batches
from ..training.divergence import DivergenceWatch
from ..training.epoch import evaluate, train_epoch
from ..training.files import CHECKPOINT_FORMAT, check_same, load_checkpoint, save_tensors
from ..training.logs import EpochLog
from ..training.trainer import copied_state, make_optimizer
from .masks import lasso_penalty, relu_count
from .schedule import LassoSchedule
from .settings import LinearizationSettings


@dataclass(frozen=True, slots=True)
class Landing:
    """The end of the descent to one budget.

    Attributes:
        budget: the number of ReLUs to keep.
        epoch: the last epoch above the budget, from 1; 0 is the trained network itself.
        relu_count: the ReLUs that this epoch left.
        state: its weights and real masks.

    >>> Landing(budget=100, epoch=7, relu_count=112, state={}).relu_count
    112
    """

    budget: int
    epoch: int
    relu_count: int
    state: Mapping[str, Tensor]


def descend(
    module: nn.Module,
    batches: Batches,
    settings: LinearizationSettings,
    budgets: Sequence[int],
    folder: Path,
    *,
    teacher: nn.Module,
    identity: Mapping[str, Any],
    device: torch.device,
    progress: Progress,
    landed: Callable[[Landing], None],
    tensorboard: bool = False,
) -> None:
    """Linearizes `module`, a trained network whose masks are all 1, in place.

    The descent starts from the checkpoint in `folder` if there is one. `checkpoint.pt` and `log.csv` are
    written there after each epoch.

    Args:
        budgets: numbers of ReLUs, each at least 1 and below that of `module`.
        teacher: the network to distill from.
        identity: further values that tell this descent from others.
        landed: hears of each budget's landing as soon as it is known, and perhaps again after a kill.

    Raises:
        TrainingError: The descent diverges, does not reach a budget within the limit of epochs, went below a
            new budget in an earlier run, or cannot write a file.

    >>> import tempfile
    >>> from pi_bench.models.data import load_data
    >>> from pi_bench.models.networks.masked_relu import MaskedRelu
    >>> from pi_bench.progress import silent
    >>> cpu = torch.device("cpu")
    >>> batches = Batches(load_data("digits", (1, 8, 8), data_dir=Path("data")), 0.1, cpu)
    >>> module = nn.Sequential(nn.Flatten(), MaskedRelu((64,), "pixel"), nn.Linear(64, 10))
    >>> options = {"teacher": nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "identity": {}, "device": cpu}
    >>> settings = LinearizationSettings(learning_rate=0.1, lasso=1.0)
    >>> landings = []
    >>> with tempfile.TemporaryDirectory() as name:
    ...     given = module, batches, settings, [20], Path(name)
    ...     descend(*given, progress=silent, landed=landings.append, **options)
    >>> [landing.budget for landing in landings]
    [20]
    """
    module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    relus = masked_relus(module)
    for part in relus.values():
        part.mask.requires_grad_(True)
    optimizer = make_optimizer(module, settings.training)
    full_count = relu_count(relus, settings.threshold)
    schedule = LassoSchedule(settings.lasso, settings.lasso_growth, full_count)
    rows: list[dict[str, float]] = []
    landings: list[int] = []
    path = folder / "checkpoint.pt"
    saved = load_checkpoint(path)
    if saved is not None:
        check_same(saved, {**identity, **settings.as_dict()}, folder)
        module.load_state_dict(saved["module"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule = LassoSchedule(**saved["schedule"])
        rows, landings = saved["rows"], saved["landings"]
    waiting = sorted(set(budgets) - set(landings), reverse=True)
    if rows and waiting and waiting[0] >= schedule.lowest_count:
        raise TrainingError(
            f"{folder} holds a linearization that has gone down to {schedule.lowest_count:,} ReLUs and did "
            f"not stop at {waiting[0]:,}: choose another --output folder for that budget"
        )
    log = EpochLog(folder, rows, tensorboard=tensorboard)
    watch = DivergenceWatch(batches.class_count, settings.learning_rate)

    while waiting:
        epoch, begun = len(rows), time.monotonic()
        if epoch == settings.epoch_limit:
            raise TrainingError(
                f"{epoch} epochs left {int(rows[-1]['relu_count']):,} ReLUs, more than the budget of "
                f"{waiting[0]:,}: raise --lasso above {settings.lasso:g}, or --epoch-limit"
            )
        before = copied_state(module)
        left = int(rows[-1]["relu_count"]) if rows else full_count
        loss = train_epoch(
            module,
            batches,
            epoch,
            settings.training,
            optimizer,
            teacher=teacher,
            watch=watch,
            report=_reporter(progress, epoch, full_count, left, waiting),
            penalty=partial(lasso_penalty, relus, schedule.coefficient),
        )
        count = relu_count(relus, settings.threshold)
        row = {"epoch": epoch + 1, "lasso": schedule.coefficient, "relu_count": count, "train_loss": loss}
        if len(batches.validation):
            validation_loss, accuracy = evaluate(module, batches, batches.validation)
            row |= {"validation_loss": validation_loss, "validation_accuracy_pct": accuracy}
        rows.append({**row, "seconds": round(time.monotonic() - begun, 3)})
        schedule = schedule.after(count)
        after = copied_state(module)
        while waiting and count <= waiting[0]:
            # Before the first epoch all masks are 1, and none of them is larger than another.
            budget = waiting.pop(0)
            if count < budget and epoch > 0:
                landed(Landing(budget, epoch, left, before))
            else:
                landed(Landing(budget, epoch + 1, count, after))
            landings.append(budget)
        save_tensors(
            path,
            {
                "format": CHECKPOINT_FORMAT,
                "identity": {**identity, **settings.as_dict()},
                "module": after,
                "optimizer": optimizer.state_dict(),
                "schedule": asdict(schedule),
                "landings": landings,
                "rows": rows,
            },
        )
        log.add(rows)
    log.close()


def _reporter(
    progress: Progress, epoch: int, full_count: int, left: int, waiting: Sequence[int]
) -> Callable[[int, int], None]:
    what = f"linearizing, epoch {epoch + 1}: {left:,} ReLUs, down to {waiting[-1]:,}"
    return lambda done, count: progress(what, full_count - left, full_count - waiting[-1])
