"""Finds protocols by name, so that the harness names none of them."""

from __future__ import annotations

import importlib
import pkgutil

from pi_bench.errors import UsageError
from pi_bench.protocol import ProtocolInfo

_PROTOCOLS = "pi_bench.protocols"


def protocol_names() -> tuple[str, ...]:
    """The packages in ``pi_bench.protocols``, sorted; nothing of them is imported."""
    package = importlib.import_module(_PROTOCOLS)
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg))


def find_protocol(name: str) -> ProtocolInfo:
    """Finds a protocol by its name.

    ``NAME`` is ``PROTOCOL`` of ``pi_bench.protocols.NAME``; ``NAME:OTHER`` is made of the protocol OTHER by
    ``derive`` of that package.

    Raises:
        UsageError: there is no such protocol, or it cannot be made of the other one.
    """
    name, colon, other = name.partition(":")
    for known in (name, other) if colon else (name,):
        if known not in protocol_names():
            raise UsageError(f"there is no protocol {known!r}; there are {', '.join(protocol_names())}")
    package = importlib.import_module(f"{_PROTOCOLS}.{name}")
    if colon and not hasattr(package, "derive"):
        raise UsageError(
            f"protocol {name} is not made of another one; write {name} instead of {name}:{other}"
        )
    found = package.derive(find_protocol(other)) if colon else package.PROTOCOL
    assert isinstance(found, ProtocolInfo)
    return found


def require_known(protocol: str | None, mode: str | None) -> None:
    """Refuses names that no installed protocol bears; None is not looked at.

    Raises:
        UsageError: there is no such protocol, or none that has such a mode.
    """
    found = [find_protocol(name) for name in (protocol_names() if protocol is None else [protocol])]
    modes = list(dict.fromkeys(known for info in found for known in info.modes))
    if mode is not None and mode not in modes:
        whose = "no protocol has a" if protocol is None else f"protocol {protocol} has no"
        raise UsageError(f"{whose} mode {mode!r}; there are {', '.join(modes)}")
