"""The training of masks and weights together, down to the smallest budget (Algorithm 1, lines 1 to 10).

The course of a linearization does not depend on the budget; only its end does. One linearization therefore
serves several budgets. Each gets the weights and masks with which a linearization to it alone would end.
"""

from __future__ import annotations

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
from ..training.device_layout import move_to_device
from ..training.divergence import DivergenceWatch
from ..training.epoch import evaluate, train_epoch
from ..training.epoch_time import EpochTime
from ..training.logs import EpochLog
from ..training.trainer import copied_state, make_optimizer
from ..training.training_files import CHECKPOINT_FORMAT, check_same, load_checkpoint, save_tensors
from .masks import lasso_penalty, relu_count
from .schedule import LassoSchedule
from .settings import LinearizationSettings


@dataclass(frozen=True, slots=True)
class BudgetResult:
    """The end of the linearization to one budget.

    Attributes:
        budget: the number of ReLUs to keep.
        epoch: the last epoch above the budget, from 1; 0 is the trained network itself.
        relu_count: the ReLUs that this epoch left.
        state: its weights and real masks.

    >>> BudgetResult(budget=100, epoch=7, relu_count=112, state={}).relu_count
    112
    """

    budget: int
    epoch: int
    relu_count: int
    state: Mapping[str, Tensor]


def linearize_masks(
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
    on_result: Callable[[BudgetResult], None],
    tensorboard: bool = False,
) -> None:
    """Linearizes `module`, a trained network whose masks are all 1, in place.

    It starts from the checkpoint in `folder` if there is one. `checkpoint.pt` and `log.csv` are written there
    after each epoch.

    Args:
        budgets: numbers of ReLUs, each at least 1 and below that of `module`.
        teacher: the network to distill from.
        identity: further values that tell this linearization from others.
        on_result: gets the result of each budget as soon as it is known, and perhaps again after a kill.

    Raises:
        TrainingError: The linearization diverges, does not reach a budget within the limit of epochs, went
            below a new budget in an earlier run, or cannot write a file.

    >>> import tempfile
    >>> from pi_bench.models.data import load_data
    >>> from pi_bench.models.networks.masked_relu import TrainableMaskedReLU
    >>> from pi_bench.progress import silent
    >>> cpu = torch.device("cpu")
    >>> batches = Batches(load_data("digits", (1, 8, 8), data_dir=Path("data")), 0.1, cpu)
    >>> module = nn.Sequential(nn.Flatten(), TrainableMaskedReLU((64,), "pixel"), nn.Linear(64, 10))
    >>> options = {"teacher": nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "identity": {}, "device": cpu}
    >>> settings = LinearizationSettings(learning_rate=0.1, lasso=1.0)
    >>> results = []
    >>> with tempfile.TemporaryDirectory() as name:
    ...     given = module, batches, settings, [20], Path(name)
    ...     linearize_masks(*given, progress=silent, on_result=results.append, **options)
    >>> [result.budget for result in results]
    [20]
    """
    move_to_device(module, device)
    run = _Run(module, batches, settings, budgets, folder, {**identity, **settings.as_dict()}, tensorboard)
    while run.waiting:
        run.require_an_epoch_left()
        report = _reporter(progress, len(run.rows), run.full_count, run.left, run.waiting)
        run.train_epoch(teacher, report, on_result)
    run.log.close()


class _Run:
    """Holds the state of a linearization between two epochs, which is that of the checkpoint."""

    def __init__(
        self,
        module: nn.Module,
        batches: Batches,
        settings: LinearizationSettings,
        budgets: Sequence[int],
        folder: Path,
        identity: Mapping[str, Any],
        tensorboard: bool,
    ) -> None:
        self._module, self._batches, self._settings = module, batches, settings
        self._identity, self._path = identity, folder / "checkpoint.pt"
        self._relus = masked_relus(module)
        for part in self._relus.values():
            part.mask.requires_grad_(True)
        self._optimizer = make_optimizer(module, settings.training)
        self.full_count = relu_count(self._relus, settings.threshold)
        self._schedule = LassoSchedule(settings.lasso, settings.lasso_growth, self.full_count)
        self.rows: list[dict[str, float]] = []
        self._reached: list[int] = []
        self._watch = DivergenceWatch(batches.class_count, settings.advice_to_lower("learning_rate"))
        self._resume(folder)
        self.waiting = sorted(set(budgets) - set(self._reached), reverse=True)
        lowest = self._schedule.lowest_count
        if self.rows and self.waiting and self.waiting[0] >= lowest:
            raise TrainingError(
                f"{folder} holds a linearization that has gone down to {lowest:,} ReLUs and did not stop at "
                f"{self.waiting[0]:,}: choose another --output folder for that budget"
            )
        self.log = EpochLog(folder, self.rows, tensorboard=tensorboard)

    @property
    def left(self) -> int:
        """The number of ReLUs that the last epoch left."""
        return int(self.rows[-1]["relu_count"]) if self.rows else self.full_count

    def require_an_epoch_left(self) -> None:
        if len(self.rows) == self._settings.epoch_limit:
            raise TrainingError(
                f"{len(self.rows)} epochs left {self.left:,} ReLUs, more than the budget of "
                f"{self.waiting[0]:,}: raise --lasso above {self._settings.lasso:g}, or --epoch-limit"
            )

    def train_epoch(
        self,
        teacher: nn.Module,
        report: Callable[[int, int], None],
        on_result: Callable[[BudgetResult], None],
    ) -> None:
        """Trains one epoch, gives the budgets that it reached to `on_result`, and writes the checkpoint."""
        begun, before, left = EpochTime(), copied_state(self._module), self.left
        count = self._next_row(teacher, report, begun)
        after = copied_state(self._module)
        epoch = len(self.rows)
        while self.waiting and count <= self.waiting[0]:
            budget = self.waiting.pop(0)
            # Before the first epoch all masks are 1, and none of them is larger than another.
            if count < budget and epoch > 1:
                on_result(BudgetResult(budget, epoch - 1, left, before))
            else:
                on_result(BudgetResult(budget, epoch, count, after))
            self._reached.append(budget)
        self._save(after)
        self.log.add(self.rows)

    def _next_row(self, teacher: nn.Module, report: Callable[[int, int], None], begun: EpochTime) -> int:
        """Trains one epoch, adds its row to the log, and returns the number of ReLUs that it left."""
        batches, coefficient = self._batches, self._schedule.coefficient
        loss = train_epoch(
            self._module,
            batches,
            len(self.rows),
            self._settings.training,
            self._optimizer,
            teacher=teacher,
            watch=self._watch,
            report=report,
            penalty=partial(lasso_penalty, self._relus, coefficient),
        )
        count = relu_count(self._relus, self._settings.threshold)
        row = {"epoch": len(self.rows) + 1, "lasso": coefficient, "relu_count": count, "train_loss": loss}
        if len(batches.validation):
            validation_loss, accuracy = evaluate(self._module, batches, batches.validation)
            row |= {"validation_loss": validation_loss, "validation_accuracy_pct": accuracy}
        self.rows.append(row | begun.spent())
        self._schedule = self._schedule.after(count)
        return count

    def _resume(self, folder: Path) -> None:
        saved = load_checkpoint(self._path)
        if saved is None:
            return
        check_same(saved, self._identity, folder)
        if "reached" not in saved:
            raise TrainingError(
                f"{self._path} is of an earlier version of pi-bench: choose another --output folder"
            )
        self._module.load_state_dict(saved["module"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._schedule = LassoSchedule(**saved["schedule"])
        self.rows, self._reached = saved["rows"], saved["reached"]
        self._watch.bad_looks = saved.get("bad_looks", 0)

    def _save(self, state: Mapping[str, Tensor]) -> None:
        save_tensors(
            self._path,
            {
                "format": CHECKPOINT_FORMAT,
                "identity": dict(self._identity),
                "module": state,
                "optimizer": self._optimizer.state_dict(),
                "schedule": asdict(self._schedule),
                "reached": self._reached,
                "rows": self.rows,
                "bad_looks": self._watch.bad_looks,
            },
        )


def _reporter(
    progress: Progress, epoch: int, full_count: int, left: int, waiting: Sequence[int]
) -> Callable[[int, int], None]:
    what = f"linearizing, epoch {epoch + 1}: {left:,} ReLUs, down to {waiting[-1]:,}"
    return lambda done, count: progress(what, full_count - left, full_count - waiting[-1])
