"""Whether the weights of a model file are random, as its exporter noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

RANDOM_WORDS = (
    "weights are random: latency and bytes are those of a trained network, answers mean nothing; "
    "export with --weights for answers"
)


def weights_of(meta: Mapping[str, Any]) -> Literal["random", "given"] | None:
    """``random`` or ``given``; None where the file does not say."""
    noted = meta.get("random_weights")
    if not isinstance(noted, bool):
        return None
    return "random" if noted else "given"


def weights_words(weights: str | None) -> str:
    """Such as ``weights given``, for a heading."""
    return f"weights {weights or 'of unknown origin'}"


def random_warnings(weights: str | None) -> list[str]:
    """One sentence where they are random, else none."""
    return [RANDOM_WORDS] if weights == "random" else []
