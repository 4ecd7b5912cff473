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
    """``PROTOCOL`` of ``pi_bench.protocols.NAME``.

    Raises:
        UsageError: there is no such protocol.
    """
    if name not in protocol_names():
        raise UsageError(f"there is no protocol {name!r}; there are {', '.join(protocol_names())}")
    found = importlib.import_module(f"{_PROTOCOLS}.{name}").PROTOCOL
    assert isinstance(found, ProtocolInfo)
    return found
