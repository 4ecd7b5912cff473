"""Writes the settings that both parties agreed on, in a few words."""

from __future__ import annotations

from collections.abc import Mapping


def mode_text(mode: str, options: Mapping[str, int | str]) -> str:
    """Names a mode and the protocol's own options.

    >>> mode_text("exact", {"label_chunk": 3})
    'mode exact, label chunk 3'
    """
    named = [f"{name.replace('_', ' ')} {value}" for name, value in options.items()]
    return ", ".join([f"mode {mode}", *named])
