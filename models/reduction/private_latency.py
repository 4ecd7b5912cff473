"""The private latency of a search's networks, measured one at a time after all trainings.

The caller gives the function that measures, because models do not know the launcher.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pi_bench.atomic_file import whole_file
from pi_bench.errors import ModelError, VerificationError
from pi_bench.progress import Progress

from .candidate import Candidate

Measure = Callable[[Path, Path], None]
"""Measures the model file at the first path and writes the document of `latency --json` to the second."""

LATENCY_FILE = "latency.json"


def measure_all(
    candidates: Sequence[Candidate],
    root: Path,
    measure: Measure,
    settings: Mapping[str, Any],
    progress: Progress,
    interrupted: Callable[[KeyboardInterrupt, int], None],
) -> list[Candidate]:
    """Returns the candidates with their latencies. A network that an earlier run measured is not repeated.

    Args:
        root: the folder that the candidates' folders are relative to.
        measure: measures one network.
        settings: the values that a stored result must have to be used again: those of its keys, and link and
            fuse by name.
        interrupted: called after Ctrl-C with the number of networks that have a latency. The others are
            returned without one.

    Raises:
        PiBenchError: `measure` fails. A network whose private answer is wrong, or that cannot be compiled,
            raises nothing and is returned with the reason.

    >>> diverged = Candidate("a", "snl", "", 100, failure="training diverged")
    >>> measure_all([diverged], Path("snl"), print, {}, print, print) == [diverged]
    measuring a 0 1
    True
    """
    found: list[Candidate] = []
    try:
        for number, candidate in enumerate(candidates):
            progress(f"measuring {candidate.name}", number, len(candidates))
            found.append(_measured(candidate, root / candidate.folder, measure, settings))
    except KeyboardInterrupt as error:
        interrupted(error, sum(one.latency_s is not None for one in found))
        for candidate in candidates[len(found) :]:
            found.append(replace(candidate, failure=candidate.failure or "not measured: interrupted"))
    return found


def _measured(candidate: Candidate, folder: Path, measure: Measure, settings: Mapping[str, Any]) -> Candidate:
    if candidate.failure:
        return candidate
    result = _stored(folder / LATENCY_FILE, settings)
    if result is None:
        # Elsewhere first, since the command writes a document even if the answer is wrong.
        with tempfile.TemporaryDirectory() as elsewhere:
            written = Path(elsewhere, LATENCY_FILE)
            try:
                measure(folder / "model.pt", written)
            except (ModelError, VerificationError) as error:
                return replace(candidate, failure=f"not measured: {error}")
            document = written.read_bytes()
        with whole_file(folder / LATENCY_FILE) as file:
            file.write(document)
        result = json.loads(document)
    return candidate.measured(result)


def _stored(path: Path, settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Returns the result with these settings, if there is one that is newer than the network."""
    try:
        result: dict[str, Any] = json.loads(path.read_text())
        newer = path.stat().st_mtime_ns >= path.with_name("model.pt").stat().st_mtime_ns
    except (OSError, ValueError):
        return None
    found = {
        **result,
        "link": result.get("link", {}).get("name", "loopback"),
        "fuse": result.get("arguments", {}).get("fuse"),
    }
    return result if newer and all(found.get(key) == value for key, value in settings.items()) else None
