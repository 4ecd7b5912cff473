"""Reads the files that a job that ended has left in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pi_bench.errors import TrainingError, reason

_Read = TypeVar("_Read")


def read_result(path: Path, read: Callable[[dict[str, Any]], _Read]) -> _Read | None:
    """Applies `read` to the JSON in a job's result file. Returns None if the job has not ended.

    Raises:
        TrainingError: The file cannot be read, or `read` finds a fault in it.

    >>> read_result(Path("/nowhere/result.json"), dict) is None
    True
    """
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")
        return read(content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # or of another shape
        raise TrainingError(f"cannot read {path}: {reason(error)}; delete {path.parent}") from None


def refuse_other(folder: Path, kind: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Checks that the job in `folder` had the arguments `wanted`.

    Args:
        kind: the kind of job, in words.

    Raises:
        TrainingError: An argument differs.

    >>> refuse_other(Path("search"), "training", {"recipe": "small"}, {"recipe": "large"})
    Traceback (most recent call last):
    pi_bench.errors.TrainingError: search holds a training with another recipe: choose another --output ...
    """
    for key, value in wanted.items():
        if found.get(key) != value:
            raise TrainingError(
                f"{folder} holds a {kind} with another {key}: choose another --output folder, or delete it"
            )
