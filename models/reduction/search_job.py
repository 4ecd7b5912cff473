"""The job of a search that is not the training of a recipe, in a folder of its own.

`search_work` has the function for the work of each kind. The arguments, the lock, the result file and the
comparison with an earlier run are the same for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from pi_bench.progress import Progress

from ..job_settings import JobSettings
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from ..training.train_recipe import digest_of
from ..training.training_files import write_whole
from .job import Job
from .job_files import read_result, refuse_other
from .job_kind import Assignment
from .search_work import KINDS
from .training_job import data_of, locked, weights_digest

Argument = Recipe | JobSettings | Path | Sequence[Any] | Mapping[str, Any] | float | str

_DIGEST = "_sha256"


def search_job(
    kind: str,
    name: str,
    recipe: Recipe,
    folder: Path,
    *,
    data_dir: Path,
    device: str,
    threads: int,
    **arguments: Argument,
) -> Job:
    """Returns the job that does the work of a kind in `folder`.

    Args:
        kind: one of `search_work.KINDS`.
        recipe: the network of the job, which decides the data set.
        arguments: the arguments of the kind. `teacher` is the folder of a training of `recipe`.

    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.senet.settings import SelectionSettings
    >>> job = search_job(
    ...     "select", "masks-5000", load_recipe("resnet18-cifar100-557056"), Path("selected/5000"),
    ...     settings=SelectionSettings(), budget=5000, teacher=Path("teacher"),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... )
    >>> job.kind, job.arguments["budget"], job.arguments["settings"]["density"]
    ('select', 5000, 0.1)
    """
    values = {
        "recipe": format_recipe(recipe),
        **{key: _as_json(value) for key, value in arguments.items()},
        "data_dir": str(data_dir.absolute()),
        "device": device,
        "threads": threads,
    }
    return Job(kind, name, str(folder.absolute()), values)


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Does the work of the job to the end, from the last checkpoint if there is one.

    Returns:
        The content of the result file.

    Raises:
        PiBenchError: The work fails.

    >>> from pi_bench.errors import PiBenchError
    >>> try:
    ...     run(Job("descend", "descent", "/nowhere", {"recipe": "schema = 0"}), print)
    ... except PiBenchError as error:
    ...     print(error)
    recipe descent: key 'schema' is 0, this program reads 1
    """
    kind, values, folder = KINDS[job.kind], dict(job.arguments), Path(job.folder)
    recipe = parse_recipe(values["recipe"], job.name)
    torch.set_num_threads(values["threads"])
    data = data_of(recipe.dataset, recipe.input_shape, values["data_dir"])
    with locked(folder):
        found = kind.work(Assignment(recipe, data, folder, values, progress))
        result = {**_identity(job), **found}
        write_whole(folder / kind.file, (json.dumps(result, indent=2) + "\n").encode())
    return result


def stored_result(job: Job) -> dict[str, Any] | None:
    """Returns the result of a `run` that ended, or None. If the job has budgets, all of them must be there.

    Raises:
        TrainingError: The folder holds another job of the kind.

    >>> stored_result(Job("descend", "descent", "/nowhere", {})) is None
    True
    """
    kind, folder = KINDS[job.kind], Path(job.folder)

    def read(result: dict[str, Any]) -> tuple[dict[str, Any], Recipe]:
        kind.check(result)
        return result, parse_recipe(result["recipe"], str(folder))

    stored = read_result(folder / kind.file, read)
    if stored is None:
        return None
    result, recipe = stored
    # An earlier version may have written the same recipe in other words.
    refuse_other(folder, kind.words, {**result, "recipe": format_recipe(recipe)}, _identity(job))
    if "budgets" not in job.arguments:
        return result
    found, budgets = {one["budget"]: one for one in result["budgets"]}, job.arguments["budgets"]
    if not set(budgets) <= set(found):
        return None
    return {**result, "budgets": [found[budget] for budget in budgets]}


def _identity(job: Job) -> dict[str, Any]:
    """Returns the values that tell the job from others."""
    return {name: _value(job.arguments, name) for name in KINDS[job.kind].identity}


def _value(arguments: Mapping[str, Any], name: str) -> Any:
    if not name.endswith(_DIGEST):
        return arguments[name]
    path = str(arguments[name.removesuffix(_DIGEST)])
    return weights_digest(path) if Path(path).is_dir() else digest_of(Path(path))


def _as_json(value: Argument) -> Any:
    if isinstance(value, Recipe):
        return format_recipe(value)
    if isinstance(value, JobSettings):
        return value.as_dict()
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, Mapping):
        return {key: _as_json(part) for key, part in value.items()}
    return list(value) if isinstance(value, tuple) else value
