"""Bounds the memory that a server spends on weights in the form that its offline phase needs."""

from __future__ import annotations

from pi_bench.metrics.available_memory import available_memory_bytes


def weight_cache_bytes(asked_bytes: int | None) -> int:
    """Returns the bound that a server that starts now has: at most a quarter of the memory that is available.

    A server keeps no more than all weights need. It has one cache for all its clients, so the bound is that
    of its process. Several servers of one machine that start one after another never fill the memory: each
    takes a quarter of what the others left.

    Args:
        asked_bytes: the bound that the user gave, or None for the quarter alone.

    >>> weight_cache_bytes(1000)
    1000
    >>> weight_cache_bytes(None) > 1000
    True
    """
    quarter = available_memory_bytes() // 4
    return quarter if asked_bytes is None else min(asked_bytes, quarter)
