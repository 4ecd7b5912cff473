"""Finds protocols by name, so that the harness names none of them.

A protocol is a package inside ``pi_bench.protocols``, or an entry point of another installed package:

    [project.entry-points."pi_bench.protocols"]
    toy = "toyproto:PROTOCOL"

Only the protocol that is asked for is imported. One that is broken never disturbs another.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import pkgutil
import sys
from collections.abc import Iterator

from pi_bench.errors import UsageError
from pi_bench.protocol import ProtocolInfo
from pi_bench.unknown_name import unknown_name

ENTRY_POINT_GROUP = "pi_bench.protocols"
_PACKAGE = "pi_bench.protocols"


def protocol_names() -> tuple[str, ...]:
    """Lists the names of all protocols, sorted. It imports none of them.

    >>> {"delphi", "ideal", "null"} <= set(protocol_names())
    True
    """
    return tuple(sorted({*_own_names(), *(entry.name for entry in _entry_points())}))


def find_protocol(name: str) -> ProtocolInfo:
    """Imports the protocol of that name.

    For ``NAME:OTHER``, the function ``derive`` in the package of NAME makes a protocol from OTHER.

    >>> find_protocol("ideal").secure
    False
    >>> find_protocol("null:delphi").name
    'null:delphi'

    Raises:
        UsageError: there is no such protocol, two packages provide it, it does not load, or NAME cannot be
            made from OTHER.
    """
    name, colon, other = name.partition(":")
    if colon:
        return _derived(name, other)
    return _find(name)


def _find(name: str) -> ProtocolInfo:
    own = [f"pi-bench ({_PACKAGE}.{name})"] if name in _own_names() else []
    entries = [entry for entry in _entry_points() if entry.name == name]
    providers = own + [_words(entry) for entry in entries]
    if not providers:
        raise UsageError(unknown_name("protocol", name, protocol_names()))
    if len(providers) > 1:
        raise UsageError(
            f"protocol {name!r} is provided by {' and by '.join(providers)}; uninstall all but one"
        )
    return _load(entries[0]) if entries else _own(name)


def _derived(name: str, other: str) -> ProtocolInfo:
    _find(name)  # refuses an unknown name
    package = importlib.import_module(f"{_PACKAGE}.{name}") if name in _own_names() else None
    if not hasattr(package, "derive"):
        raise UsageError(
            f"protocol {name} is not made of another one; write {name} instead of {name}:{other}"
        )
    found = package.derive(_find(other))  # type: ignore[union-attr]
    assert isinstance(found, ProtocolInfo)
    return found


def default_protocol() -> ProtocolInfo:
    """Returns the protocol that runs if none is named: the one of this package with ``default=True``.

    >>> default_protocol().default
    True
    """
    return next(info for info in map(_own, _own_names()) if info.default)


def loadable_protocols() -> Iterator[ProtocolInfo]:
    """Yields every protocol that loads, sorted by name. `find_protocol` reports why another does not.

    >>> sum(info.default for info in loadable_protocols())
    1
    """
    for name in protocol_names():
        try:
            info = find_protocol(name)
        except UsageError:
            continue
        yield info


def require_known(protocol: str | None, mode: str | None) -> None:
    """Refuses the name of a protocol or a mode that is not installed. None is accepted.

    >>> require_known("ideal", "exact")
    >>> require_known("ideal", "fast")
    Traceback (most recent call last):
    pi_bench.errors.UsageError: protocol ideal has no mode 'fast'; there are windowed, exact, truncated-sign

    Raises:
        UsageError: there is no such protocol, or it has no such mode. If `protocol` is None: no protocol has
            such a mode.
    """
    if protocol is not None:
        info = find_protocol(protocol)
        if mode is not None:
            info.mode(mode)
    elif mode is not None:
        known: dict[str, None] = {}
        for info in loadable_protocols():
            if mode in info.mode_names:
                return
            known |= dict.fromkeys(info.mode_names)
        raise UsageError(unknown_name("mode", mode, known))


def _own_names() -> list[str]:
    package = importlib.import_module(_PACKAGE)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg)


def _own(name: str) -> ProtocolInfo:
    found = importlib.import_module(f"{_PACKAGE}.{name}").PROTOCOL
    assert isinstance(found, ProtocolInfo)
    return found


def _entry_points() -> tuple[importlib.metadata.EntryPoint, ...]:
    return _entry_points_in(tuple((folder, _changed_ns(folder)) for folder in sys.path))


def _changed_ns(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=1)
def _entry_points_in(folders: tuple[tuple[str, int], ...]) -> tuple[importlib.metadata.EntryPoint, ...]:
    """Reads the entry points anew only if sys.path or a folder of it changed, which an installation does.

    It opens a file of every installed package: 10 ms, and a page finds protocols a dozen times.
    """
    return tuple(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP))


def _load(entry: importlib.metadata.EntryPoint) -> ProtocolInfo:
    try:
        found = entry.load()
    except Exception as error:  # whatever the import of a foreign package raises
        raise UsageError(
            f"protocol {entry.name!r} of {_words(entry)} does not load: {type(error).__name__}: {error}; "
            "repair or uninstall that package"
        ) from error
    if not isinstance(found, ProtocolInfo) or found.name != entry.name:
        raise UsageError(
            f"protocol {entry.name!r} of {_words(entry)} is no ProtocolInfo with that name; "
            "repair or uninstall that package"
        )
    return found


def _words(entry: importlib.metadata.EntryPoint) -> str:
    package = "an unnamed package" if entry.dist is None else entry.dist.name
    return f"{package} ({entry.value})"
