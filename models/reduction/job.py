"""A job: a piece of a search as plain data, so that any process on any machine can run it.

A job goes to an engine as JSON, and its answer comes back as JSON. Weights, checkpoints and logs stay in the
job's folder. A job that was killed therefore resumes there, wherever it is run next.
"""

from __future__ import annotations

import importlib
import json
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pi_bench.errors import DivergedError, ExportError, OutputError, PiBenchError, by_name
from pi_bench.fidelity.fidelity_warning import FidelityWarning
from pi_bench.progress import Progress

from ..training.training_files import write_whole

FAILURE_FILE = "failed.json"

_TRAINING = "train"
"""The kind of a training of a recipe. `search_work.KINDS` has all others."""


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of a search.

    Attributes:
        kind: "train", or one of `search_work.KINDS`.
        name: the name in messages.
        folder: the absolute path of the job's folder.
        arguments: the arguments of the kind, as JSON values.
        number: the place among all jobs of the search, such as "3 of 12"; empty if their number is not known.

    >>> job = Job("train", "teacher", "/tmp/teacher", {"threads": 1}, "1 of 12")
    >>> job.title
    'teacher (1 of 12)'
    >>> job.to_json()
    '{"arguments": {"threads": 1}, "folder": "/tmp/teacher", "kind": "train", "name": "teacher", ...}'
    """

    kind: str
    name: str
    folder: str
    arguments: Mapping[str, Any]
    number: str = ""

    @property
    def title(self) -> str:
        """The name with the number, for progress reports."""
        return f"{self.name} ({self.number})" if self.number else self.name

    def to_json(self) -> str:
        """Returns the job as JSON text."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """The outcome of a job.

    Attributes:
        job: the job.
        result: its result, or None if it diverged or its network cannot be exported.
        failure: the reason if there is no result.

    >>> JobOutcome(Job("train", "teacher", "/tmp/teacher", {}), None, "training diverged").failure
    'training diverged'
    """

    job: Job
    result: Mapping[str, Any] | None
    failure: str = ""


def perform(text: str, progress: Progress) -> str:
    """Runs the job in the JSON text `text` and returns its answer as JSON text.

    The answer is a result, a failure of this network alone, or an error with its message. The workers of
    every engine call this function and no other.

    >>> job = Job("train", "teacher", "/nowhere", {"recipe": "none"})
    >>> json.loads(perform(job.to_json(), lambda what, done, total: None))["error"]
    'ModelError'
    """
    job = Job(**json.loads(text))
    try:
        with warnings.catch_warnings():
            # The model file notes its fidelity, and whoever measures the network repeats it.
            warnings.simplefilter("ignore", FidelityWarning)
            return json.dumps({"result": _module(job).run(job, progress)})
    except (DivergedError, ExportError) as error:  # of this network alone
        return _failed(job, str(error))
    except PiBenchError as error:
        return json.dumps({"error": type(error).__name__, "message": str(error)})
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        message = f"internal: {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return json.dumps({"error": "TrainingError", "message": message})


def outcome_of(job: Job, answer: str) -> JobOutcome:
    """Returns the outcome in a job's answer.

    Raises:
        PiBenchError: The job failed for a reason that other jobs share.

    >>> outcome_of(Job("train", "teacher", "/tmp/teacher", {}), '{"failure": "diverged"}').failure
    'diverged'
    """
    content = json.loads(answer)
    if "result" in content:
        return JobOutcome(job, content["result"])
    if "failure" in content:
        return JobOutcome(job, None, content["failure"])
    raise by_name(content["error"])(f"{job.name}: {content['message']}")


def stored(job: Job) -> JobOutcome | None:
    """Returns the outcome of the job in an earlier run, or None if it did not end.

    Raises:
        TrainingError: The folder holds another job's files.

    >>> stored(Job("train", "teacher", "/nowhere", {})) is None
    True
    """
    result = _module(job).stored_result(job)
    return _stored_failure(job) if result is None else JobOutcome(job, result)


def _module(job: Job) -> Any:
    """Returns the module whose run(job, progress) returns the content of the job's result file.

    Its stored_result(job) returns the content that an earlier run wrote, or None.
    """
    name = "training_job" if job.kind == _TRAINING else "search_job"
    return importlib.import_module(f".{name}", __package__)


def _stored_failure(job: Job) -> JobOutcome | None:
    """Returns the failure of an earlier run, which would repeat itself."""
    try:
        content = json.loads((Path(job.folder) / FAILURE_FILE).read_text())
    except FileNotFoundError:
        return None
    return JobOutcome(job, None, content["failure"])


def _failed(job: Job, message: str) -> str:
    answer = json.dumps({"failure": message})
    try:
        write_whole(Path(job.folder) / FAILURE_FILE, answer.encode())
    except OutputError as error:
        return json.dumps({"error": type(error).__name__, "message": str(error)})
    return answer
