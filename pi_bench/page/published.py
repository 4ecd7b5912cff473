"""Finds the accuracies and latencies that papers publish on the data sets of the given networks."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

_PACKAGE = "pi_bench.models.published"
_TABLES = "pi_bench.models.published.tables"
TABLE = "T"
"""The mark of every point with a latency: it was read from a table or the text of a paper."""
_WORD = re.compile(r"[a-z0-9]+")


class PublishedAccuracy(Protocol):
    """Describes the point of a paper that a page uses, as `pi_bench.models.published` has it.

    ```python
    def print_source(point: PublishedAccuracy) -> None:
        print(point.method, point.source)
    ```
    """

    @property
    def method(self) -> str: ...
    @property
    def network(self) -> str: ...
    @property
    def relu_count(self) -> int | None: ...
    @property
    def accuracy_pct(self) -> float: ...
    @property
    def mark(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def note(self) -> str: ...


@dataclass(frozen=True)
class PublishedLatency:
    """Holds a network with the accuracy that a table of a paper prints, and the latency where it prints one.

    Attributes:
        method: the name of the method.
        network: the name that the recipe gives the network; the words of the table where there is no recipe.
        relu_count: as printed; None where it is not.
        accuracy_pct: the test accuracy in percent.
        latency_s: on the test bed of the paper; None where it is not printed.
        source: the place where it was read.
        test_bed: describes the machines of the paper.

    >>> PublishedLatency("SNL", "ResNet18", 15000, 67.17, None, "Table 1", "").latency_s is None
    True
    """

    method: str
    network: str
    relu_count: int | None
    accuracy_pct: float
    latency_s: float | None
    source: str
    test_bed: str


@dataclass(frozen=True)
class PublishedPoints:
    """Holds the published points by data set: accuracies alone, and rows of tables.

    >>> PublishedPoints().accuracies
    {}
    """

    accuracies: Mapping[str, Sequence[PublishedAccuracy]] = field(default_factory=dict)
    latencies: Mapping[str, Sequence[PublishedLatency]] = field(default_factory=dict)


def published_on(names: Iterable[str]) -> PublishedPoints:
    """Returns the published points on each data set that one of the names contains as a word.

    Args:
        names: names of networks and of the data of accuracies.

    >>> found = published_on(["resnet18-cifar100-12288", "tiny"])
    >>> sorted(found.accuracies), found.latencies["cifar100"][1].latency_s
    (['cifar100'], 4.61)
    """
    module = importlib.import_module(_PACKAGE)
    words = {word for name in names for word in _WORD.findall(name.lower())}
    found = [data for data in module.published_data_sets() if data in words]
    return PublishedPoints(
        accuracies={data: module.published_points(data) for data in found}, latencies=_latencies(found)
    )


def _latencies(data_sets: Sequence[str]) -> dict[str, list[PublishedLatency]]:
    """Reads the tables whose networks are of these data sets.

    Of a network that several tables print for one method, the first row with a latency is read; the first
    row where no table prints one. Rounded figures of a later table would make a second point of it.
    """
    tables = importlib.import_module(_TABLES)
    found: dict[str, dict[tuple[str, str], PublishedLatency]] = {data: {} for data in data_sets}
    for name in tables.table_names() if data_sets else ():
        table = tables.load_table(name)
        recipes = (row.recipe for row in table.networks)
        data = next((data for each in recipes if (data := data_set_of(each, data_sets))), "")
        for row in table.networks if data and table.test_bed else ():
            accuracy_pct = row.accuracy_without_kd_pct if row.accuracy_pct is None else row.accuracy_pct
            if accuracy_pct is None:
                continue
            recipe = row.built()
            point = PublishedLatency(
                row.method,
                row.network if recipe is None else recipe.name,
                row.relu_count,
                accuracy_pct,
                row.latency_s,
                row.source,
                table.test_bed,
            )
            known = found[data].get((point.method, point.network))
            if known is None or (known.latency_s is None and point.latency_s is not None):
                found[data][point.method, point.network] = point
    return {data: list(points.values()) for data, points in found.items()}


def data_set_of(name: str, known: Iterable[str]) -> str:
    """Returns the data set that the name contains as a word; "" for none.

    >>> data_set_of("resnet18-cifar100-12288", ["cifar10", "cifar100"])
    'cifar100'
    """
    words = set(_WORD.findall(name.lower()))
    return next((data for data in known if data in words), "")


def way_of_reading(mark: str) -> str:
    """Says how a point was read, by its mark.

    >>> way_of_reading("A")
    'the abstract of the paper'
    """
    return str(importlib.import_module(_PACKAGE).MARKS[mark])


def names_by_reading(points: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Names the methods of points, each with its source where points of one method come from several.

    Args:
        points: the method and the mark of each.

    >>> names_by_reading([("SNL", "2"), ("CryptoNAS", "2"), ("CryptoNAS", "T")])[("CryptoNAS", "T")]
    'CryptoNAS (tables)'
    """
    known = dict.fromkeys(points)
    words: Mapping[str, str] = importlib.import_module(_PACKAGE).READINGS
    marks = {method: [mark for other, mark in known if other == method] for method, _ in known}
    return {
        (method, mark): f"{method} ({words[mark]})" if len(marks[method]) > 1 else method
        for method, mark in known
    }
