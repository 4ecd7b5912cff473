"""Whether the weights of a model file are random, as its exporter noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

RANDOM_WORDS = (
    "weights are random: latency and bytes are those of a trained network, answers mean nothing; "
    "export with --weights for answers"
)


def weights_of(meta: Mapping[str, Any]) -> Literal["random", "given"] | None:
    """Tells where the weights of a model file come from, by its notes; None where they do not say.

    >>> weights_of({"random_weights": True}), weights_of({})
    ('random', None)
    """
    noted = meta.get("random_weights")
    if not isinstance(noted, bool):
        return None
    return "random" if noted else "given"


def weights_words(weights: str | None) -> str:
    """Writes where the weights come from, for a heading.

    >>> weights_words("random"), weights_words(None)
    ('weights random', 'weights of the exported module (trained or random: the model file does not say)')
    """
    return f"weights {weights or 'of the exported module (trained or random: the model file does not say)'}"


def random_warnings(weights: str | None) -> list[str]:
    """Returns a warning where the weights are random.

    >>> random_warnings("given")
    []
    """
    return [RANDOM_WORDS] if weights == "random" else []
