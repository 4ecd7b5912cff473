"""The environment variables that tell numpy's and torch's libraries how many threads to use."""

from __future__ import annotations

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def thread_environment(threads: int) -> dict[str, str]:
    """Returns the variables for a process to start with. Libraries read them once, when they are loaded.

    >>> thread_environment(2)["OMP_NUM_THREADS"]
    '2'
    """
    return dict.fromkeys(_VARIABLES, str(threads))
