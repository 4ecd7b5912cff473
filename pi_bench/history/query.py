"""Selects runs of the history."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from pi_bench.errors import UsageError

_TEXT_COLUMNS = {
    "network": "network",
    "protocol": "protocol",
    "link": "link",
    "machine": "cpu_model",
    "commit": "commit_id",
    "kind": "kind",
}


@dataclass(frozen=True, slots=True)
class Query:
    """Selects runs by their facts; None selects all.

    Attributes:
        network, protocol, link, machine, commit, kind: the whole text, or a pattern with ``*`` and ``?``;
            upper and lower case do not matter. A commit and a machine may be given by their beginning.
        since, until: dates or times in ISO 8601; `until` includes a whole day that is named by its date.
        limit: at most the newest so many.

    >>> Query(network="resnet18*", limit=5).conditions()
    (['lower(network) GLOB ?'], ['resnet18*'])
    """

    network: str | None = None
    protocol: str | None = None
    link: str | None = None
    machine: str | None = None
    commit: str | None = None
    kind: str | None = None
    tag: str | None = None
    since: str | None = None
    until: str | None = None
    limit: int | None = None

    def conditions(self) -> tuple[list[str], list[Any]]:
        """Returns conditions in SQL and their values.

        Raises:
            UsageError: a time is none.
        """
        found: list[str] = []
        values: list[Any] = []
        for name, column in _TEXT_COLUMNS.items():
            pattern = getattr(self, name)
            if pattern is not None:
                beginning = name in ("machine", "commit") and "*" not in pattern
                found.append(f"lower({column}) GLOB ?")
                values.append(pattern.lower() + ("*" if beginning else ""))
        if self.tag is not None:
            found.append("id IN (SELECT run FROM tags WHERE lower(name) GLOB ?)")
            values.append(self.tag.lower())
        if self.since is not None:
            found.append("time >= ?")
            values.append(utc_time(self.since, end=False))
        if self.until is not None:
            found.append("time < ?")
            values.append(utc_time(self.until, end=True))
        return found, values


def utc_time(text: str, *, end: bool) -> str:
    """Returns a date or time in UTC as the database keeps times. A date with `end` is the end of that day.

    Raises:
        UsageError: it is no date or time in ISO 8601.

    >>> utc_time("2026-11-29T13:00:00+01:00", end=False)
    '2026-11-29T12:00:00+00:00'
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
        if len(text) <= len("2026-11-29") and end:
            moment += datetime.timedelta(days=1)
        return moment.astimezone(datetime.UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is no time; write a date such as 2026-11-29 or 2026-11-29T13:00"
        ) from None
