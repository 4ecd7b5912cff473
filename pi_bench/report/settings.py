"""What both parties agreed on, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mode_words(fields: Mapping[str, Any]) -> str:
    """Names mode and options of a result, an inspection or an offer.

    >>> mode_words({"mode": "exact", "options": {"label_chunk": 3}})
    'mode exact, label chunk 3'
    """
    named = [f"{name.replace('_', ' ')} {value}" for name, value in fields["options"].items()]
    return ", ".join([f"mode {fields['mode']}", *named])
