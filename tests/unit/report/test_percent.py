"""Percentages in text have a space before the sign, as other units do; values of flags (5%) have none."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_no_format_writes_the_sign_without_a_space() -> None:
    """The presentation type "%" of Python writes none; `quantities.percent` does."""
    files = [
        path for folder in ("pi_bench", "models", "benchmarks") for path in (ROOT / folder).rglob("*.py")
    ]
    assert len(files) > 500
    assert [path for path in files if re.search(r":[.\d]*%[}\"']", path.read_text())] == []
