"""Patterns that choose layers by their paths, in the keys of recipes that replace ReLUs layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

LAYER_KEYS = ("polynomials", "cubics", "identities")
"""The keys that replace the ReLUs of the layers whose paths they match. No layer matches two of them."""


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Returns whether one of the patterns matches the path of a layer.

    >>> matches("stages.0.1.relu2", ["stem.relu", "stages.0.*"])
    True
    """
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def unfit_patterns(relus: Sequence[str], patterns: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yields key and fault of each pattern that matches no ReLU layer, and of layers that match two keys.

    Args:
        relus: the paths of the ReLU layers.
        patterns: the patterns of each key.

    >>> list(unfit_patterns(["relu"], {"cubics": ["relu"], "identities": ["*"]}))
    [('identities', "matches relu, and so does 'cubics': a layer becomes one thing")]
    """
    seen: dict[str, str] = {}
    for key, of_key in patterns.items():
        for pattern in of_key:
            if not any(fnmatchcase(path, pattern) for path in relus):
                paths = ", ".join(relus)
                yield key, f"names {pattern!r}, which no ReLU layer matches: they are {paths}"
        for path in relus:
            if matches(path, of_key) and seen.setdefault(path, key) != key:
                yield key, f"matches {path}, and so does {seen[path]!r}: a layer becomes one thing"
