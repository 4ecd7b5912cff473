"""The replacement of ReLUs by quadratics for one budget, in a folder that a finetuning starts from.

One Adam trains weights, quadratics and the values behind the indicators on cross-entropy, distillation from
the network with all its ReLUs, and a penalty on the density of ReLUs beyond the budget. In the end, the
pixels with the largest values keep their ReLUs, as many as the budget says.

checkpoint.pt    the state after the last epoch, to resume from
log.csv          one line per epoch: ReLUs, training loss, validation loss and accuracy
budget-B/        the network (`linearization.budget_files`)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pi_bench.progress import Progress, silent

from ..building import build
from ..data import Dataset
from ..linearization.budget_files import write_budget
from ..linearization.linearize import budget_folder, require_budgets
from ..linearization.masked_recipe import masked_recipe
from ..linearization.selection import largest
from ..networks.masked_relu import kept_relu_count
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..senet.selection import set_masks
from ..training.batches import Batches
from ..training.device_layout import move_to_device
from ..training.divergence import DivergenceWatch
from ..training.epoch import evaluate, train_epoch
from ..training.epoch_time import EpochTime
from ..training.logs import EpochLog
from ..training.penalties import penalties
from ..training.polynomial_training import start_polynomials
from ..training.train_recipe import Teacher, digest_of, load_teacher, make_folder, repeatable, require_data
from ..training.trainer import copied_state
from ..training.training_files import CHECKPOINT_FORMAT, check_same, load_checkpoint, save_tensors
from .estimation import estimate_quadratics, plain_state
from .indicator import density_penalty, indicated, place_indicators
from .settings import ReplacementSettings


def replaced_recipe(base: Recipe, count: int) -> Recipe:
    """Returns `base` with `count` ReLUs and with quadratics at all other pixels.

    >>> from pi_bench.models import load_recipe
    >>> recipe = replaced_recipe(load_recipe("resnet18-cifar100-557056"), 15000)
    >>> recipe.name, recipe.polynomial_count
    ('resnet18-cifar100-autorep-15000', 542056)
    """
    masked = masked_recipe(base, "pixel", count, "autorep")
    return dataclasses.replace(masked, polynomials=("*",), polynomial_degree=2)


def replace_relus(
    base: Recipe,
    data: Dataset,
    settings: ReplacementSettings,
    budget: int,
    folder: Path,
    *,
    teacher: Teacher,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> None:
    """Replaces all but `budget` ReLUs of `base` by quadratics, in `folder`, or resumes that.

    Args:
        base: the network with all its ReLUs.
        teacher: its trained weights, from which the replacement starts.

    Raises:
        UsageError: The budget is impossible.
        ModelError: Weights or data are those of another network, or a ReLU cannot be replaced.
        TrainingError: The training diverges, or the folder holds another replacement.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.data import load_data
    >>> from pi_bench.models.training.train_recipe import for_data
    >>> data = load_data("digits", (3, 8, 8), data_dir=Path("data"))
    >>> recipe = for_data(load_recipe("resnet18-cifar100-557056"), "digits", 10, (3, 8, 8))
    >>> given = recipe, data, ReplacementSettings(), 10**6, Path("replaced")
    >>> try:
    ...     replace_relus(*given, teacher=Teacher(recipe, Path("state.pt")))
    ... except PiBenchError as error:
    ...     print(error)
    --budget 1000000: resnet18-digits-34816 has 34,816 ReLUs, a budget must be below that
    """
    require_data(base, data)
    require_budgets(base, "pixel", [budget])
    device = torch.device(device)
    identity = {
        "recipe": format_recipe(base),
        "data": data.name,
        "budget": budget,
        "teacher": digest_of(teacher.weights),
        **settings.as_dict(),
    }
    make_folder(folder)
    with repeatable(settings.seed):
        full = load_teacher(teacher, base, device)
        module = build(base)
        module.load_state_dict({name: value.cpu() for name, value in full.state_dict().items()})
        place_indicators(module, base.relu_shapes(), settings.hysteresis)
        if settings.is_corrected:
            start_polynomials(module)
        else:
            estimate_quadratics(module, settings.square_factor)
        move_to_device(module, device)
        batches = Batches(data, settings.validation_fraction, device)
        run = _Replacement(module, batches, settings, budget, folder, identity)
        while len(run.rows) < settings.epochs:
            run.train_epoch(full, progress)
        run.log.close()
        left = kept_relu_count(module)
        keep_largest(module, budget)
        figures = {
            "budget": budget,
            "relu_count": budget,
            "relu_count_before": left,
            "epoch": len(run.rows),
            "validation_accuracy_before_pct": run.rows[-1].get("validation_accuracy_pct"),
        }
        place, recipe = budget_folder(folder, budget), replaced_recipe(base, budget)
        fixed = build(recipe)
        fixed.load_state_dict({name: value.cpu() for name, value in plain_state(module).items()})
        write_budget(place, recipe, fixed, figures)


def keep_largest(module: nn.Module, budget: int) -> None:
    """Sets the masks of `module` in place: the `budget` pixels with the largest values keep their ReLUs.

    >>> from pi_bench.models.autorep.indicator import IndicatedPolynomial
    >>> module = nn.Sequential(IndicatedPolynomial((3, 1, 1), 0.003))
    >>> module[0].values.data[0, :, 0, 0] = torch.tensor([0.2, -0.9, 0.5])
    >>> keep_largest(module, 1)
    >>> module[0].mask.flatten().tolist()
    [0.0, 0.0, 1.0]
    """
    parts = indicated(module)
    values = {path: part.values.detach().cpu().contiguous().numpy() for path, part in parts.items()}
    costs = dict.fromkeys(values, 1)
    set_masks(module, largest(values, costs, budget, threshold=float("-inf")))


class _Replacement:
    """Holds the state of a replacement between two epochs, which is that of the checkpoint."""

    def __init__(
        self,
        module: nn.Module,
        batches: Batches,
        settings: ReplacementSettings,
        budget: int,
        folder: Path,
        identity: Mapping[str, Any],
    ) -> None:
        self._module, self._batches, self._settings = module, batches, settings
        self._identity, self._path = identity, folder / "checkpoint.pt"
        self._budget, self._parts = budget, indicated(module)
        behind = [part.values for part in self._parts.values()]
        chosen = {id(value) for value in behind}
        others = [p for p in module.parameters() if p.requires_grad and id(p) not in chosen]
        self._optimizer = torch.optim.Adam([{"params": others}, {"params": behind}])
        self._rates = (settings.learning_rate, settings.indicator_learning_rate)
        self.rows: list[dict[str, float]] = []
        self._watch = DivergenceWatch(batches.class_count, settings.advice_to_lower("learning_rate"))
        saved = load_checkpoint(self._path)
        if saved is not None:
            check_same(saved, identity, folder)
            module.load_state_dict(saved["module"])
            self._optimizer.load_state_dict(saved["optimizer"])
            self.rows, self._watch.bad_looks = saved["rows"], saved.get("bad_looks", 0)
        self.log = EpochLog(folder, self.rows)

    def train_epoch(self, teacher: nn.Module, progress: Progress) -> None:
        """Trains one epoch and writes the checkpoint."""
        begun, epoch, settings = EpochTime(), len(self.rows), self._settings
        left = int(self.rows[-1]["relu_count"]) if self.rows else kept_relu_count(self._module)
        progress(
            f"replacing ReLUs, epoch {epoch + 1}: {left:,}, down to {self._budget:,}", epoch, settings.epochs
        )
        fraction = settings.training.learning_rate_at(epoch) / settings.learning_rate
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * fraction
        density = partial(
            density_penalty,
            self._parts,
            settings.density_weight,
            self._budget,
            both_ways=settings.is_corrected,
        )
        with penalties(self._module, None, settings.training) as ranges:

            def penalty() -> Tensor:
                return density() if ranges is None else density() + ranges()

            loss = train_epoch(
                self._module,
                self._batches,
                epoch,
                settings.training,
                self._optimizer,
                teacher=teacher,
                watch=self._watch,
                report=lambda done, count: None,
                penalty=penalty,
            )
        row = {"epoch": epoch + 1, "relu_count": kept_relu_count(self._module), "train_loss": loss}
        if len(self._batches.validation):
            validation_loss, accuracy = evaluate(self._module, self._batches, self._batches.validation)
            row |= {"validation_loss": validation_loss, "validation_accuracy_pct": accuracy}
        self.rows.append(row | begun.spent())
        save_tensors(
            self._path,
            {
                "format": CHECKPOINT_FORMAT,
                "identity": dict(self._identity),
                "module": copied_state(self._module),
                "optimizer": self._optimizer.state_dict(),
                "rows": self.rows,
                "bad_looks": self._watch.bad_looks,
            },
        )
        self.log.add(self.rows)
