"""Coordinate descent on binary masks, from a linearized network to smaller budgets (after arXiv 2511.11781).

The network is trained once before the first step, because its weights are those of masks between 0 and 1. A
step tries random blocks of ReLUs to remove. It takes the first block that costs little training accuracy, or
else the best of all tries, and then trains the weights. Each budget is met exactly, because a step never goes
below the next one.

checkpoint.pt    the state after the last step, to resume from
log.csv          one line per step: ReLUs, tries, accuracy before and after, loss; step 0 removes no ReLU
budget-B/        the network at each budget (`budget_files`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pi_bench.errors import TrainingError
from pi_bench.progress import Progress, silent

from ..building import build
from ..data import Dataset
from ..networks.masked_relu import kept_relu_count, masked_relus
from ..recipe import Recipe
from ..recipe_export import load_state, require_masks
from ..recipe_writing import format_recipe
from ..training.batches import Batches, DeviceSplit
from ..training.device_layout import move_to_device
from ..training.divergence import DivergenceWatch
from ..training.epoch import evaluate, train_epoch
from ..training.epoch_time import EpochTime
from ..training.logs import EpochLog
from ..training.train_recipe import Teacher, digest_of, load_teacher, make_folder, repeatable, require_data
from ..training.trainer import copied_state, make_optimizer
from ..training.training_files import CHECKPOINT_FORMAT, check_same, load_checkpoint, save_tensors
from .budget_files import write_budget
from .descent_settings import DescentSettings
from .linearize import budget_folder, require_budgets
from .masked_recipe import masked_recipe
from .masks import mask_values


def descend(
    base: Recipe,
    start: Path,
    start_count: int,
    data: Dataset,
    settings: DescentSettings,
    budgets: Sequence[int],
    folder: Path,
    *,
    teacher: Teacher,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> None:
    """Removes ReLUs of a masked network down to each budget, in `folder`, or resumes that.

    Args:
        base: the network with all its ReLUs.
        start: the path of weights of `base` with binary masks that keep `start_count` ReLUs.
        teacher: the network to distill from.

    Raises:
        UsageError: A budget is not below `start_count`.
        ModelError: Weights or data are those of another network.
        TrainingError: The training diverges, or an earlier run went below a new budget.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.data import load_data
    >>> from pi_bench.models.training.train_recipe import for_data
    >>> data = load_data("digits", (3, 8, 8), data_dir=Path("data"))
    >>> recipe = for_data(load_recipe("resnet18-cifar100-557056"), "digits", 10, (3, 8, 8))
    >>> teacher, given = Teacher(recipe, Path("state.pt")), (DescentSettings(), [60], Path("descent"))
    >>> try:
    ...     descend(recipe, Path("start.pt"), 50, data, *given, teacher=teacher)
    ... except PiBenchError as error:
    ...     print(error)
    --budget 60: resnet18-digits-snl-50 has 50 ReLUs, a budget must be below that
    """
    recipe = masked_recipe(base, "pixel", start_count)
    require_data(recipe, data)
    require_budgets(recipe, "pixel", budgets)
    device = torch.device(device)
    identity = {
        "recipe": format_recipe(recipe),
        "data": data.name,
        "start": digest_of(start),
        "teacher": digest_of(teacher.weights),
        **settings.as_dict(),
    }
    make_folder(folder)
    with repeatable(settings.seed):
        module = build(recipe)
        load_state(module, start)
        require_masks(module, recipe)
        move_to_device(module, device)
        run = _Descent(
            module, Batches(data, settings.validation_fraction, device), settings, folder, identity
        )
        taught_by = load_teacher(teacher, recipe, device)
        if not run.rows:
            run.train_start(taught_by, progress)
        for budget in sorted(set(budgets), reverse=True):
            while run.left > budget:
                run.step(budget, taught_by, progress, start_count)
            place = budget_folder(folder, budget)
            if run.left == budget:  # again after a kill, with the same content
                figures = {"budget": budget, "relu_count": budget, "step": run.rows[-1]["step"]}
                write_budget(place, masked_recipe(base, "pixel", budget, "bcd"), module, figures)
            elif not (place / "budget.json").is_file():
                raise TrainingError(
                    f"{folder} holds a descent that has gone down to {run.left:,} ReLUs and did not stop at "
                    f"{budget:,}: choose another --output folder for that budget"
                )
    run.log.close()


class _Descent:
    """Holds the state of a descent between two steps, which is that of the checkpoint."""

    def __init__(
        self,
        module: nn.Module,
        batches: Batches,
        settings: DescentSettings,
        folder: Path,
        identity: Mapping[str, Any],
    ) -> None:
        self._module, self._batches, self._settings = module, batches, settings
        self._identity, self._path = identity, folder / "checkpoint.pt"
        self._relus = masked_relus(module)
        generator = torch.Generator().manual_seed(settings.seed)
        chosen = torch.randperm(len(batches.train), generator=generator)[: settings.image_count]
        chosen = chosen.to(batches.train.labels.device)
        self._judges = DeviceSplit(batches.train.images[chosen], batches.train.labels[chosen])
        self.rows: list[dict[str, float]] = []
        self._watch = DivergenceWatch(batches.class_count, settings.advice_to_lower("learning_rate"))
        saved = load_checkpoint(self._path)
        if saved is not None:
            check_same(saved, identity, folder)
            module.load_state_dict(saved["module"])
            self.rows, self._watch.bad_looks = saved["rows"], saved.get("bad_looks", 0)
        self.log = EpochLog(folder, self.rows)

    @property
    def left(self) -> int:
        """The number of ReLUs that the masks keep."""
        return kept_relu_count(self._module)

    def train_start(self, teacher: nn.Module, progress: Progress) -> None:
        """Trains the start and writes the checkpoint.

        Without this, the first block would be chosen by a network that answers hardly better than chance.
        """
        begun = EpochTime()
        progress(f"descending: training the start, {self.left:,} ReLUs", 0, 1)
        accuracy = self._accuracy()
        row = {"relu_count": self.left, "tries": 0, "accuracy_before_pct": accuracy}
        self._train({**row, "accuracy_after_pct": accuracy}, teacher, begun)

    def step(self, budget: int, teacher: nn.Module, progress: Progress, start_count: int) -> None:
        """Removes one block of ReLUs, trains, and writes the checkpoint. Does not go below `budget`."""
        begun, left = EpochTime(), self.left
        progress(f"descending: {left:,} ReLUs, down to {budget:,}", start_count - left, start_count - budget)
        size = self._settings.removed(left, budget)
        self._train({"relu_count": left - size, **self._remove(size)}, teacher, begun)

    def _train(self, row: Mapping[str, float], teacher: nn.Module, begun: EpochTime) -> None:
        """Trains, and writes the checkpoint and the line of a step that began at `begun`."""
        loss = self._trained_loss(teacher)
        step = {"step": len(self.rows), **row, "train_loss": loss}
        self.rows.append(step | begun.spent())
        content = {
            "identity": dict(self._identity),
            "module": copied_state(self._module),
            "rows": self.rows,
            "bad_looks": self._watch.bad_looks,
        }
        save_tensors(self._path, {"format": CHECKPOINT_FORMAT, **content})
        self.log.add(self.rows)

    def _remove(self, size: int) -> dict[str, float]:
        """Removes the first block that costs little accuracy, or else the best one of all tries."""
        masks = np.concatenate([np.ravel(mask) for mask in mask_values(self._relus).values()])
        active = np.flatnonzero(masks > 0.5)
        before, best, best_accuracy, tried = self._accuracy(), masks, -1.0, 0
        for number in range(self._settings.tries):
            seed = np.random.SeedSequence([self._settings.seed, len(self.rows), number])
            block = np.random.Generator(np.random.PCG64(seed)).choice(active, size, replace=False)
            changed = masks.copy()
            changed[block] = 0
            self._set(changed)
            accuracy, tried = self._accuracy(), number + 1
            if accuracy > best_accuracy:
                best, best_accuracy = changed, accuracy
            if before - accuracy <= self._settings.tolerance_pct:
                break
        self._set(best)
        return {"tries": tried, "accuracy_before_pct": before, "accuracy_after_pct": best_accuracy}

    def _accuracy(self) -> float:
        """Returns the accuracy on the fixed part of the training images."""
        return evaluate(self._module, self._batches, self._judges)[1]

    @torch.no_grad()
    def _set(self, values: np.ndarray) -> None:
        start = 0
        for part in self._relus.values():
            end = start + part.mask.numel()
            part.mask.copy_(torch.from_numpy(values[start:end]).reshape(part.mask.shape))
            start = end

    def _trained_loss(self, teacher: nn.Module) -> float:
        """Trains the epochs between two steps, with a new optimizer. Returns the loss of the last one."""
        training, loss = self._settings.training, 0.0
        optimizer = make_optimizer(self._module, training)
        for number in range(self._settings.step_epochs):
            loss = train_epoch(
                self._module,
                self._batches,
                len(self.rows) * self._settings.step_epochs + number,
                training,
                optimizer,
                teacher=teacher,
                watch=self._watch,
                report=lambda done, count: None,
            )
        return loss
