"""The tables of papers, as tests/vectors has them."""

from __future__ import annotations

import csv
from pathlib import Path

VECTORS = Path(__file__).parent / "vectors"


def table(name: str) -> list[dict[str, str]]:
    """The rows of a table, by the names of its columns."""
    return list(csv.DictReader((VECTORS / name).read_text().splitlines()))
