"""Rows of a long measurement in a JSON file: those that are there are kept, and the others are measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pi_bench.atomic_file import whole_file

Row = dict[str, Any]


def resumed(
    store: Path, wanted: Iterable[tuple[Row, Callable[[], Row]]], *, measuring: bool = True
) -> list[Row]:
    """Returns the wanted rows, in their order, and stores each as soon as it is measured.

    Each wanted row comes as its key and the function that measures the other fields. A stored row is kept if
    all fields of the key are equal. A RuntimeError of a function is printed, and its row is left out. Nothing
    is measured without `measuring`.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    stored: list[Row] = json.loads(store.read_text()) if store.exists() else []
    found = []
    for key, measure in wanted:
        row = next((row for row in stored if key.items() <= row.items()), None)
        if row is None and measuring:
            words = ", ".join(f"{value}" for value in key.values())
            print(f"{words} ...", file=sys.stderr)
            try:
                row = key | measure()
            except RuntimeError as error:
                print(f"{words}: {error}", file=sys.stderr)
                continue
            stored.append(row)
            with whole_file(store) as file:
                file.write(json.dumps(stored, indent=1).encode() + b"\n")
        if row is not None:
            found.append(row)
    return found
