"""The training of one member of a population for one generation.

A member continues from its own state after the last generation, or from a copy of another member's state.
Its learning rate and momentum are those of the generation. ReLUs give way over all generations, as in
DELPHI's public code.

checkpoint.pt    the state after the last epoch, to resume from
log.csv          one line per epoch
member.pt        the state after the generation, from which the next generation continues
start.pt         the weights alone (a state_dict)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from pi_bench.errors import TrainingError
from pi_bench.progress import Progress, silent

from ..building import build
from ..data import Dataset
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..training.batches import Batches
from ..training.device_layout import move_to_device
from ..training.divergence import DivergenceWatch
from ..training.epoch import evaluate, train_epoch
from ..training.epoch_time import EpochTime
from ..training.logs import EpochLog
from ..training.penalties import penalties
from ..training.polynomial_training import set_relu_part, start_polynomials
from ..training.settings import TrainingSettings
from ..training.train_recipe import Teacher, digest_of, load_teacher, make_folder, repeatable, require_data
from ..training.trainer import copied_state, make_optimizer
from ..training.training_files import (
    CHECKPOINT_FORMAT,
    START_FILE,
    check_same,
    load_checkpoint,
    save_tensors,
)

MEMBER_FILE = "member.pt"


def train_member(
    recipe: Recipe,
    data: Dataset,
    settings: TrainingSettings,
    epochs: tuple[int, int],
    folder: Path,
    *,
    start: Path | None,
    lineage: list[Any],
    teacher: Teacher,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Trains a member of a population for one generation in `folder`, or resumes that.

    Args:
        recipe: the network of the member, a plan.
        settings: the settings of a training over all generations, with the member's learning rate and
            momentum.
        epochs: the first epoch of the generation, from 0, and the first one of the next generation.
        start: the path of a member's state after the generation before. With None, the member starts from the
            teacher's weights.
        lineage: JSON values that tell the generations before this one from others.
        teacher: the network to distill from.

    Returns:
        ``validation_accuracy_pct``, None without validation images, and ``test_accuracy_pct``.

    Raises:
        ModelError: Weights or data are those of another network.
        TrainingError: The training diverges, or the folder holds another one.
        OutputError: A file cannot be written.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.data import load_data
    >>> from pi_bench.models.training.train_recipe import for_data
    >>> data = load_data("digits", (3, 8, 8), data_dir=Path("data"))
    >>> full = narrowed(load_recipe("resnet18-cifar100-557056"), 0.0625)
    >>> recipe = for_data(full, "digits", 10, (3, 8, 8))
    >>> with tempfile.TemporaryDirectory() as name:
    ...     weights = Path(name, "state.pt")
    ...     torch.save(build(recipe).state_dict(), weights)
    ...     given = recipe, data, TrainingSettings(epochs=2, batch_size=512), (0, 1), Path(name)
    ...     found = train_member(*given, start=None, lineage=[], teacher=Teacher(recipe, weights))
    >>> 0 <= found["test_accuracy_pct"] <= 100
    True
    """
    require_data(recipe, data)
    device = torch.device(device)
    identity = {
        "recipe": format_recipe(recipe),
        "data": data.name,
        "epochs": list(epochs),
        "lineage": lineage,
        "teacher": digest_of(teacher.weights),
        **settings.as_dict(),
    }
    make_folder(folder)
    with repeatable(settings.seed):
        full, module = load_teacher(teacher, recipe, device), build(recipe)
        if start is None:
            module.load_state_dict(full.state_dict(), strict=False)  # which has no polynomials
            start_polynomials(module)
        move_to_device(module, device)
        optimizer = make_optimizer(module, settings)
        rows, bad_looks = _continued(module, optimizer, folder, start, identity)
        for group in optimizer.param_groups:  # those of this generation, not of the copied state
            group.update(lr=settings.learning_rate, momentum=settings.momentum)
        batches = Batches(data, settings.validation_fraction, device)
        log = EpochLog(folder, rows)
        watch = DivergenceWatch(batches.class_count, settings.advice("--finetune-learning-rate"), bad_looks)
        with penalties(module, full, settings) as penalty:
            for epoch in range(epochs[0] + len(rows), epochs[1]):
                begun = EpochTime()
                progress(f"epoch {epoch + 1}", len(rows), epochs[1] - epochs[0])
                loss = train_epoch(
                    module,
                    batches,
                    epoch,
                    settings,
                    optimizer,
                    teacher=full,
                    watch=watch,
                    report=lambda done, count: None,
                    penalty=penalty,
                    before_batch=lambda done: set_relu_part(module, settings.relu_part_at(done)),
                )
                relu_part = set_relu_part(module, settings.relu_part_at(epoch + 1))
                row = {"epoch": epoch + 1, "relu_part": relu_part, "train_loss": loss}
                rows.append(row | begun.spent())
                _save(folder / "checkpoint.pt", identity, module, optimizer, rows, watch.bad_looks)
                log.add(rows)
        log.close()
        accuracies = {
            f"{split}_accuracy_pct": evaluate(module, batches, getattr(batches, split))[1]
            if len(getattr(batches, split))
            else None
            for split in ("validation", "test")
        }
    _save(folder / MEMBER_FILE, {}, module, optimizer, [])
    save_tensors(folder / START_FILE, copied_state(module))
    return accuracies


def _continued(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    folder: Path,
    start: Path | None,
    identity: dict[str, Any],
) -> tuple[list[dict[str, float]], int]:
    """Loads the checkpoint of the generation, or else the state to start from.

    Returns the log and `DivergenceWatch.bad_looks`.
    """
    saved = load_checkpoint(folder / "checkpoint.pt")
    if saved is not None:
        check_same(saved, identity, folder)
    elif start is not None:
        saved = load_checkpoint(start)
        if saved is None:
            raise TrainingError(
                f"there is no {start}, from which {folder} continues: delete {folder.parent.parent}"
            )
    if saved is None:
        return [], 0
    module.load_state_dict(saved["module"])
    optimizer.load_state_dict(saved["optimizer"])
    return saved["rows"], saved.get("bad_looks", 0)


def _save(
    path: Path,
    identity: dict[str, Any],
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    rows: list[dict[str, float]],
    bad_looks: int = 0,
) -> None:
    content = {
        "module": copied_state(module),
        "optimizer": optimizer.state_dict(),
        "rows": rows,
        "bad_looks": bad_looks,
    }
    save_tensors(path, {"format": CHECKPOINT_FORMAT, "identity": identity, **content})
