"""From a trained network to the starting points of its finetunings, one a budget.

checkpoint.pt                 to go on from after a kill
log.csv                       a line an epoch: lasso coefficient, ReLUs, losses, validation accuracy
budget-B/masks-before.npz     real masks of the last epoch above the budget, an array a ReLU layer
budget-B/masks.npz            which ReLUs are kept: bool, the same arrays
budget-B/start.pt             that epoch's weights with the binary masks (a state_dict)
budget-B/recipe.toml          the network that they are for
budget-B/landing.json         the epoch, and how many ReLUs it had
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pi_bench.errors import ModelError, UsageError
from pi_bench.progress import Progress, silent

from ..building import build
from ..criticality import base_name
from ..data import Dataset
from ..networks.masked_relu import mask_relus, masked_relus
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from ..training.batches import Batches
from ..training.files import save_tensors, write_whole
from ..training.run import Teacher, digest_of, load_teacher, make_folder, repeatable, require_data
from .descent import Landing, descend, mask_values
from .selection import largest
from .settings import LinearizationSettings

START_FILE = "start.pt"


def budget_folder(folder: Path, budget: int) -> Path:
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
    """Linearizes, or goes on linearizing, the trained network `teacher` of `recipe` in `folder`.

    Returns:
        By budget, the network that it leads to; its weights to start from are in `budget_folder`.

    Raises:
        UsageError: a budget that is impossible.
        ModelError: data or weights of another network, ReLUs that cannot be masked.
        TrainingError: as `descent.descend`.
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
        descend(
            module,
            Batches(data, settings.validation_fraction, device),
            settings,
            budgets,
            folder,
            teacher=load_teacher(teacher, recipe, device),
            identity=identity,
            device=device,
            progress=progress,
            landed=lambda landing: _write_landing(recipe, settings, landing, folder),
            tensorboard=tensorboard,
        )
    return {budget: landed_recipe(folder, budget) for budget in budgets}


def landing_of(folder: Path, budget: int) -> dict[str, Any]:
    """The content of a budget's landing.json."""
    content: dict[str, Any] = json.loads((budget_folder(folder, budget) / "landing.json").read_text())
    return content


def require_budgets(recipe: Recipe, masks: str, budgets: Sequence[int]) -> None:
    """Raises UsageError: not fewer ReLUs than the network has, or fewer than masks can leave."""
    smallest = 1
    if masks == "channel":
        smallest = min(math.prod(shape[1:]) for _, shape in recipe.relu_shapes())
    for budget in budgets:
        if budget >= recipe.relu_count:
            raise UsageError(
                f"--budget {budget}: {recipe.name} has {recipe.relu_count:,} ReLUs, "
                "a budget must be below that"
            )
        if budget < smallest:
            what = "" if smallest == 1 else f", its smallest channel has {smallest}"
            raise UsageError(f"--budget {budget}: {smallest} is the least for {recipe.name}{what}")


def landed_recipe(folder: Path, budget: int) -> Recipe:
    path = budget_folder(folder, budget) / "recipe.toml"
    return parse_recipe(path.read_text(encoding="utf-8"), str(path))


def _write_landing(recipe: Recipe, settings: LinearizationSettings, landing: Landing, folder: Path) -> None:
    module = build(recipe)
    mask_relus(module, recipe.relu_shapes(), settings.masks)
    module.load_state_dict(landing.state)
    before = mask_values(masked_relus(module))
    kept, count = binarize(module, landing.budget, settings.threshold)
    method = "snl" if settings.masks == "pixel" else "snl-channel"
    left = dataclasses.replace(
        recipe,
        name=f"{base_name(recipe)}-{method}-{count}",
        kept_relus=count,
        masks=settings.masks,
        published=None,
    )

    place = budget_folder(folder, landing.budget)
    make_folder(place)
    write_whole(place / "masks-before.npz", _npz(before))
    write_whole(place / "masks.npz", _npz(kept))
    save_tensors(place / START_FILE, module.state_dict())
    write_whole(place / "recipe.toml", format_recipe(left).encode())
    facts = {
        "budget": landing.budget,
        "relu_count": count,
        "epoch": landing.epoch,
        "relu_count_before": landing.relu_count,
    }
    write_whole(place / "landing.json", (json.dumps(facts, indent=2) + "\n").encode())


def binarize(module: nn.Module, budget: int, threshold: float) -> tuple[dict[str, np.ndarray], int]:
    """Makes the real masks of `module` 0 and 1, in place, so that the budget is met (`selection.largest`).

    Returns:
        The masks as bool, by site, and how many ReLUs they keep.
    """
    relus = masked_relus(module)
    costs = {site: part.relus_each for site, part in relus.items()}
    kept = largest(mask_values(relus), costs, budget, threshold)
    with torch.no_grad():
        for site, part in relus.items():
            part.mask.copy_(torch.from_numpy(kept[site]))
            part.mask.requires_grad_(False)
    return kept, sum(int(mask.sum()) * costs[site] for site, mask in kept.items())


def _npz(arrays: Mapping[str, np.ndarray]) -> memoryview:
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getbuffer()
