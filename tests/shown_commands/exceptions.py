"""Reads exceptions.toml: the commands that tests do not run, each with the reason."""

from __future__ import annotations

import tomllib
from pathlib import Path

EXCEPTIONS: dict[str, str] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
"""Reasons by the command as it is shown. A command that ends in " …" stands for all that begin so."""


def exception_of(shown: str) -> str | None:
    """Returns the key of the exception for a command, or None if tests run it."""
    for command in EXCEPTIONS:
        if shown == command or (command.endswith(" …") and shown.startswith(command.removesuffix("…"))):
            return command
    return None
