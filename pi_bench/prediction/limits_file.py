"""Reads and writes the limits that one machine has shown, the newest last, as a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pi_bench.atomic_file import whole_file
from pi_bench.costs import LIMIT_NAMES
from pi_bench.errors import InputError, reason
from pi_bench.prediction.limits import Limits

SCHEMA_VERSION = 1
KEPT = 20
"""The number of measurements of a machine that are kept."""

_MAX_BYTES = 1 << 20
_REMEDY = "remove it, and the limits are measured again"


def write_limits(limits: Limits, path: Path) -> None:
    """Writes limits and those that the machine showed before, as a whole or not at all. Makes the folder.

    Raises:
        OSError: the file cannot be written. An older file stays as it was.

    >>> import tempfile
    >>> limits = Limits(dict.fromkeys(LIMIT_NAMES, 1e-9), threads=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_limits(limits, Path(folder, "limits.json"))
    ...     read_limits(Path(folder, "limits.json")) == limits
    True
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {
        "schema_version": SCHEMA_VERSION,
        "threads": limits.threads,
        "cache_bytes": limits.cache_bytes,
        "time": limits.time,
        "unit_s": dict(limits.unit_s),
        "earlier": [dict(unit_s) for unit_s in limits.earlier[-KEPT:]],
    }
    with whole_file(path) as file:
        file.write((json.dumps(fields, indent=1, allow_nan=False) + "\n").encode())


def read_limits(path: Path) -> Limits:
    """Reads the limits that `write_limits` wrote.

    Raises:
        InputError: there is no such file, it holds no limits, or its format is of another version.

    >>> read_limits(Path("no-such-file.json"))
    Traceback (most recent call last):
    pi_bench.errors.InputError: cannot read the limits no-such-file.json: No such file or directory
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read the limits {path}: {reason(error)}") from None
    if len(data) > _MAX_BYTES:
        raise InputError(f"{path} is too large for limits; {_REMEDY}")
    try:
        return limits_from(json.loads(data))
    except (ValueError, RecursionError):
        raise InputError(f"{path} holds no limits: it is not JSON; {_REMEDY}") from None
    except InputError as error:
        raise InputError(f"{path} holds no limits: {error}; {_REMEDY}") from None


def limits_from(fields: Any) -> Limits:
    """Makes limits from JSON values.

    Raises:
        InputError: a field is missing, or has another type or an impossible value.

    >>> limits_from({"schema_version": 2})
    Traceback (most recent call last):
    pi_bench.errors.InputError: they are of format version 2, and this pi-bench reads version 1
    """
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"they are of format version {version!r}, and this pi-bench reads version {SCHEMA_VERSION}"
        )
    threads, cache_bytes, time = (fields.get(name) for name in ("threads", "cache_bytes", "time"))
    earlier = fields.get("earlier")
    if (
        type(threads) is not int
        or type(cache_bytes) not in (int, type(None))
        or not isinstance(time, str)
        or not isinstance(earlier, list)
    ):
        raise InputError("one of their fields is missing or of another type")
    return Limits(
        _numbers(fields.get("unit_s")), threads, cache_bytes, time, tuple(map(_numbers, earlier[-KEPT:]))
    )


def _numbers(value: Any) -> Mapping[str, float]:
    if not isinstance(value, dict) or any(
        type(held) not in (int, float) or not 0 < held < 1e3 for held in value.values()
    ):
        raise InputError("a limit is no positive number of seconds per unit")
    return {name: float(held) for name, held in value.items() if name in LIMIT_NAMES}
