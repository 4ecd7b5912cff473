"""The job that trains one recipe, with or without a teacher, in a folder of its own."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from pi_bench.errors import OutputError, reason
from pi_bench.progress import Progress

from ..data import Dataset, load_data
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from ..training import TrainingSettings
from ..training.train_recipe import Teacher, train_recipe
from .job import Job
from .job_files import read_result, refuse_other

RESULT_FILE = "result.json"
_LOCK_FILE = ".lock"


def training_job(
    name: str,
    recipe: Recipe,
    settings: TrainingSettings,
    folder: Path,
    *,
    data_dir: Path,
    device: str,
    threads: int,
    teacher: Path | None = None,
    start: Path | None = None,
) -> Job:
    """Returns the job that trains `recipe` in `folder`.

    Args:
        teacher: the folder of a training to distill from, or None.
        start: the path of weights to start from. With None, weights are random.

    >>> from pi_bench.models import load_recipe
    >>> job = training_job(
    ...     "teacher", load_recipe("resnet18-cifar100-557056"), TrainingSettings(), Path("search/teacher"),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... )
    >>> job.kind, job.arguments["teacher"]
    ('train', None)
    """
    arguments = {
        "recipe": format_recipe(recipe),
        "settings": settings.as_dict(),
        "data_dir": str(data_dir.absolute()),
        "device": device,
        "threads": threads,
        "teacher": None if teacher is None else str(teacher.absolute()),
        "start": None if start is None else str(start.absolute()),
    }
    return Job("train", name, str(folder.absolute()), arguments)


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Trains to the end, from the last checkpoint if there is one, and returns the content of result.json.

    Raises:
        PiBenchError: `training.train_recipe.train_recipe` fails.

    >>> from pi_bench.errors import PiBenchError
    >>> try:
    ...     run(Job("train", "teacher", "/nowhere", {"recipe": "schema = 0"}), print)
    ... except PiBenchError as error:
    ...     print(error)
    recipe teacher: key 'schema' is 0, this program reads 1
    """
    arguments, folder = job.arguments, Path(job.folder)
    recipe = parse_recipe(arguments["recipe"], job.name)
    teacher = None if arguments["teacher"] is None else teacher_of(arguments["teacher"])
    torch.set_num_threads(arguments["threads"])
    data = data_of(recipe.dataset, recipe.input_shape, arguments["data_dir"])
    with locked(folder):
        for left in folder.glob(".*.partial"):  # of a process that was killed while it wrote
            left.unlink()
        return train_recipe(
            recipe,
            data,
            TrainingSettings(**arguments["settings"]),
            folder,
            teacher=teacher,
            start=None if arguments["start"] is None else Path(arguments["start"]),
            device=arguments["device"],
            progress=progress,
            rate_option="--learning-rate" if arguments["start"] is None else "--finetune-learning-rate",
        )


def stored_result(job: Job) -> dict[str, Any] | None:
    """Returns the result of a `run` that ended, or None.

    Raises:
        TrainingError: The folder holds another training.

    >>> stored_result(Job("train", "teacher", "/nowhere", {})) is None
    True
    """
    folder, arguments = Path(job.folder), job.arguments

    def read(result: dict[str, Any]) -> tuple[dict[str, Any], str]:
        return result, (folder / "recipe.toml").read_text(encoding="utf-8")

    stored = read_result(folder / RESULT_FILE, read)
    if stored is None:
        return None
    result, recipe = stored
    teacher, start, taught = arguments["teacher"], arguments["start"], result.get("teacher")
    refuse_other(
        folder,
        "training",
        {
            "recipe": recipe,
            "settings": result.get("settings"),
            "teacher": taught and taught["sha256"],
            "start": result.get("start_sha256"),
        },
        {
            "recipe": arguments["recipe"],
            "settings": arguments["settings"],
            "teacher": teacher and weights_digest(teacher),
            "start": start and _digest(start),
        },
    )
    return result


@lru_cache(maxsize=1)
def data_of(name: str, shape: tuple[int, ...], data_dir: str) -> Dataset:
    """Returns a data set as `load_data` does, and keeps the last one in memory.

    >>> data_of("digits", (1, 8, 8), "data") is data_of("digits", (1, 8, 8), "data")
    True
    """
    return load_data(name, shape, data_dir=Path(data_dir))


def teacher_of(folder: str) -> Teacher:
    """Returns the network in a training's folder.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe
    >>> with tempfile.TemporaryDirectory() as name:
    ...     text = format_recipe(load_recipe("resnet18-cifar100-557056"))
    ...     _ = Path(name, "recipe.toml").write_text(text)
    ...     teacher_of(name).weights.name
    'state.pt'
    """
    path = Path(folder) / "recipe.toml"
    return Teacher(parse_recipe(path.read_text(encoding="utf-8"), str(path)), Path(folder) / "state.pt")


def weights_digest(folder: str) -> str:
    """Returns the SHA-256 of the weights in a training's folder, in hexadecimal digits.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     Path(name, "state.pt").touch()
    ...     weights_digest(name)[:8]
    'e3b0c442'
    """
    return _digest(str(Path(folder) / "state.pt"))


@lru_cache(maxsize=16)
def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks `folder` within the context, because a worker that is believed dead may still be writing.

    Raises:
        OutputError: The folder cannot be used.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name, locked(Path(name)):
    ...     int(Path(name, ".lock").read_text()) == os.getpid()
    True
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(f"cannot use {folder}: {reason(error)}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())  # tells users which process trains here
        yield
    finally:
        os.close(handle)
