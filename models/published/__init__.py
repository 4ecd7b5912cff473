"""Accuracies that papers publish, one CSV file per data set, to be drawn with measured ones.

They are not comparable with measured accuracies in every respect: most were chosen on test images, and some
were read from somebody else's plots. Each point therefore has a mark for the way in which it was read.
Nothing here imports torch.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from pi_bench.errors import ModelError, UsageError
from pi_bench.unknown_name import unknown_name

MARKS = {
    "T": "a table or the text of a paper",
    "A": "the abstract of the paper",
    "C": "public code or logs",
    "2": "plots that somebody else redrew",
    "M": "memory, not verified",
}
"""Says for each mark how a point was read."""
READINGS = {"T": "tables", "A": "abstracts", "C": "code", "2": "redrawn plots", "M": "memory"}
"""The sources of points in a word or two, by their marks."""
_COLUMNS = ("method", "network", "relu_count", "accuracy_pct", "mark", "source", "note")


@dataclass(frozen=True, slots=True)
class PublishedPoint:
    """The accuracy of one network as a paper publishes it.

    Attributes:
        method: the name of the method.
        network: the network; empty if it is not known.
        relu_count: the number of ReLUs; None if it is not published.
        accuracy_pct: the test accuracy in percent.
        mark: one of `MARKS`; it says how the point was read.
        source: the place where it was read.
        note: a caution; may be empty.

    >>> published_points("cifar100")[0].accuracy_pct
    66.53
    """

    method: str
    network: str
    relu_count: int | None
    accuracy_pct: float
    mark: str
    source: str
    note: str


def published_data_sets() -> list[str]:
    """Returns the names of the data sets with published points, sorted.

    >>> published_data_sets()
    ['cifar10', 'cifar100', 'imagenet', 'tinyimagenet']
    """
    return sorted(entry.name.removesuffix(".csv") for entry in _tables())


def published_points(data: str) -> list[PublishedPoint]:
    """Returns the published points on the data set `data`.

    Raises:
        UsageError: There are none.
        ModelError: The file of the points is not valid.

    >>> {point.mark for point in published_points("imagenet")}
    {'A'}
    """
    found = {entry.name.removesuffix(".csv"): entry for entry in _tables()}
    if data not in found:
        raise UsageError(unknown_name("list of published accuracies on", data, sorted(found)))
    return parse_points(found[data].read_text(encoding="utf-8"), f"{data}.csv")


def parse_points(text: str, origin: str) -> list[PublishedPoint]:
    """Returns the points of the CSV `text`.

    Args:
        origin: the name of the file in messages.

    Raises:
        ModelError: A column is missing, or a value is outside its range.

    >>> header = "method,network,relu_count,accuracy_pct,mark,source,note"
    >>> parse_points(f"{header}\\nSNL,ResNet18,15000,67.17,2,plots,", "mine.csv")[0].relu_count
    15000
    """
    reader = csv.DictReader(text.splitlines(), restkey="")
    if tuple(reader.fieldnames or ()) != _COLUMNS:
        raise ModelError(f"{origin}: the columns must be {', '.join(_COLUMNS)}")
    points = [_point(row, f"{origin}, line {reader.line_num}") for row in reader]
    keys = [(point.method, point.network, point.relu_count, point.source) for point in points]
    twice = next((key for index, key in enumerate(keys) if key in keys[:index]), None)
    if twice is not None:
        raise ModelError(f"{origin}: the point {twice[0]} at {twice[2]} ReLUs is listed twice")
    return points


def _point(row: dict[str, str | None], place: str) -> PublishedPoint:
    texts = {name: value for name, value in row.items() if value is not None}
    if set(texts) != set(_COLUMNS):
        raise ModelError(f"{place}: {len(_COLUMNS)} values are needed")
    for name in ("method", "source"):
        if not texts[name]:
            raise ModelError(f"{place}: {name} is empty")
    if texts["mark"] not in MARKS:
        raise ModelError(f"{place}: mark is {texts['mark']!r:.20}, allowed: {', '.join(MARKS)}")
    count = texts["relu_count"]
    if count and not (count.isascii() and count.isdigit() and int(count) > 0):
        raise ModelError(f"{place}: relu_count is {count!r:.40}, a whole number above 0 or nothing is needed")
    try:
        accuracy_pct = float(texts["accuracy_pct"])
    except ValueError:
        accuracy_pct = -1.0
    if not 0 <= accuracy_pct <= 100:  # NaN is refused too
        raise ModelError(f"{place}: accuracy_pct is {texts['accuracy_pct']!r:.40}, 0 to 100 is needed")
    return PublishedPoint(
        texts["method"],
        texts["network"],
        int(count) if count else None,
        accuracy_pct,
        texts["mark"],
        texts["source"],
        texts["note"],
    )


def _tables() -> list[Traversable]:
    return [entry for entry in files(__package__).iterdir() if entry.name.endswith(".csv")]
