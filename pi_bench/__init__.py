"""pi-bench: what private inference costs, per layer, per phase, per link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pi_bench.exporting import export

__version__ = "0.1.0"

__all__ = ["export"]


def __getattr__(name: str) -> Any:
    # The parties import this package and have no use for what exporting needs.
    if name != "export":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pi_bench.exporting import export

    return export
