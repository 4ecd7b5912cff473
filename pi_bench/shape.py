"""The types of shapes and of pairs of sizes, which every layer uses."""

from __future__ import annotations

Shape = tuple[int, ...]
"""The sizes of an array's axes, as numpy gives them."""

Pair = tuple[int, int]
"""One number for rows and one for columns."""
