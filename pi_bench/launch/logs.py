"""Writes log messages on standard error, for contributors: ``-v`` for phases, ``-vv`` for every message.

Each module logs to the logger of its own name (`logging.getLogger(__name__)`). A log message holds names,
sizes and times. It never holds a key, a label, a share, an input or an output.
"""

from __future__ import annotations

import logging
import sys

_ROOT = "pi_bench"
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def start_logging(verbosity: int, process: str) -> None:
    """Shows the log messages of this process.

    Args:
        verbosity: 0 for none, 1 for phases, 2 for every message between the parties.
        process: client, server or command. It is part of every line.

    >>> start_logging(1, "command")
    >>> verbosity()
    1
    >>> start_logging(0, "command")
    """
    logger = logging.getLogger(_ROOT)
    for handler in logger.handlers[:]:  # of an earlier command in this process
        if isinstance(handler, _Handler):
            logger.removeHandler(handler)
    logger.setLevel(_LEVELS[min(verbosity, 2)])
    if not verbosity:
        return
    handler = _Handler(sys.stderr)
    line = f"%(asctime)s.%(msecs)03d {process:8} %(name)s: %(message)s"
    handler.setFormatter(logging.Formatter(line, datefmt="%H:%M:%S"))
    logger.addHandler(handler)


def verbosity() -> int:
    """Returns the verbosity of this process, for the processes that it starts.

    >>> start_logging(0, "command")
    >>> verbosity()
    0
    """
    level = logging.getLogger(_ROOT).getEffectiveLevel()
    return sum(level <= bound for bound in _LEVELS[1:])


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]
    """Handler of its own type, so that `start_logging` removes no handler of anybody else."""
