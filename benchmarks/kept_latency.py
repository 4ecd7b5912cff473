"""Measurements of recipes by `pi-bench latency` that are kept in a folder, so that a benchmark continues."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def kept_latency(folder: Path, name: str, recipe: str, link: str, words: Sequence[str]) -> dict[str, Any]:
    """Returns the record FOLDER/NAME.json of a recipe on a link, which is measured if it is missing.

    Args:
        words: further words of the command `pi-bench latency`.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        model = folder / f"{recipe}.pt"
        if not model.exists():
            _run("export", "--recipe", recipe, "-o", str(model))
        of_link = [] if link == "loopback" else ["--link", link]
        _run("latency", str(model), *of_link, *words, "--no-history", "--json", str(path))
    return dict(json.loads(path.read_text()))


def _run(*words: str) -> None:
    print("pi-bench", *words, file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "pi_bench", *words], check=True, stdout=subprocess.DEVNULL)
