"""Names sets of runs by the setting that they share, in place of a list of their labels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from pi_bench.page.runs import LabeledRun, label_parts, link_name
from pi_bench.report.quantities import counted

_LISTED = 3
"""So many labels are read faster than the name of a group."""
_SETTINGS: tuple[tuple[str, Callable[[LabeledRun], str]], ...] = (
    ("protocol", lambda run: run.result.protocol),
    ("link", lambda run: link_name(run.result)),
    ("network", lambda run: label_parts(run.label)[0]),
)


def group_text(found: Sequence[LabeledRun], runs: Sequence[LabeledRun]) -> str:
    """Names some of the runs of a page: all of a protocol, of a link or of a network, or their labels.

    Where no name fits, it says how many runs of the smallest such group they are.

    >>> group_text([], [])
    'no run'
    """
    if not found:
        return "no run"
    if len(found) == 1:
        return found[0].label
    if name := _name(found, runs):
        return name
    if len(found) <= _LISTED:
        return "; ".join(run.label for run in found)
    group, around = min(
        ((each, group) for each, group in _groups_around(found, runs)), key=lambda pair: len(pair[1])
    )
    numbers = {run.number for run in found}
    others = [run for run in around if run.number not in numbers]
    if name := _name(others, around):
        return f"{group}, except {name.replace('all runs', 'those', 1)}"
    if len(others) <= _LISTED:
        return f"{group}, except {'; '.join(run.label for run in others)}"
    return f"{len(found)} of {counted(len(around), 'run')}: {group}"


def _groups_around(
    found: Sequence[LabeledRun], runs: Sequence[LabeledRun]
) -> list[tuple[str, list[LabeledRun]]]:
    """Lists the groups that contain these runs, by their names. Those with fewer settings come first."""
    shared = [(name, read) for name, read in _SETTINGS if len({read(run) for run in found}) == 1]
    groups = []
    for count in range(len(shared) + 1):
        for chosen in itertools.combinations(shared, count):
            values = {name: read(found[0]) for name, read in chosen}
            group = [run for run in runs if all(read(run) == values[name] for name, read in chosen)]
            groups.append((_words(values), group))
    return groups


def _name(found: Sequence[LabeledRun], runs: Sequence[LabeledRun]) -> str:
    """Returns the name of the group that consists of these runs; "" if there is none."""
    return next((name for name, group in _groups_around(found, runs) if len(group) == len(found)), "")


def _words(values: dict[str, str]) -> str:
    protocol, over, of = (values.get(name, "") for name in ("protocol", "link", "network"))
    return " ".join(
        ["all", *([protocol] if protocol else []), "runs"]
        + ([f"over {over}"] if over else [])
        + ([f"of {of}"] if of else [])
    )
