"""The option `--fuse` without an objective."""

from __future__ import annotations

from collections.abc import Iterable

from pi_bench.measurement_options.fusion_objective import FLAGS, ONLINE


def with_objectives(arguments: Iterable[str]) -> list[str]:
    """Gives each `--fuse` without an objective its default, so that it takes no argument that follows.

    >>> with_objectives(["latency", "--fuse", "model.pt"])
    ['latency', '--fuse=online', 'model.pt']
    >>> with_objectives(["latency", "model.pt", "--fuse", "online:lan"])
    ['latency', 'model.pt', '--fuse', 'online:lan']
    """
    given = list(arguments)
    following = [*given[1:], ""]
    return [
        f"{word}={ONLINE}" if word in FLAGS and next_word.partition(":")[0] != ONLINE else word
        for word, next_word in zip(given, following, strict=True)
    ]
