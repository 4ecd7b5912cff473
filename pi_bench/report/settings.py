"""What both parties agreed on, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pi_bench.arithmetic.law import TRUNCATED_SIGN


def mode_words(settings: Mapping[str, Any]) -> str:
    """Such as ``mode windowed, label chunks of 3 bits``; `settings` has the fields of `ProtocolOptions`."""
    words = [f"mode {settings['mode']}"]
    if settings["mode"] == TRUNCATED_SIGN:
        words.append(f"sign drop {settings['sign_drop']} bits")
    if settings["label_chunk"] > 1:
        words.append(f"label chunks of {settings['label_chunk']} bits")
    return ", ".join(words)
