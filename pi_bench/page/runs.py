"""Labels runs, so that a reader can tell them apart in a plot."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pi_bench.page.inputs import NamedResult, printable
from pi_bench.report.documents.latency import Result
from pi_bench.report.quantities import counted

_SEPARATOR = " · "


@dataclass(frozen=True)
class LabeledRun:
    """Holds a run under the label that plots and tables have for it.

    Attributes:
        number: its place on the page, from 1.
        label: a text that no other run of the page has.

    ```python
    def print_labels(runs: list[LabeledRun]) -> None:
        print(*(run.label for run in runs))
    ```
    """

    number: int
    label: str
    result: Result


def labeled_runs(results: Sequence[NamedResult]) -> list[LabeledRun]:
    """Labels every run with its network and with each setting in which the runs differ.

    A beginning that the names of all networks share, up to a hyphen, becomes an ellipsis. Runs that have
    everything in common get the names under which they were given, or numbers.

    >>> labeled_runs([])
    []
    """
    shared = shared_beginning([each.result.network.name for each in results])
    fields = [
        values
        for values in ([write(each.result) for each in results] for write in _FIELDS)
        if len(set(values)) > 1
    ]
    networks = [_shortened(each.result.network.name, shared) for each in results]
    labels = [
        _SEPARATOR.join([networks[number], *(values[number] for values in fields)])
        for number in range(len(results))
    ]
    for suffixes in (
        [printable(each.name) for each in results],
        [f"#{number + 1}" for number in range(len(results))],
    ):
        counts = Counter(labels)
        labels = [
            f"{label}{_SEPARATOR}{suffix}" if counts[label] > 1 else label
            for label, suffix in zip(labels, suffixes, strict=True)
        ]
    return [
        LabeledRun(number, label, each.result)
        for number, (label, each) in enumerate(zip(labels, results, strict=True), start=1)
    ]


def shared_beginning(names: Sequence[str]) -> str:
    """Returns the beginning up to a hyphen that all names share; "" if there is one name alone.

    >>> shared_beginning(["resnet18-cifar100-12288", "resnet18-cifar100-57344"])
    'resnet18-cifar100-'
    """
    if len(set(names)) < 2:
        return ""
    lowest, highest = min(names), max(names)  # what they share, all names between them share
    shared = "".join(
        letter
        for letter, _ in itertools.takewhile(
            lambda pair: pair[0] == pair[1], zip(lowest, highest, strict=False)
        )
    )
    return shared[: shared.rfind("-") + 1]


def _shortened(name: str, shared: str) -> str:
    return f"…{name[len(shared) :]}" if shared else name


def link_name(result: Result) -> str:
    """Names the link of a run.

    ```python
    def on_loopback(result: Result) -> bool:
        return link_name(result) == "loopback"
    ```
    """
    return result.link.name


def _options(result: Result) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(result.options.items()))


_FIELDS: tuple[Callable[[Result], str], ...] = (
    lambda result: result.protocol,
    lambda result: f"mode {result.mode}",
    _options,
    link_name,
    lambda result: counted(result.environment.threads, "thread"),
    lambda result: counted(result.network.input_count, "input"),
    lambda result: "fused" if result.network.fusion is not None else "not fused",
    lambda result: result.environment.cpu_model,
)
"""The settings that may tell runs apart, beside the network."""
