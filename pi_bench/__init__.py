"""pi-bench measures the cost of private inference per layer, per phase and per link."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pi_bench.exporting import export
    from pi_bench.network.files.checkpoint import load_weights
    from pi_bench.python_interface import compare, inspect, measure

    __version__: str

__all__ = ["compare", "export", "inspect", "load_weights", "measure"]

_HOMES = {
    "compare": "pi_bench.python_interface",
    "export": "pi_bench.exporting",
    "inspect": "pi_bench.python_interface",
    "load_weights": "pi_bench.network.files.checkpoint",
    "measure": "pi_bench.python_interface",
}


def _version() -> str:
    """Reads the version of the installed package once, when somebody asks for it: that takes time."""
    from importlib.metadata import version

    found = globals()["__version__"] = version("pi-bench")
    return found


if not TYPE_CHECKING:  # so that type checkers find wrong names

    def __getattr__(name: str) -> Any:
        # The parties import this package too, and must not load the modules that only exporting needs.
        if name == "__version__":
            return _version()
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_HOMES[name]), name)
