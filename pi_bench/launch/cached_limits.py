"""Finds the limits of this machine: those that the user's cache has kept for some minutes, or new ones."""

from __future__ import annotations

import contextlib
import datetime
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pi_bench.errors import InputError
from pi_bench.launch import placement
from pi_bench.launch.placement import Placement
from pi_bench.metrics.environment import describe_machine
from pi_bench.metrics.limits_process import measure_limits
from pi_bench.prediction.costs_file import cached_path
from pi_bench.prediction.limits import Limits
from pi_bench.prediction.limits_file import KEPT, read_limits, write_limits
from pi_bench.progress import Progress

FRESH_S = 300.0
"""Seconds for which measured limits are used again."""

_SYSTEM = Path("/sys")
_SIZE = re.compile(r"(\d+)K")
_log = logging.getLogger(__name__)


def machine_limits(place: Placement, progress: Progress, *, cache: Path | None = None) -> Limits:
    """Returns the limits of this machine for parties that are placed like this.

    They are measured unless the cache holds some that are a few minutes old at most. The machine's earlier
    limits stand beside them.

    Without a cache they are measured every time.

    Args:
        cache: the file; None for that of the user.

    Raises:
        EnvironmentUnsupportedError: they cannot be measured.

    ```python
    from pi_bench.launch.placement import place
    from pi_bench.progress import silent

    def aes_block_s() -> float:  # takes two seconds
        return machine_limits(place(1), silent).unit_s["aes"]
    ```
    """
    path = limits_path(place) if cache is None else cache
    now = datetime.datetime.now(datetime.UTC)
    known: Limits | None = None
    if path is not None:
        with contextlib.suppress(InputError):  # not there, damaged, or of another version
            known = read_limits(path)
    if known is not None and known.age_s(now) < FRESH_S:
        _log.info("the limits of this machine are in the cache: %s", path)
        return known
    progress("measuring the limits of this machine", 0, 1)
    earlier = () if known is None else (*known.earlier, known.unit_s)[-KEPT:]
    found = Limits(
        measure_limits(place.threads, place.client_cores, place.server_cores),
        place.threads,
        cache_bytes(place.client_cores + place.server_cores),
        now.isoformat(timespec="seconds"),
        earlier,
    )
    if path is not None:
        with contextlib.suppress(OSError):
            write_limits(found, path)
    return found


def beside_earlier(measured: Mapping[str, float], threads: int) -> Limits | None:
    """Returns other limits of this machine together with those that the cache of the user has for it.

    Returns None if the cache has none.

    Args:
        measured: seconds per unit by name, not necessarily of all names.

    >>> limits = beside_earlier({"aes": 1e-9}, threads=1)
    >>> limits is None or limits.unit_s["aes"] == 1e-9
    True
    """
    path = limits_path(placement.place(threads))
    if path is None:
        return None
    try:
        known = read_limits(path)
    except InputError:
        return None
    return replace(known, unit_s={**known.unit_s, **measured}, earlier=(*known.earlier, known.unit_s))


def limits_path(place: Placement) -> Path | None:
    """Returns the file of this machine's limits in the cache of the user, or None if there is no cache.

    >>> path = limits_path(Placement(1, (), ()))
    >>> path is None or path.name.startswith("limits-")
    True
    """
    path = cached_path({**describe_machine(), "pinned": str(place.pinned)}, place.threads)
    return None if path is None else path.with_name(path.name.replace("costs-", "limits-"))


def cache_bytes(cores: Iterable[int], system: Path = _SYSTEM) -> int | None:
    """Returns the bytes that the second- and third-level caches of these cores hold, each cache once.

    Without cores, those of all cores count. Returns None if the system names no third-level cache: then a
    host may have one that it does not show.

    >>> cache_bytes((), Path("no-such-folder")) is None
    True
    """
    chosen = {f"cpu{core}" for core in cores}
    sizes: dict[tuple[str, str], int] = {}
    for folder in system.glob("devices/system/cpu/cpu[0-9]*/cache/index[0-9]*"):
        if chosen and folder.parent.parent.name not in chosen:
            continue
        with contextlib.suppress(OSError):
            level, size, shared = (
                (folder / name).read_text().strip() for name in ("level", "size", "shared_cpu_list")
            )
            if level in ("2", "3") and (found := _SIZE.fullmatch(size)):
                sizes[level, shared] = 1024 * int(found[1])
    return sum(sizes.values()) if any(level == "3" for level, _ in sizes) else None
