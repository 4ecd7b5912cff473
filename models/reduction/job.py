"""A piece of a search that runs by itself: plain data, so that any process on any machine can run it.

A job goes to an engine as JSON and an answer comes back as JSON. Whatever is large (weights, checkpoints,
logs) stays in the job's folder; so a job that was killed goes on where it was, wherever it is run next.
"""

from __future__ import annotations

import importlib
import json
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pi_bench import errors
from pi_bench.errors import DivergedError, OutputError, PiBenchError, TrainingError
from pi_bench.progress import Progress

from ..training.files import write_whole

FAILURE_FILE = "failed.json"

# The module of each kind: its run(job, progress) returns what the job's result.json holds, its
# stored_result(job) what an earlier run left there, or None.
_KINDS = {"train": "training_job", "linearize": "linearization_job", "merge": "merging_job"}


@dataclass(frozen=True, slots=True)
class Job:
    """`name` is for people, `folder` is absolute, `arguments` are JSON values that the kind understands."""

    kind: str
    name: str
    folder: str
    arguments: Mapping[str, Any]

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job: `result`, or, where it diverged, None and why."""

    job: Job
    result: Mapping[str, Any] | None
    failure: str = ""


def perform(text: str, progress: Progress) -> str:
    """Runs the job of `text`; its answer. Every engine's workers call this and nothing else."""
    job = Job(**json.loads(text))
    try:
        return json.dumps({"result": _module(job).run(job, progress)})
    except DivergedError as error:
        return _failed(job, str(error))
    except PiBenchError as error:
        return json.dumps({"error": type(error).__name__, "message": str(error)})
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        message = f"internal: {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return json.dumps({"error": "TrainingError", "message": message})


def outcome_of(job: Job, answer: str) -> Outcome:
    """Raises PiBenchError: the job met something that the other jobs would meet too."""
    content = json.loads(answer)
    if "result" in content:
        return Outcome(job, content["result"])
    if "failure" in content:
        return Outcome(job, None, content["failure"])
    kind = getattr(errors, content["error"], TrainingError)
    raise kind(f"{job.name}: {content['message']}")


def stored(job: Job) -> Outcome | None:
    """What became of the job in an earlier run, if it ended there.

    Raises:
        TrainingError: its folder holds something else.
    """
    result = _module(job).stored_result(job)
    return _stored_failure(job) if result is None else Outcome(job, result)


def _module(job: Job) -> Any:
    return importlib.import_module(f".{_KINDS[job.kind]}", __package__)


def _stored_failure(job: Job) -> Outcome | None:
    """A divergence of an earlier run: it would diverge again."""
    try:
        content = json.loads((Path(job.folder) / FAILURE_FILE).read_text())
    except FileNotFoundError:
        return None
    return Outcome(job, None, content["failure"])


def _failed(job: Job, message: str) -> str:
    answer = json.dumps({"failure": message})
    try:
        write_whole(Path(job.folder) / FAILURE_FILE, answer.encode())
    except OutputError as error:
        return json.dumps({"error": type(error).__name__, "message": str(error)})
    return answer
