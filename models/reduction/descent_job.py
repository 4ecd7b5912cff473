"""The job of a coordinate descent on the masks of one linearized network, in a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pi_bench.progress import Progress

from ..linearization.descent import descend
from ..linearization.descent_settings import DescentSettings
from ..linearization.linearize import result_of
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from ..training.train_recipe import digest_of
from ..training.training_files import write_whole
from .job import Job
from .job_files import read_result, refuse_other
from .training_job import data_of, locked, teacher_of, weights_digest

DESCENT_FILE = "budgets.json"


def descent_job(
    name: str,
    base: Recipe,
    settings: DescentSettings,
    budgets: Sequence[int],
    folder: Path,
    *,
    start: Path,
    start_count: int,
    data_dir: Path,
    device: str,
    threads: int,
    teacher: Path,
) -> Job:
    """Returns the job that removes ReLUs of a linearized network of `base` in `folder`.

    Args:
        start: the path of weights with binary masks that keep `start_count` ReLUs.
        teacher: the folder of a training of `base`.

    >>> from pi_bench.models import load_recipe
    >>> job = descent_job(
    ...     "descent", load_recipe("resnet18-cifar100-557056"), DescentSettings(), [5000, 9000],
    ...     Path("descent"), start=Path("start.pt"), start_count=18000, data_dir=Path("data"), device="cpu",
    ...     threads=1, teacher=Path("teacher"),
    ... )
    >>> job.kind, job.arguments["budgets"]
    ('descend', [9000, 5000])
    """
    arguments = {
        "recipe": format_recipe(base),
        "settings": settings.as_dict(),
        "budgets": sorted(budgets, reverse=True),
        "start": str(start.absolute()),
        "start_count": start_count,
        "data_dir": str(data_dir.absolute()),
        "device": device,
        "threads": threads,
        "teacher": str(teacher.absolute()),
    }
    return Job("descend", name, str(folder.absolute()), arguments)


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Descends to the end, from the last checkpoint if there is one, and returns the content of budgets.json.

    Raises:
        PiBenchError: `linearization.descent.descend` fails.

    >>> from pi_bench.errors import PiBenchError
    >>> try:
    ...     run(Job("descend", "descent", "/nowhere", {"recipe": "schema = 0"}), print)
    ... except PiBenchError as error:
    ...     print(error)
    recipe descent: key 'schema' is 0, this program reads 1
    """
    arguments, folder = job.arguments, Path(job.folder)
    base = parse_recipe(arguments["recipe"], job.name)
    torch.set_num_threads(arguments["threads"])
    data = data_of(base.dataset, base.input_shape, arguments["data_dir"])
    with locked(folder):
        descend(
            base,
            Path(arguments["start"]),
            arguments["start_count"],
            data,
            DescentSettings(**arguments["settings"]),
            arguments["budgets"],
            folder,
            teacher=teacher_of(arguments["teacher"]),
            device=arguments["device"],
            progress=progress,
        )
        result = {**_identity(job), "budgets": [result_of(folder, budget) for budget in arguments["budgets"]]}
        write_whole(folder / DESCENT_FILE, (json.dumps(result, indent=2) + "\n").encode())
    return result


def stored_result(job: Job) -> dict[str, Any] | None:
    """Returns the result of a `run` that ended with all of these budgets, or None.

    Raises:
        TrainingError: The folder holds another descent.

    >>> stored_result(Job("descend", "descent", "/nowhere", {})) is None
    True
    """
    folder, arguments = Path(job.folder), job.arguments

    def read(result: dict[str, Any]) -> tuple[dict[str, Any], dict[int, Any]]:
        return result, {budget["budget"]: budget for budget in result["budgets"]}

    stored = read_result(folder / DESCENT_FILE, read)
    if stored is None:
        return None
    result, found = stored
    refuse_other(folder, "descent", result, _identity(job))
    if not set(arguments["budgets"]) <= set(found):
        return None
    return {**result, "budgets": [found[budget] for budget in arguments["budgets"]]}


def _identity(job: Job) -> dict[str, Any]:
    """Returns the values that tell this descent from others."""
    return {
        "recipe": job.arguments["recipe"],
        "settings": job.arguments["settings"],
        "start_sha256": digest_of(Path(job.arguments["start"])),
        "teacher_sha256": weights_digest(job.arguments["teacher"]),
    }
