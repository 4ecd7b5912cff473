"""Skips tests without an optional package, and imports none: sklearn alone takes 1.6 s of each process."""

from __future__ import annotations

import importlib.util

import pytest


def skip_without(*packages: str) -> None:
    """Skips the tests of the calling module if one of these packages is not installed."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed", allow_module_level=True)
