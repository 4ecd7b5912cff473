"""The job that linearizes one trained network down to its budgets, in a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pi_bench.progress import Progress

from ..linearization.linearize import linearize, result_of
from ..linearization.settings import LinearizationSettings
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from ..training.training_files import write_whole
from .job import Job
from .job_files import read_result, refuse_other
from .training_job import data_of, locked, teacher_of, weights_digest

BUDGETS_FILE = "budgets.json"


def linearization_job(
    name: str,
    recipe: Recipe,
    settings: LinearizationSettings,
    budgets: Sequence[int],
    folder: Path,
    *,
    data_dir: Path,
    device: str,
    threads: int,
    teacher: Path,
) -> Job:
    """Returns the job that linearizes `recipe` in `folder`.

    Args:
        teacher: the folder of a training of `recipe`.

    >>> from pi_bench.models import load_recipe
    >>> job = linearization_job(
    ...     "linearized", load_recipe("resnet18-cifar100-557056"), LinearizationSettings(), [5000, 9000],
    ...     Path("linearized"), data_dir=Path("data"), device="cpu", threads=1, teacher=Path("teacher"),
    ... )
    >>> job.kind, job.arguments["budgets"]
    ('linearize', [9000, 5000])
    """
    arguments = {
        "recipe": format_recipe(recipe),
        "settings": settings.as_dict(),
        "budgets": sorted(budgets, reverse=True),
        "data_dir": str(data_dir.absolute()),
        "device": device,
        "threads": threads,
        "teacher": str(teacher.absolute()),
    }
    return Job("linearize", name, str(folder.absolute()), arguments)


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Linearizes to the end, from the last checkpoint if there is one, and returns the content of
    budgets.json.

    Raises:
        PiBenchError: `linearization.linearize.linearize` fails.

    >>> from pi_bench.errors import PiBenchError
    >>> try:
    ...     run(Job("linearize", "linearized", "/nowhere", {"recipe": "schema = 0"}), print)
    ... except PiBenchError as error:
    ...     print(error)
    recipe linearized: key 'schema' is 0, this program reads 1
    """
    arguments, folder = job.arguments, Path(job.folder)
    recipe = parse_recipe(arguments["recipe"], job.name)
    torch.set_num_threads(arguments["threads"])
    data = data_of(recipe.dataset, recipe.input_shape, arguments["data_dir"])
    with locked(folder):
        linearize(
            recipe,
            data,
            LinearizationSettings(**arguments["settings"]),
            arguments["budgets"],
            folder,
            teacher=teacher_of(arguments["teacher"]),
            device=arguments["device"],
            progress=progress,
        )
        result = {
            "recipe": arguments["recipe"],
            "settings": arguments["settings"],
            "teacher_sha256": weights_digest(arguments["teacher"]),
            "budgets": [result_of(folder, budget) for budget in arguments["budgets"]],
        }
        write_whole(folder / BUDGETS_FILE, (json.dumps(result, indent=2) + "\n").encode())
    return result


def stored_result(job: Job) -> dict[str, Any] | None:
    """Returns the result of a `run` that ended with all of these budgets, or None.

    Raises:
        TrainingError: The folder holds another linearization.

    >>> stored_result(Job("linearize", "linearized", "/nowhere", {})) is None
    True
    """
    folder, arguments = Path(job.folder), job.arguments

    def read(result: dict[str, Any]) -> tuple[dict[str, Any], dict[int, Any]]:
        return result, {budget["budget"]: budget for budget in result["budgets"]}

    stored = read_result(folder / BUDGETS_FILE, read)
    if stored is None:
        return None
    result, found = stored
    wanted = {
        "recipe": arguments["recipe"],
        "settings": arguments["settings"],
        "teacher_sha256": weights_digest(arguments["teacher"]),
    }
    refuse_other(folder, "linearization", result, wanted)
    if not set(arguments["budgets"]) <= set(found):
        return None
    return {**result, "budgets": [found[budget] for budget in arguments["budgets"]]}
