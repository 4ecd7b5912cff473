"""Engine `ray`: the cores or GPUs of a Ray cluster (`pip install "pi-bench[ray]"` on every machine of it).

A task gets a job as JSON text and returns an answer as JSON text; both are read as JSON. Everything else goes
through files, so the output folder must be on a disk that every machine sees under the same path. Ray itself
exchanges pickled objects between its machines, so a Ray cluster must be trusted as a whole.

Ray runs a task again if its process or machine died. The task resumes from the last checkpoint in its folder.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pi_bench.errors import EnvironmentUnsupportedError, TrainingError
from pi_bench.progress import Progress

from .engine import RETRY_COUNT
from .job import Job, perform

_TOKEN_FILE = ".shared"


class RayEngine:
    """An engine that runs jobs as tasks of a Ray cluster.

    Args:
        address: the address of the cluster, as `ray.init` takes it. With None, a cluster on this machine is
            started for this run.
        slots: the largest number of tasks at once. With None, the cores or GPUs of the cluster decide.
        threads: cores per task.
        gpu: whether each task needs a GPU.

    Raises:
        EnvironmentUnsupportedError: Ray is not installed, or the cluster cannot be reached.

    >>> from unittest import mock
    >>> with mock.patch.dict("sys.modules", ray=None):
    ...     try:
    ...         RayEngine(None, 2, threads=1, gpu=False)
    ...     except EnvironmentUnsupportedError as error:
    ...         print(str(error).partition(":")[0])
    engine ray needs Ray, which is not installed
    """

    def __init__(self, address: str | None, slots: int | None, threads: int, gpu: bool) -> None:
        try:
            import ray
        except ImportError:
            raise EnvironmentUnsupportedError(
                'engine ray needs Ray, which is not installed: pip install "pi-bench[ray]"'
            ) from None
        self._ray: Any = ray
        self._slots = slots
        self._resources = {"num_cpus": threads, "num_gpus": 1 if gpu else 0}
        try:
            ray.init(address=address or "local", log_to_driver=False, include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise EnvironmentUnsupportedError(
                f"no Ray cluster at {address or 'this machine'}: {str(error).splitlines()[0]}"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()

    def run(self, jobs: Sequence[Job], progress: Progress) -> Iterator[tuple[Job, str]]:
        """Yields each job with its answer when it ends, as `engine.Engine.run` does."""
        ray = self._ray
        # max_calls: one process per job, so that no job depends on the state of torch after another.
        task = ray.remote(max_retries=RETRY_COUNT, retry_exceptions=False, max_calls=1, **self._resources)(
            _perform
        )
        token = secrets.token_hex(16)
        for folder in {Path(job.folder).parent for job in jobs}:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _TOKEN_FILE).write_text(token)
        waiting = list(jobs)
        running: dict[Any, Job] = {}
        while waiting or running:
            while waiting and (self._slots is None or len(running) < self._slots):
                job = waiting.pop(0)
                running[task.remote(job.to_json(), token)] = job
            (reference, *_), _ = ray.wait(list(running), num_returns=1)
            job = running.pop(reference)
            progress(
                f"trainings left: {len(running) + len(waiting)}",
                len(jobs) - len(waiting) - len(running),
                len(jobs),
            )
            yield job, self._answer(job, reference)

    def _answer(self, job: Job, reference: Any) -> str:
        try:
            return str(self._ray.get(reference))
        except self._ray.exceptions.RayTaskError as error:
            raise TrainingError(f"{job.name}: {str(error).splitlines()[-1]}") from None
        except self._ray.exceptions.RayError as error:
            raise TrainingError(
                f"{job.name}: its process died {1 + RETRY_COUNT} times: {str(error).splitlines()[0]}; "
                "the same command goes on where it was"
            ) from None


def _perform(text: str, token: str) -> str:
    """Performs a job in a process of the cluster."""
    import json

    folder = Path(json.loads(text)["folder"]).parent
    try:
        seen = (folder / _TOKEN_FILE).read_text()
    except OSError:
        seen = ""
    if seen != token:
        message = (
            f"a machine of the cluster does not see {folder}: choose an --output on a disk that all share"
        )
        return json.dumps({"error": "TrainingError", "message": message})
    return perform(text, lambda what, done, total: None)
