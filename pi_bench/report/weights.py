"""Reads the origin of the weights of a model file, as its exporter noted it: random, given or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

_MEANING = "latency and bytes are those of a trained network, answers mean nothing"
_RANDOM = f"weights are random: {_MEANING}; export with --weights for answers"


def weights_of(meta: Mapping[str, Any]) -> Literal["random", "given"] | None:
    """Tells where the weights of a model file come from, by its notes; None where they are unknown.

    Random weights were drawn by the exporter. Given weights were read from a checkpoint or a network's file,
    or are the result of a training. Weights that an exported module had on its own are unknown.

    >>> weights_of({"random_weights": True}), weights_of({})
    ('random', None)
    """
    noted = meta.get("random_weights")
    if not isinstance(noted, bool):
        return None
    return "random" if noted else "given"


def weights_text(weights: str | None) -> str:
    """Writes where the weights come from, for a heading.

    >>> weights_text("random")
    'weights random'
    >>> weights_text(None)
    "weights unknown (the module's own; export with --own-weights or own_weights= to note it)"
    """
    own = "unknown (the module's own; export with --own-weights or own_weights= to note it)"
    return f"weights {weights or own}"


def export_text(meta: Mapping[str, Any]) -> str:
    """Writes where the weights come from, for the text of an export, with the seed of random ones.

    >>> export_text({"random_weights": False})
    'weights given'
    >>> export_text({"random_weights": True, "seed": 7})
    'weights random, seed 7: latency and bytes are those of a trained network, answers mean nothing'
    """
    weights = weights_of(meta)
    words = weights_text(weights)
    return f"{words}, seed {meta.get('seed', '-')}: {_MEANING}" if weights == "random" else words


def random_warnings(weights: str | None) -> list[str]:
    """Returns a warning where the weights are random.

    >>> random_warnings("given")
    []
    """
    return [_RANDOM] if weights == "random" else []
