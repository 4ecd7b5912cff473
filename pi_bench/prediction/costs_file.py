"""Reads and writes costs as JSON files, and finds them in the cache of the user."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pi_bench.atomic_file import whole_file
from pi_bench.cache_folder import cache_folder
from pi_bench.costs import Costs
from pi_bench.errors import InputError

SCHEMA_VERSION = 1
_REMEDY = "measure them again with --measure-costs"
_MAX_BYTES = 1 << 20


def costs_to_json(costs: Costs) -> dict[str, Any]:
    """Returns costs as JSON values.

    >>> costs_to_json(Costs({"word": 1e-9}, threads=2, machine={"cpu_model": "example"}))["unit_s"]
    {'word': 1e-09}
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "machine": dict(costs.machine),
        "threads": costs.threads,
        "unit_s": dict(costs.unit_s),
        "contention": dict(costs.contention),
    }


def read_costs(path: Path) -> Costs:
    """Reads the costs that `write_costs` wrote.

    The file may have fewer units than a protocol needs, and units that this build does not know: another
    protocol or another version may have measured it. `Costs.require` refuses missing units by name.

    Raises:
        InputError: there is no such file, it holds no costs, or its format is of another version.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "costs.json"
    ...     write_costs(Costs({"word": 1e-9}, threads=1, machine={}), path)
    ...     read_costs(path).of("word")
    1e-09
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read the costs {path}: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise InputError(f"{path} is too large for costs; {_REMEDY}")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        raise InputError(f"{path} holds no costs: it is not JSON; {_REMEDY}") from None
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if version is None:
        raise InputError(f"{path} holds no costs: it has no schema_version; {_REMEDY}")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path} holds costs of format version {version!r}, and this pi-bench reads version "
            f"{SCHEMA_VERSION}; {_REMEDY}"
        )
    threads = fields.get("threads")
    machine = _mapping(fields, "machine", str)
    units, contention = (_mapping(fields, name, int, float) for name in ("unit_s", "contention"))
    if type(threads) is not int or threads < 1 or machine is None or units is None or contention is None:
        raise InputError(f"{path} holds no costs: one of its fields is missing or of another type; {_REMEDY}")
    try:
        return Costs(units, threads, machine, contention)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def write_costs(costs: Costs, path: Path) -> None:
    """Writes costs to a file, as a whole or not at all, and makes its folder.

    Raises:
        OSError: the file cannot be written. An older file stays as it was.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "new" / "costs.json"
    ...     write_costs(Costs({"word": 1e-9}, threads=1, machine={}), path)
    ...     [file.name for file in path.parent.iterdir()]
    ['costs.json']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write((json.dumps(costs_to_json(costs), indent=1, allow_nan=False) + "\n").encode())


def cached_path(machine: Mapping[str, str], threads: int) -> Path | None:
    """Returns the path of the cached costs of a machine and build, or None if the user has no home.

    >>> path = cached_path({"cpu_model": "example"}, threads=1)
    >>> path is None or path == cached_path({"cpu_model": "example"}, threads=1)
    True
    """
    folder = cache_folder()
    if folder is None:
        return None
    key = json.dumps([SCHEMA_VERSION, threads, sorted(machine.items())])
    return folder / f"costs-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _mapping(fields: dict[str, Any], name: str, *kinds: type) -> dict[str, Any] | None:
    """Returns the JSON object of that name, or None unless all of its values are of these kinds."""
    value = fields.get(name)
    if not isinstance(value, dict) or any(type(held) not in kinds for held in value.values()):
        return None
    return value
