"""The bound on the memory that a server spends on transformed weights, with made-up memory."""

from __future__ import annotations

import pytest

from pi_bench.launch import weight_cache
from pi_bench.launch.weight_cache import weight_cache_bytes


@pytest.mark.parametrize(
    ("available", "asked", "bound"),
    [
        (8_000, None, 2_000),
        (8_000, 1_500, 1_500),
        (8_000, 2_001, 2_000),
        (8_000, 0, 0),
        (3, None, 0),
    ],
)
def test_the_bound_is_a_quarter_of_the_memory_or_less_if_less_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, available: int, asked: int | None, bound: int
) -> None:
    monkeypatch.setattr(weight_cache, "available_memory_bytes", lambda: available)
    assert weight_cache_bytes(asked) == bound
