"""The definition of a sweep, by which a folder tells it from others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pi_bench
from pi_bench.sweep.cells import SweepCell

_FORMAT = 1
_LONGEST = 120  # characters of a value in a message


@dataclass(frozen=True)
class Sweep:
    """Defines a sweep: its cells, and the options that all of them share, as JSON values.

    >>> from pi_bench.sweep.cells import Network
    >>> sweep = Sweep((SweepCell(1, Network("a", "0123"), "fss", None, 2),), {"runs": 5})
    >>> sweep.definition()["link"], sweep.definition()["network a"]
    (['loopback'], '0123')
    """

    cells: tuple[SweepCell, ...]
    options: Mapping[str, Any]

    def definition(self) -> dict[str, Any]:
        """Returns the words that tell this sweep from others, by the name of the thing that they say."""
        networks = {f"network {cell.network.name}": cell.network.identity for cell in self.cells}
        words = {
            "format": _FORMAT,
            "version of pi-bench": pi_bench.__version__,
            "network": _unique(cell.network.name for cell in self.cells),
            "protocol": _unique(cell.protocol for cell in self.cells),
            "link": _unique(cell.link_name for cell in self.cells),
            "threads": _unique(cell.threads for cell in self.cells),
            **networks,
            **{f"--{name.replace('_', '-')}": value for name, value in self.options.items()},
        }
        found: dict[str, Any] = json.loads(json.dumps(words))  # as it is read again: tuples become lists
        return found


def difference(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Says in a few words how two definitions differ; "" if they are the same.

    >>> difference({"link": ["lan"], "--runs": 5}, {"link": ["lan", "wan"], "--runs": 3})
    'it has no link wan'
    """
    # The first value that differs tells most: those of a network follow the names of all networks.
    for name, value in wanted.items():
        if known.get(name) == value:
            continue
        if name not in known:
            return f"it has no {name}, and {_text(value)} is asked for"
        if name.startswith("network "):
            return f"the {name} has changed since"
        if isinstance(value, list) and isinstance(known[name], list) and not name.startswith("--"):
            return _difference_of_lists(name, known[name], value)
        return f"its {name} is {_text(known[name])}, and {_text(value)} is asked for"
    more = next((name for name in known if name not in wanted), None)
    return "" if more is None else f"its {more} is {_text(known[more])}"


def _difference_of_lists(name: str, known: list[Any], wanted: list[Any]) -> str:
    missing = [value for value in wanted if value not in known]
    extra = [value for value in known if value not in wanted]
    if missing:
        return f"it has no {name} {missing[0]}"
    if extra:
        return f"it has {name} {extra[0]}, which is not asked for"
    return f"it has another order of {name}"


def _text(value: Any) -> str:
    words = json.dumps(value)
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."


def _unique(values: Iterator[Any]) -> list[Any]:
    return list(dict.fromkeys(values))
