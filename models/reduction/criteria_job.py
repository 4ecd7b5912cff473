"""The job that chooses the pruning criterion of each layer for one budget, in a folder of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from pi_bench.progress import Progress

from ..filter_criteria import CRITERIA
from ..lfpc.choice import choose_criteria
from ..lfpc.settings import CriteriaSettings
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from ..training.training_files import write_whole
from .job import Job
from .job_files import read_result, refuse_other
from .training_job import data_of, locked, teacher_of, weights_digest

CRITERIA_FILE = "criteria.json"


def criteria_job(
    name: str,
    base: Recipe,
    pruned: Recipe,
    settings: CriteriaSettings,
    folder: Path,
    *,
    data_dir: Path,
    device: str,
    threads: int,
    teacher: Path,
) -> Job:
    """Returns the job that chooses criteria in `folder`, by which `base` becomes `pruned`.

    Args:
        teacher: the folder of a training of `base`.

    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.pruning import pruned_recipe
    >>> base = load_recipe("resnet18-cifar100-557056")
    >>> job = criteria_job(
    ...     "criteria-300000", base, pruned_recipe(base, 300_000), CriteriaSettings(),
    ...     Path("criteria/300000"), data_dir=Path("data"), device="cpu", threads=1, teacher=Path("teacher"),
    ... )
    >>> job.kind, job.arguments["settings"]["step_count"]
    ('sample-criteria', 200)
    """
    arguments = {
        "recipe": format_recipe(base),
        "pruned": format_recipe(pruned),
        "settings": settings.as_dict(),
        "data_dir": str(data_dir.absolute()),
        "device": device,
        "threads": threads,
        "teacher": str(teacher.absolute()),
    }
    return Job("sample-criteria", name, str(folder.absolute()), arguments)


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Chooses to the end, from the last checkpoint if there is one, and returns the content of criteria.json.

    Raises:
        PiBenchError: `lfpc.choice.choose_criteria` fails.

    >>> from pi_bench.errors import PiBenchError
    >>> try:
    ...     run(Job("sample-criteria", "criteria", "/nowhere", {"recipe": "schema = 0"}), print)
    ... except PiBenchError as error:
    ...     print(error)
    recipe criteria: key 'schema' is 0, this program reads 1
    """
    arguments, folder = job.arguments, Path(job.folder)
    base = parse_recipe(arguments["recipe"], job.name)
    torch.set_num_threads(arguments["threads"])
    data = data_of(base.dataset, base.input_shape, arguments["data_dir"])
    with locked(folder):
        layers = choose_criteria(
            base,
            parse_recipe(arguments["pruned"], job.name),
            data,
            CriteriaSettings.from_dict(arguments["settings"]),
            folder,
            teacher=teacher_of(arguments["teacher"]),
            device=arguments["device"],
            progress=progress,
        )
        result = {**_identity(job), "layers": layers}
        write_whole(folder / CRITERIA_FILE, (json.dumps(result, indent=2) + "\n").encode())
    return result


def stored_result(job: Job) -> dict[str, Any] | None:
    """Returns the result of a `run` that ended, or None.

    Raises:
        TrainingError: The folder holds another choice.

    >>> stored_result(Job("sample-criteria", "criteria", "/nowhere", {})) is None
    True
    """
    folder = Path(job.folder)

    def read(result: dict[str, Any]) -> dict[str, Any]:
        unknown = {layer["criterion"] for layer in result["layers"].values()} - set(CRITERIA)
        if unknown:
            raise ValueError(f"it names unknown criteria: {', '.join(sorted(map(str, unknown)))}")
        return result

    result = read_result(folder / CRITERIA_FILE, read)
    if result is not None:
        refuse_other(folder, "choice of criteria", result, _identity(job))
    return result


def _identity(job: Job) -> dict[str, Any]:
    """Returns the values that tell this choice from others."""
    return {
        "recipe": job.arguments["recipe"],
        "pruned": job.arguments["pruned"],
        "settings": job.arguments["settings"],
        "teacher_sha256": weights_digest(job.arguments["teacher"]),
    }
