"""The choice of SENet's masks for one budget, in a folder that a finetuning starts from.

The masks are random at first. After each epoch of training with distillation from the network with all its
ReLUs, each layer keeps the positions at which the maps of both networks differ most. The choice ends when the
masks settle.

checkpoint.pt    the state after the last epoch, to resume from
log.csv          one line per epoch: the part of the masks that changed, training loss
budget-B/        the network (`linearization.budget_files`), with the layers' budgets in budget.json
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pi_bench.progress import Progress, silent

from ..building import build
from ..data import Dataset
from ..linearization.budget_files import write_budget
from ..linearization.linearize import budget_folder, require_budgets
from ..linearization.masked_recipe import masked_recipe
from ..linearization.masks import mask_values
from ..networks.masked_relu import mask_relus, masked_relus
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..training.batches import Batches, DeviceSplit
from ..training.device_layout import move_to_device
from ..training.divergence import DivergenceWatch
from ..training.epoch import train_epoch
from ..training.epoch_time import EpochTime
from ..training.logs import EpochLog
from ..training.train_recipe import Teacher, digest_of, load_teacher, make_folder, repeatable, require_data
from ..training.trainer import copied_state, make_optimizer
from ..training.training_files import CHECKPOINT_FORMAT, check_same, load_checkpoint, save_tensors
from .differences import map_differences, most_different
from .sensitivity import layer_budgets, random_masks, relu_sensitivities
from .settings import SelectionSettings


def select_masks(
    base: Recipe,
    data: Dataset,
    settings: SelectionSettings,
    budget: int,
    folder: Path,
    *,
    teacher: Teacher,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> None:
    """Chooses masks of `base` that keep `budget` ReLUs, in `folder`, or resumes that.

    Args:
        base: the network with all its ReLUs.
        teacher: its trained weights, from which the choice starts.

    Raises:
        UsageError: The budget is impossible.
        ModelError: Weights or data are those of another network, or ReLUs cannot be masked.
        TrainingError: The training diverges, or the folder holds another choice.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.data import load_data
    >>> from pi_bench.models.training.train_recipe import for_data
    >>> data = load_data("digits", (3, 8, 8), data_dir=Path("data"))
    >>> recipe = for_data(load_recipe("resnet18-cifar100-557056"), "digits", 10, (3, 8, 8))
    >>> given = recipe, data, SelectionSettings(), 10**6, Path("selected")
    >>> try:
    ...     select_masks(*given, teacher=Teacher(recipe, Path("state.pt")))
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
        mask_relus(module, base.relu_shapes(), "pixel")
        sizes = {path: part.mask.numel() for path, part in masked_relus(module).items()}
        sensitivities = relu_sensitivities(base, full.state_dict(), settings.density)
        budgets = layer_budgets(sensitivities, sizes, budget)
        shapes = {path: tuple(part.mask.shape) for path, part in masked_relus(module).items()}
        set_masks(module, random_masks(budgets, shapes, settings.seed))
        move_to_device(module, device)
        batches = Batches(data, settings.validation_fraction, device)
        rows = _train_until_settled(module, full, batches, settings, budgets, folder, identity, progress)
        place = budget_folder(folder, budget)
        figures = {
            "budget": budget,
            "relu_count": budget,
            "epoch": len(rows),
            "changed": rows[-1]["changed"],
            "layers": {
                path: {"relu_count": budgets[path], "sensitivity": round(sensitivities[path], 6)}
                for path in sizes
            },
        }
        write_budget(place, masked_recipe(base, "pixel", budget, "senet"), module, figures)


@torch.no_grad()
def set_masks(module: nn.Module, masks: Mapping[str, np.ndarray]) -> None:
    """Sets the masks of `module`, in place.

    >>> from pi_bench.models.networks.masked_relu import TrainableMaskedReLU
    >>> module = nn.Sequential(TrainableMaskedReLU((2, 1, 1), "pixel"))
    >>> set_masks(module, {"0": np.array([True, False])})
    >>> module[0].mask.flatten().tolist()
    [1.0, 0.0]
    """
    for path, part in masked_relus(module).items():
        part.mask.copy_(torch.from_numpy(masks[path]).reshape(part.mask.shape))


def _train_until_settled(
    module: nn.Module,
    full: nn.Module,
    batches: Batches,
    settings: SelectionSettings,
    budgets: Mapping[str, int],
    folder: Path,
    identity: Mapping[str, object],
    progress: Progress,
) -> list[dict[str, float]]:
    """Trains until the masks settle, and returns the log."""
    optimizer, path = make_optimizer(module, settings.training), folder / "checkpoint.pt"
    generator = torch.Generator().manual_seed(settings.seed)
    chosen = torch.randperm(len(batches.train), generator=generator)[: settings.image_count]
    chosen = chosen.to(batches.train.labels.device)
    compared = DeviceSplit(batches.train.images[chosen], batches.train.labels[chosen])
    rows: list[dict[str, float]] = []
    watch = DivergenceWatch(batches.class_count, settings.advice_to_lower("learning_rate"))
    saved = load_checkpoint(path)
    if saved is not None:
        check_same(saved, identity, folder)
        module.load_state_dict(saved["module"])
        optimizer.load_state_dict(saved["optimizer"])
        rows, watch.bad_looks = saved["rows"], saved.get("bad_looks", 0)
    log = EpochLog(folder, rows)
    while len(rows) < settings.epoch_limit and not (rows and rows[-1]["changed"] <= settings.settled):
        begun, epoch = EpochTime(), len(rows)
        progress(f"choosing masks, epoch {epoch + 1}", epoch, settings.epoch_limit)
        loss = train_epoch(
            module,
            batches,
            epoch,
            settings.training,
            optimizer,
            teacher=full,
            watch=watch,
            report=lambda done, count: None,
        )
        before = mask_values(masked_relus(module))
        masks = most_different(map_differences(module, full, batches, compared), budgets)
        set_masks(module, masks)
        moved = sum(int((masks[site] != (before[site][0] > 0.5)).sum()) for site in masks)
        changed = moved / sum(mask.size for mask in masks.values())
        rows.append({"epoch": epoch + 1, "changed": changed, "train_loss": loss, **begun.spent()})
        content = {
            "module": copied_state(module),
            "optimizer": optimizer.state_dict(),
            "rows": rows,
            "bad_looks": watch.bad_looks,
        }
        save_tensors(path, {"format": CHECKPOINT_FORMAT, "identity": dict(identity), **content})
        log.add(rows)
    log.close()
    return rows
