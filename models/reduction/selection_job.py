"""The job that chooses SENet's masks of one trained network for one budget, in a folder of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from pi_bench.progress import Progress

from ..linearization.linearize import result_of
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from ..senet.selection import select_masks
from ..senet.settings import SelectionSettings
from ..training.training_files import write_whole
from .job import Job
from .job_files import read_result, refuse_other
from .training_job import data_of, locked, teacher_of, weights_digest

SELECTION_FILE = "selection.json"


def selection_job(
    name: str,
    base: Recipe,
    settings: SelectionSettings,
    budget: int,
    folder: Path,
    *,
    data_dir: Path,
    device: str,
    threads: int,
    teacher: Path,
) -> Job:
    """Returns the job that chooses masks of `base` in `folder`.

    Args:
        teacher: the folder of a training of `base`.

    >>> from pi_bench.models import load_recipe
    >>> job = selection_job(
    ...     "masks-5000", load_recipe("resnet18-cifar100-557056"), SelectionSettings(), 5000,
    ...     Path("selected/5000"), data_dir=Path("data"), device="cpu", threads=1, teacher=Path("teacher"),
    ... )
    >>> job.kind, job.arguments["budget"]
    ('select', 5000)
    """
    arguments = {
        "recipe": format_recipe(base),
        "settings": settings.as_dict(),
        "budget": budget,
        "data_dir": str(data_dir.absolute()),
        "device": device,
        "threads": threads,
        "teacher": str(teacher.absolute()),
    }
    return Job("select", name, str(folder.absolute()), arguments)


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Chooses to the end, from the last checkpoint if there is one, and returns the content of
    selection.json.

    Raises:
        PiBenchError: `senet.selection.select_masks` fails.

    >>> from pi_bench.errors import PiBenchError
    >>> try:
    ...     run(Job("select", "masks", "/nowhere", {"recipe": "schema = 0"}), print)
    ... except PiBenchError as error:
    ...     print(error)
    recipe masks: key 'schema' is 0, this program reads 1
    """
    arguments, folder = job.arguments, Path(job.folder)
    base = parse_recipe(arguments["recipe"], job.name)
    torch.set_num_threads(arguments["threads"])
    data = data_of(base.dataset, base.input_shape, arguments["data_dir"])
    with locked(folder):
        select_masks(
            base,
            data,
            SelectionSettings(**arguments["settings"]),
            arguments["budget"],
            folder,
            teacher=teacher_of(arguments["teacher"]),
            device=arguments["device"],
            progress=progress,
        )
        result = {**_identity(job), **result_of(folder, arguments["budget"])}
        write_whole(folder / SELECTION_FILE, (json.dumps(result, indent=2) + "\n").encode())
    return result


def stored_result(job: Job) -> dict[str, Any] | None:
    """Returns the result of a `run` that ended, or None.

    Raises:
        TrainingError: The folder holds another choice.

    >>> stored_result(Job("select", "masks", "/nowhere", {})) is None
    True
    """
    folder = Path(job.folder)

    def read(result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "relu_count": int(result["relu_count"])}

    result = read_result(folder / SELECTION_FILE, read)
    if result is not None:
        refuse_other(folder, "choice of masks", result, _identity(job))
    return result


def _identity(job: Job) -> dict[str, Any]:
    """Returns the values that tell this choice from others."""
    return {
        "recipe": job.arguments["recipe"],
        "settings": job.arguments["settings"],
        "budget": job.arguments["budget"],
        "teacher_sha256": weights_digest(job.arguments["teacher"]),
    }
