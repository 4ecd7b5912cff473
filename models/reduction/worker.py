"""A process of engine `local`: it reads jobs from standard input and writes answers to standard output."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from typing import IO, Any

from .job import perform

_PROGRESS_EVERY_S = 0.2


def _main() -> None:
    """Performs jobs until standard input ends, which happens when the search ends for any reason."""
    # The output of libraries must not mix with the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    while True:
        job = jobs.get()
        _send(answers, {"answer": perform(job, _Throttled(answers))})


def _read(jobs: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


class _Throttled:
    def __init__(self, answers: IO[str]) -> None:
        self._answers = answers
        self._next_s = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        if time.monotonic() >= self._next_s:
            _send(self._answers, {"progress": [what, done, total]})
            self._next_s = time.monotonic() + _PROGRESS_EVERY_S


def _send(answers: IO[str], message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    _main()
