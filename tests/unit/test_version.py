"""Checks that the installed package and its native code have the version of pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pi_bench
from pi_bench import _native

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def test_the_package_and_its_native_code_say_the_version_of_the_project() -> None:
    version = tomllib.loads(PYPROJECT.read_text())["project"]["version"]
    assert {pi_bench.__version__, _native.__version__} == {version}, "reinstall with `make setup`"
