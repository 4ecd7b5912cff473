"""The linearization of a trained network to the starting points of its finetunings, one per budget.

checkpoint.pt                 the state after the last epoch, to resume from
log.csv                       one line per epoch: lasso coefficient, ReLUs, losses, validation accuracy
budget-B/masks-before.npz     the real masks of the last epoch above the budget, one array per ReLU layer
budget-B/masks.npz            the binary masks, the same arrays as bool
budget-B/start.pt             that epoch's weights with the binary masks (a state_dict)
budget-B/recipe.toml          the recipe of the network
budget-B/budget.json          the epoch, and the number of ReLUs that it left
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pi_bench.errors import ModelError, UsageError
from pi_bench.progress import Progress, silent

from ..building import build
from ..data import Dataset
from ..networks.masked_relu import mask_relus, masked_relus
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from ..training.batches import Batches
from ..training.train_recipe import Teacher, digest_of, load_teacher, make_folder, repeatable, require_data
from ..training.training_files import write_whole
from .budget_files import npz, write_budget
from .mask_training import BudgetResult, linearize_masks
from .masked_recipe import fewest_relus, masked_recipe
from .masks import mask_values
from .selection import largest
from .settings import LinearizationSettings


def budget_folder(folder: Path, budget: int) -> Path:
    """Returns the folder of one budget in the folder of a linearization.

    >>> budget_folder(Path("linearized"), 5000).name
    'budget-5000'
    """
    return folder / f"budget-{budget}"


def linearize(
    recipe: Recipe,
    data: Dataset,
    settings: LinearizationSettings,
    budgets: Sequence[int],
    folder: Path,
    *,
    teacher: Teacher,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
    tensorboard: bool = False,
) -> dict[int, Recipe]:
    """Linearizes the trained network `teacher` of `recipe` in `folder`, or resumes its linearization.

    Returns:
        The recipe of each budget's network. `budget_folder` holds its weights to start from.

    Raises:
        UsageError: A budget is impossible.
        ModelError: Data or weights are those of another network, or ReLUs cannot be masked.
        TrainingError: The linearization fails (`mask_training.linearize_masks`).

    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.data import load_data
    >>> from pi_bench.models.training.train_recipe import for_data
    >>> data = load_data("digits", (3, 8, 8), data_dir=Path("data"))
    >>> recipe = for_data(load_recipe("resnet18-cifar100-557056"), "digits", 10, (3, 8, 8))
    >>> teacher = Teacher(recipe, Path("teacher/state.pt"))
    >>> try:
    ...     linearize(recipe, data, LinearizationSettings(), [10**6], Path("linearized"), teacher=teacher)
    ... except UsageError as error:
    ...     print(error)
    --budget 1000000: resnet18-digits-34816 has 34,816 ReLUs, a budget must be below that
    """
    require_data(recipe, data)
    require_budgets(recipe, settings.masks, budgets)
    if format_recipe(teacher.recipe) != format_recipe(recipe):
        raise ModelError(
            f"the trained network is another one, {teacher.recipe.name}: SNL linearizes {recipe.name} "
            "itself, so it needs that network's weights"
        )
    device = torch.device(device)
    identity = {"recipe": format_recipe(recipe), "data": data.name, "teacher": digest_of(teacher.weights)}
    make_folder(folder)
    with repeatable(settings.seed):
        module = build(recipe)
        module.load_state_dict(load_teacher(teacher, recipe, torch.device("cpu")).state_dict())
        mask_relus(module, recipe.relu_shapes(), settings.masks)
        linearize_masks(
            module,
            Batches(data, settings.validation_fraction, device),
            settings,
            budgets,
            folder,
            teacher=load_teacher(teacher, recipe, device),
            identity=identity,
            device=device,
            progress=progress,
            on_result=lambda result: _write_result(recipe, settings, result, folder),
            tensorboard=tensorboard,
        )
    return {budget: budget_recipe(folder, budget) for budget in budgets}


def result_of(folder: Path, budget: int) -> dict[str, Any]:
    """Returns the content of a budget's budget.json.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     Path(name, "budget-9").mkdir()
    ...     _ = Path(name, "budget-9", "budget.json").write_text('{"budget": 9}')
    ...     result_of(Path(name), 9)
    {'budget': 9}
    """
    content: dict[str, Any] = json.loads((budget_folder(folder, budget) / "budget.json").read_text())
    return content


def require_budgets(recipe: Recipe, masks: str, budgets: Sequence[int]) -> None:
    """Checks that each budget is below the network's ReLUs and not below the fewest that masks can leave.

    Raises:
        UsageError: A budget is impossible.

    >>> from pi_bench.models import load_recipe
    >>> require_budgets(load_recipe("resnet18-cifar100-12288"), "pixel", [12287, 1])
    """
    smallest = fewest_relus(recipe, masks)
    for budget in budgets:
        if budget >= recipe.relu_count:
            raise UsageError(
                f"--budget {budget}: {recipe.name} has {recipe.relu_count:,} ReLUs, "
                "a budget must be below that"
            )
        if budget < smallest:
            what = "" if smallest == 1 else f", its smallest channel has {smallest}"
            raise UsageError(f"--budget {budget}: {smallest} is the least for {recipe.name}{what}")


def budget_recipe(folder: Path, budget: int) -> Recipe:
    """Returns the recipe of a budget's network from the folder of a linearization.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe
    >>> with tempfile.TemporaryDirectory() as name:
    ...     Path(name, "budget-9").mkdir()
    ...     text = format_recipe(load_recipe("resnet18-cifar100-12288"))
    ...     _ = Path(name, "budget-9", "recipe.toml").write_text(text)
    ...     budget_recipe(Path(name), 9).name
    'resnet18-cifar100-12288'
    """
    path = budget_folder(folder, budget) / "recipe.toml"
    return parse_recipe(path.read_text(encoding="utf-8"), str(path))


def _write_result(
    recipe: Recipe, settings: LinearizationSettings, result: BudgetResult, folder: Path
) -> None:
    module = build(recipe)
    mask_relus(module, recipe.relu_shapes(), settings.masks)
    module.load_state_dict(result.state)
    before = mask_values(masked_relus(module))
    _, count = binarize(module, result.budget, settings.threshold)
    left = masked_recipe(recipe, settings.masks, count)

    place = budget_folder(folder, result.budget)
    make_folder(place)
    write_whole(place / "masks-before.npz", npz(before))
    figures = {
        "budget": result.budget,
        "relu_count": count,
        "epoch": result.epoch,
        "relu_count_before": result.relu_count,
    }
    write_budget(place, left, module, figures)


def binarize(module: nn.Module, budget: int, threshold: float) -> tuple[dict[str, np.ndarray], int]:
    """Makes the real masks of `module` binary in place, so that they meet the budget (`selection.largest`).

    Returns:
        The masks as bool by the path of their layer, and the number of ReLUs that they keep.

    >>> from pi_bench.models.networks.masked_relu import TrainableMaskedReLU
    >>> module = nn.Sequential(TrainableMaskedReLU((3, 1, 1), "pixel"))
    >>> module[0].mask.data[0, :, 0, 0] = torch.tensor([0.2, 0.9, 0.5])
    >>> binarize(module, 2, threshold=0.01)[1], module[0].mask.flatten().tolist()
    (2, [0.0, 1.0, 1.0])
    """
    relus = masked_relus(module)
    costs = {site: part.relus_each for site, part in relus.items()}
    kept = largest(mask_values(relus), costs, budget, threshold)
    with torch.no_grad():
        for site, part in relus.items():
            part.mask.copy_(torch.from_numpy(kept[site]))
            part.mask.requires_grad_(False)
    return kept, sum(int(mask.sum()) * costs[site] for site, mask in kept.items())
