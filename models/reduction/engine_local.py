"""Engine `local`: processes on this machine.

Each slot is one process that lives as long as the search, so that torch and the images are loaded once. Jobs
go to its standard input and answers come from its standard output, one line of JSON each. A process ends when
its input ends, so none outlives a search that was killed.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from types import TracebackType
from typing import Self

from pi_bench.errors import TrainingError
from pi_bench.progress import Progress
from pi_bench.thread_environment import thread_environment

from .engine import RETRY_COUNT
from .job import Job

_start = subprocess.Popen


class LocalEngine:
    """An engine that runs `slots` jobs at once, each on `threads` cores.

    Args:
        gpus: GPUs as CUDA_VISIBLE_DEVICES names them, which the slots use in turn. If empty, jobs see the
            GPUs that this process sees.

    >>> with LocalEngine(slots=2, threads=1) as engine:
    ...     list(engine.run([], print))
    []
    """

    def __init__(self, slots: int, threads: int, gpus: Sequence[str] = ()) -> None:
        shared = os.environ | thread_environment(threads)
        environments = [shared | {"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus] or [shared]
        self._workers = [_Worker(environments[slot % len(environments)]) for slot in range(slots)]
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="slot")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.close()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close_pipes()

    def run(self, jobs: Sequence[Job], progress: Progress) -> Iterator[tuple[Job, str]]:
        """Yields each job with its answer when it ends, as `engine.Engine.run` does."""
        futures = {self._threads.submit(self._run_one, job, progress): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            for future in futures:
                future.cancel()

    def _run_one(self, job: Job, progress: Progress) -> str:
        worker = self._free.get()
        try:
            for _ in range(1 + RETRY_COUNT):
                answer = worker.perform(job, progress)
                if answer is not None:
                    return answer
            raise TrainingError(
                f"{job.name}: its process died {1 + RETRY_COUNT} times (exit status {worker.status}); "
                "if memory is short, use fewer --jobs; the same command goes on where it was"
            )
        finally:
            self._free.put(worker)


class _Worker:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._guard = threading.Lock()  # between starting a process and closing for good
        self._closed = False
        self.status: int | None = None

    def perform(self, job: Job, progress: Progress) -> str | None:
        """Returns the job's answer, or None if the process died."""
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(job.to_json() + "\n")
            process.stdin.flush()
            for line in process.stdout:
                message = json.loads(line)
                if "answer" in message:
                    return str(message["answer"])
                what, done, total = message["progress"]
                progress(f"{job.title}: {what}", done, total)
        except BrokenPipeError:
            pass
        self.status = process.wait()
        _close_pipes(process)
        return None

    def _started(self) -> subprocess.Popen[str]:
        with self._guard:
            if self._closed:
                raise TrainingError("the search was ended")
            if self._process is None or self._process.poll() is not None:
                # In a session of its own: Ctrl-C reaches the search alone, which ends its processes.
                self._process = _start(
                    [sys.executable, "-m", f"{__package__}.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=self._environment,
                    start_new_session=True,
                )
            return self._process

    def close_pipes(self) -> None:
        """Closes the pipes after the last read."""
        if self._process is not None:
            _close_pipes(self._process)

    def close(self) -> None:
        """Ends the process for good."""
        with self._guard:
            self._closed = True
            process = self._process
        if process is not None:
            process.kill()  # every file is written whole, so any moment is as good
            process.wait()


def _close_pipes(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # a job that the process never read
                pipe.close()
