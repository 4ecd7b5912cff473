"""The job that merges one trained network and measures the effect, before a finetuning."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from pi_bench.errors import ModelError
from pi_bench.progress import Progress

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
from .job import Job
from .job_files import read_result, refuse_other
from .training_job import data_of, locked, teacher_of, weights_digest

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


def merging_job(
    name: str,
    extent: str,
    trained: Path,
    folder: Path,
    *,
    validation_fraction: float,
    data_dir: Path,
    device: str,
    threads: int,
) -> Job:
    """Returns the job that merges a network in `folder`.

    Args:
        extent: how far to merge, one of `merging.extents.EXTENTS`.
        trained: the folder of a training of the network.
        validation_fraction: the fraction of the training images on which accuracies are measured too.

    >>> job = merging_job(
    ...     "1-cull", "paper", Path("digits/networks/1-cull"), Path("merged/1-cull"),
    ...     validation_fraction=0.1, data_dir=Path("data"), device="cpu", threads=1,
    ... )
    >>> job.kind, job.arguments["extent"]
    ('merge', 'paper')
    """
    arguments = {
        "extent": extent,
        "trained": str(trained.absolute()),
        "validation_fraction": validation_fraction,
        "data_dir": str(data_dir.absolute()),
        "device": device,
        "threads": threads,
    }
    return Job("merge", name, str(folder.absolute()), arguments)


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Merges the network, measures the effect, and returns the content of merging.json.

    The job's folder gets the merged network's recipe, its weights to start from, and the unmerged model file.

    Raises:
        ModelError: There is nothing to merge, or merging has no rule for a layer.
        OutputError: A file cannot be written.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.progress import silent
    >>> with tempfile.TemporaryDirectory() as name:
    ...     trained = Path(name)
    ...     merged = merged_recipe(load_recipe("resnet18-cifar100-24576"), "paper")
    ...     _ = (trained / "recipe.toml").write_text(format_recipe(merged))
    ...     options = {"validation_fraction": 0.1, "data_dir": trained, "device": "cpu", "threads": 1}
    ...     try:
    ...         run(merging_job("twice", "full", trained, trained / "out", **options), silent)
    ...     except ModelError as error:
    ...         print(error)
    resnet18-cifar100-merged-24576 is merged already
    """
    arguments, folder = job.arguments, Path(job.folder)
    torch.set_num_threads(arguments["threads"])
    before = teacher_of(arguments["trained"])
    recipe = merged_recipe(before.recipe, arguments["extent"])
    data = data_of(recipe.dataset, recipe.input_shape, arguments["data_dir"])
    module = build(before.recipe)
    load_state(module, before.weights)
    found = planned(module, recipe)
    if not any(value.is_merged for value in found.values):
        raise ModelError(
            f"there is nothing to merge in {before.recipe.name}: a ReLU is after each convolution"
        )
    network = merged_network(found, recipe.input_shape)

    device = torch.device(arguments["device"])
    module.to(device), network.to(device)
    batches = Batches(data, arguments["validation_fraction"], device)
    progress(f"merging {before.recipe.name}", 0, 1)
    accuracies = {
        f"{split}_accuracy_{state}_pct": evaluate(one, batches, getattr(batches, split))[1]
        for split in ("test", "validation")
        if len(getattr(batches, split))
        for state, one in (("unmerged", module), ("merged", network))
    }
    images = batches.normalized(batches.test.images[:_COMPARED_IMAGES])
    effect = border_effect(found, network, images)
    result = {
        "recipe": format_recipe(recipe),
        "trained_sha256": weights_digest(arguments["trained"]),
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
    _write(folder, result, network, Path(arguments["trained"]) / "model.pt")
    return result


def _write(folder: Path, result: dict[str, Any], network: torch.nn.Module, model: Path) -> None:
    """Writes the files of the job. Raises OutputError if one cannot be written."""
    with locked(folder):
        for name in UNMERGED_FOLDERS:
            (folder / name).mkdir(exist_ok=True)
            write_whole(folder / name / "model.pt", model.read_bytes())
        save_tensors(folder / START_FILE, network.cpu().state_dict())
        write_whole(folder / "recipe.toml", result["recipe"].encode())
        write_whole(folder / MERGING_FILE, (json.dumps(result, indent=2) + "\n").encode())


def stored_result(job: Job) -> dict[str, Any] | None:
    """Returns the result of a `run` that ended, or None.

    Raises:
        TrainingError: The folder holds another merging.

    >>> stored_result(Job("merge", "1-cull", "/nowhere", {})) is None
    True
    """
    folder, arguments = Path(job.folder), job.arguments

    def read(result: dict[str, Any]) -> tuple[dict[str, Any], Recipe, str]:
        return result, parse_recipe(result["recipe"], str(folder)), result["trained_sha256"]

    stored = read_result(folder / MERGING_FILE, read)
    if stored is None:
        return None
    result, recipe, digest = stored
    merged = merged_recipe(teacher_of(arguments["trained"]).recipe, arguments["extent"])
    trained = weights_digest(arguments["trained"])
    refuse_other(
        folder, "merging", {"recipe": recipe, "network": digest}, {"recipe": merged, "network": trained}
    )
    return result
