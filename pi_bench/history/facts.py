"""Reads from a result the facts that a list of runs shows and selects by."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pi_bench.errors import InputError

LOOPBACK = "loopback"
_MARKS = {
    "latency": ("network", "setup", "online", "offline"),
    "accuracy": ("network", "float", "integer", "data"),
    "comparison": ("sides", "ratios"),
}
"""The fields by which a result of each kind is recognized."""
SCHEMA_VERSIONS = {"latency": 2, "accuracy": 2, "comparison": 1}
"""The schema version of each kind of result that this pi-bench writes and reads."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One line of the list of runs. A fact that its kind of result does not have is None.

    Seconds are medians, bytes count both directions together, and floors are those on the machine that
    measured.

    Attributes:
        time: the time of the run, in ISO 8601.
        input_count: inputs that one inference answers together, None for runs that an older version kept.

    >>> facts = RunFacts(kind="latency", time="2026-11-29T12:00:00+00:00", network="resnet18")
    >>> facts.online_s is None
    True
    """

    kind: str
    time: str
    network: str
    digest: str | None = None
    protocol: str | None = None
    mode: str | None = None
    link: str | None = None
    threads: int | None = None
    cpu_model: str | None = None
    instruction_set: str | None = None
    commit_id: str | None = None
    run_count: int | None = None
    relu_count: int | None = None
    online_s: float | None = None
    offline_s: float | None = None
    online_bytes: int | None = None
    offline_bytes: int | None = None
    rounds: float | None = None
    verified: bool | None = None
    interrupted: bool | None = None
    online_floor_s: float | None = None
    offline_floor_s: float | None = None
    input_count: int | None = None

    @property
    def online_times_floor(self) -> float | None:
        """The online latency, divided by its floor."""
        return self.online_s / self.online_floor_s if self.online_s and self.online_floor_s else None


def kind_of(document: object) -> str:
    """Recognizes a result: ``latency``, ``accuracy`` or ``comparison``.

    Raises:
        InputError: the document is none of them.

    >>> kind_of({"sides": [], "ratios": []})
    'comparison'
    """
    if isinstance(document, Mapping):
        for kind, marks in _MARKS.items():
            if all(mark in document for mark in marks):
                return kind
    raise InputError(
        "this is no result of pi-bench latency, accuracy or compare; write one with their option --json FILE"
    )


def require_version(document: Mapping[str, Any], *, older: bool = False) -> None:
    """Refuses a result of another schema version than this pi-bench reads.

    Args:
        older: whether results of older versions are taken, which a history keeps.

    Raises:
        InputError: the result has another version. The message names both.

    >>> require_version({"sides": [], "ratios": [], "schema_version": 999})
    Traceback (most recent call last):
    pi_bench.errors.InputError: this result has the schema version 999, and this pi-bench reads version 1; ...
    """
    known, version = SCHEMA_VERSIONS[kind_of(document)], document.get("schema_version")
    if version == known or (older and (version is None or (type(version) is int and 0 < version < known))):
        return
    raise InputError(
        f"this result has the schema version {version!r:.20}, and this pi-bench reads version {known}; "
        "measure it again, or use the pi-bench that wrote it"
    )


def require_finite(document: Any) -> None:
    """Refuses a result with a number that JSON does not know, such as NaN, and names its field.

    Raises:
        InputError: a number is not finite.

    >>> require_finite({"online": {"latency_s": {"samples": [1.0, float("nan")]}}})
    Traceback (most recent call last):
    pi_bench.errors.InputError: the field online.latency_s.samples[1] of this result is nan, ...
    """
    waiting = [("", document)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"the field {name} of this result is {value}, which is no finite number")
        if isinstance(value, Mapping):
            waiting += [(f"{name}.{key}" if name else str(key), each) for key, each in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{name}[{number}]", each) for number, each in enumerate(value)]


def facts_of(document: Mapping[str, Any]) -> RunFacts:
    """Returns the facts of a result, given as the values of its JSON.

    Raises:
        InputError: the document is no result, or lacks a field that every result of its kind has.

    >>> facts_of({"network": {"name": "resnet18"}})
    Traceback (most recent call last):
    pi_bench.errors.InputError: this is no result of pi-bench latency, accuracy or compare; ...
    """
    kind = kind_of(document)
    try:
        facts = _READERS[kind](document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise InputError(
            f"this result of pi-bench {kind} lacks a field, or one has another type; write it again with "
            "--json FILE"
        ) from None
    _require_types(facts)
    return facts


def _latency(document: Mapping[str, Any]) -> RunFacts:
    online, offline = document["online"], document["offline"]
    link, network, floor = document["link"], document["network"], document.get("floor")
    return RunFacts(
        kind="latency",
        online_floor_s=None if floor is None else floor["online"]["time_s"],
        offline_floor_s=None if floor is None else floor["offline"]["time_s"],
        network=network["name"],
        digest=network["digest"],
        relu_count=network["relu_count"],
        input_count=network["input_shape"][0] if "input_shape" in network else None,
        protocol=document["protocol"],
        mode=document["mode"],
        link=link["name"] if link["kind"] != LOOPBACK else LOOPBACK,
        run_count=document["runs"],
        online_s=online["latency_s"]["median"],
        offline_s=offline["time_s"],
        online_bytes=_both(online["bytes"]),
        offline_bytes=_both(offline["bytes"]),
        rounds=online["comm_round_count"],
        verified=_verified(document["verification"]),
        interrupted=document["interrupted"],
        **_machine(document["environment"]),
    )


def _verified(verification: Mapping[str, Any] | None) -> bool | None:
    """Returns None for a run that was not verified, such as one between two machines."""
    return None if verification is None else verification["passed"]


def _accuracy(document: Mapping[str, Any]) -> RunFacts:
    network, private = document["network"], document["private"]
    return RunFacts(
        kind="accuracy",
        network=network["name"],
        digest=network["digest"],
        relu_count=network["relu_count"],
        protocol=document["protocol"],
        mode=document["mode"],
        run_count=document["data"]["image_count"],
        verified=None if private is None else private["verified"],
        interrupted=document["interrupted"],
        **_machine(document.get("environment") or {"time": ""}),
    )


def _comparison(document: Mapping[str, Any]) -> RunFacts:
    sides = document["sides"]
    return RunFacts(
        kind="comparison",
        network=" / ".join(str(side["name"]) for side in sides),
        run_count=sum(len(session["online_s"]) for side in sides for session in side["sessions"]),
        **_machine(document["environment"]),
    )


_READERS = {"latency": _latency, "accuracy": _accuracy, "comparison": _comparison}


def _machine(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "time": environment["time"],
        "cpu_model": environment.get("cpu_model"),
        "instruction_set": environment.get("instruction_set"),
        "commit_id": environment.get("commit"),
        "threads": environment.get("threads"),
    }


def _both(directions: Mapping[str, int]) -> int:
    return directions["client_to_server"] + directions["server_to_client"]


def _require_types(facts: RunFacts) -> None:
    """Refuses values that the columns of the database would keep as something else."""
    for name, kinds in (
        (("kind", "time", "network"), (str,)),
        (
            ("digest", "protocol", "mode", "link", "cpu_model", "instruction_set", "commit_id"),
            (str, type(None)),
        ),
        (
            ("threads", "run_count", "relu_count", "online_bytes", "offline_bytes", "input_count"),
            (int, type(None)),
        ),
        (
            ("online_s", "offline_s", "rounds", "online_floor_s", "offline_floor_s"),
            (int, float, type(None)),
        ),
        (("verified", "interrupted"), (bool, type(None))),
    ):
        for field in name:
            if not isinstance(getattr(facts, field), kinds):
                raise InputError(f"the field for {field} of this result has another type than a result's")
    try:
        if facts.time:
            datetime.datetime.fromisoformat(facts.time)
    except ValueError:
        raise InputError("the field for time of this result is no time in ISO 8601") from None
    for field in ("threads", "run_count", "relu_count", "online_bytes", "offline_bytes", "input_count"):
        if not 0 <= (getattr(facts, field) or 0) < 1 << 63:
            raise InputError(f"the field for {field} of this result is out of range")
