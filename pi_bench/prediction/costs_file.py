"""Costs as JSON files, and where a user's cache keeps them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pi_bench.atomic_file import whole_file
from pi_bench.costs.costs import Costs
from pi_bench.errors import InputError

SCHEMA_VERSION = 1
_MAX_BYTES = 1 << 20


def costs_to_json(costs: Costs) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "machine": dict(costs.machine),
        "threads": costs.threads,
        "unit_s": dict(costs.unit_s),
        "contention": dict(costs.contention),
    }


def read_costs(path: Path) -> Costs:
    """Raises: InputError: no such file, or not costs of this version; says why."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read the costs {path}: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise InputError(f"{path} is too large for costs")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        raise InputError(f"{path} holds no costs: it is not JSON") from None
    if not isinstance(fields, dict) or fields.get("schema_version") != SCHEMA_VERSION:
        raise InputError(f"{path} holds no costs of version {SCHEMA_VERSION}; measure them again")
    threads = fields.get("threads")
    machine = _mapping(fields, "machine", str)
    units, contention = (_mapping(fields, name, int, float) for name in ("unit_s", "contention"))
    if type(threads) is not int or threads < 1 or machine is None or units is None or contention is None:
        raise InputError(f"{path} holds no costs: one of its fields is missing or of another type")
    try:
        return Costs(units, threads, machine, contention)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def write_costs(costs: Costs, path: Path) -> None:
    """As a whole or not at all. Raises: OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write((json.dumps(costs_to_json(costs), indent=1, allow_nan=False) + "\n").encode())


def cached_path(machine: Mapping[str, str], threads: int) -> Path | None:
    """Where the costs of a machine and build lie: ``$XDG_CACHE_HOME/pi-bench``, or below ``~/.cache``.

    None where the user has no home.
    """
    home = os.environ.get("XDG_CACHE_HOME")
    if not home:
        try:
            home = str(Path.home() / ".cache")
        except RuntimeError:
            return None
    key = json.dumps([SCHEMA_VERSION, threads, sorted(machine.items())])
    return Path(home) / "pi-bench" / f"costs-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _mapping(fields: dict[str, Any], name: str, *kinds: type) -> dict[str, Any] | None:
    """The object of that name if all that it holds is of these kinds; names of JSON are text."""
    value = fields.get(name)
    if not isinstance(value, dict) or any(type(held) not in kinds for held in value.values()):
        return None
    return value
