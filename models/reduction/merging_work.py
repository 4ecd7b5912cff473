"""Merges one trained network and measures the effect, before a finetuning."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from pi_bench.errors import ModelError

from ..building import build
from ..counted_layers import OperatorKind
from ..criticality import base_name
from ..merging.borders import border_effect
from ..merging.counting import conv_count
from ..merging.network import merged_network, planned
from ..recipe import Recipe
from ..recipe_export import load_state
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from ..training.batches import Batches
from ..training.epoch import evaluate
from ..training.training_files import START_FILE, save_tensors, write_whole
from .job_kind import Assignment
from .training_job import teacher_of

MERGING_FILE = "merging.json"
UNMERGED_FOLDERS = ("unmerged", "kept-borders")
_COMPARED_IMAGES = 512


def merged_recipe(recipe: Recipe, extent: str) -> Recipe:
    """Returns the recipe of a network after merging.

    Raises:
        ModelError: The network is already merged.

    >>> from pi_bench.models import load_recipe
    >>> merged_recipe(load_recipe("resnet18-cifar100-24576"), "paper").name
    'resnet18-cifar100-merged-24576'
    """
    if recipe.merged is not None:
        raise ModelError(f"{recipe.name} is merged already")
    name = f"{base_name(recipe)}-merged-{recipe.relu_count}"
    merged = dataclasses.replace(recipe, name=name, merged=extent, published=None)
    return parse_recipe(format_recipe(merged), name)


def merge_trained(given: Assignment) -> dict[str, Any]:
    """Merges a trained network and measures the effect.

    The job's folder gets the merged network's recipe, its weights to start from, and the unmerged model file.

    Args:
        given: a job whose recipe is the merged one (`merged_recipe`). Its values are ``trained``, the folder
            of a training of the network, and ``validation_fraction``, the fraction of the training images on
            which accuracies are measured too.

    Returns:
        The content of merging.json without the identity of the job.

    Raises:
        ModelError: There is nothing to merge, or merging has no rule for a layer.
        OutputError: A file cannot be written.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.progress import silent
    >>> full = narrowed(load_recipe("resnet18-cifar100-557056"), 0.0625)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     trained = Path(name)
    ...     _ = (trained / "recipe.toml").write_text(format_recipe(full))
    ...     torch.save(build(full).state_dict(), trained / "state.pt")
    ...     values = {"trained": name, "validation_fraction": 0.1, "device": "cpu"}
    ...     try:
    ...         merge_trained(Assignment(merged_recipe(full, "full"), None, trained, values, silent))
    ...     except ModelError as error:
    ...         print(str(error).partition(":")[0])
    there is nothing to merge in resnet18-cifar100-34816
    """
    recipe, before = given.recipe, teacher_of(given["trained"])
    module = build(before.recipe)
    load_state(module, before.weights)
    found = planned(module, recipe)
    if not any(value.is_merged for value in found.values):
        raise ModelError(
            f"there is nothing to merge in {before.recipe.name}: a ReLU is after each convolution"
        )
    network = merged_network(found, recipe.input_shape)

    device = torch.device(given["device"])
    module.to(device), network.to(device)
    batches = Batches(given.data, given["validation_fraction"], device)
    given.progress(f"merging {before.recipe.name}", 0, 1)
    accuracies = {
        f"{split}_accuracy_{state}_pct": evaluate(one, batches, getattr(batches, split))[1]
        for split in ("test", "validation")
        if len(getattr(batches, split))
        for state, one in (("unmerged", module), ("merged", network))
    }
    images = batches.normalized(batches.test.images[:_COMPARED_IMAGES])
    effect = border_effect(found, network, images)
    result = {
        "conv_count_unmerged": conv_count(before.recipe),
        "shortcut_count_unmerged": sum(
            layer.kind is OperatorKind.SHORTCUT for layer in before.recipe.layers()
        ),
        "parameter_count_unmerged": before.recipe.parameter_count,
        "conv_count": network.conv_count,
        "shortcut_count": network.shortcut_count,
        "parameter_count": sum(part.numel() for part in network.parameters()),
        **accuracies,
        "border_effect": effect.as_dict(),
    }
    _write(given.folder, recipe, network, Path(given["trained"]) / "model.pt")
    return result


def _write(folder: Path, recipe: Recipe, network: torch.nn.Module, model: Path) -> None:
    """Writes the files of the job. Raises OutputError if one cannot be written."""
    for name in UNMERGED_FOLDERS:
        (folder / name).mkdir(exist_ok=True)
        write_whole(folder / name / "model.pt", model.read_bytes())
    save_tensors(folder / START_FILE, network.cpu().state_dict())
    write_whole(folder / "recipe.toml", format_recipe(recipe).encode())
