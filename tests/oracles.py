"""Independent programs with which tests compare answers, and that not every machine has."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

REQUIRED = "PI_BENCH_REQUIRE_ORACLES"
"""With 1 in this variable, as in .ci/run, a missing oracle fails its tests instead of skipping them."""


def oracle(name: str) -> Any:
    """Imports the module `name`; without it, skips the test, or fails it where oracles are required."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{REQUIRED} is 1, and {name} cannot be imported: {error}; run `make setup`")
        pytest.skip(f"{name} is not installed")
