"""Finds the accuracies that papers publish on the data sets of the given networks."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from typing import Protocol

_PACKAGE = "pi_bench.models.published"
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


def published_accuracies(names: Iterable[str]) -> dict[str, list[PublishedAccuracy]]:
    """Returns the published points of each data set that one of the names contains as a word.

    Args:
        names: names of networks and of the data of accuracies.

    >>> sorted(published_accuracies(["resnet18-cifar100-12288", "tiny"]))
    ['cifar100']
    """
    module = importlib.import_module(_PACKAGE)
    words = {word for name in names for word in _WORD.findall(name.lower())}
    return {data: module.published_points(data) for data in module.published_data_sets() if data in words}


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
