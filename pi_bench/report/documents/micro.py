"""The measurement of primitives that `pi-bench micro` makes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pi_bench.costs import LimitName
from pi_bench.report.documents.cautions import Cautions
from pi_bench.report.documents.fields import (
    Above0,
    DocumentPart,
    Interrupted,
    Machine,
    NonNegative,
    Positive,
    SchemaVersion,
)


class MachineLimit(DocumentPart, frozen=True, kw_only=True):
    """Holds the best that this machine does in one respect, measured in this run."""

    name: LimitName
    threads: Positive
    unit: str
    value: Annotated[float, Meta(gt=0, description="in `unit`, while so many threads share the work")]


class UnitTime(DocumentPart, frozen=True, kw_only=True):
    """Summarizes the seconds per unit."""

    median: Above0
    q1: Above0
    q3: Above0
    min: Above0
    max: Above0
    samples: Annotated[list[Above0], Meta(min_length=1)]


class CaseLimit(DocumentPart, frozen=True, kw_only=True):
    """Holds the least time that a unit can take on this machine."""

    name: Annotated[LimitName, Meta(description="the part of the machine that takes longest")]
    unit_s: Above0


class CaseResult(DocumentPart, frozen=True, kw_only=True):
    """Measures one case of a primitive."""

    primitive: Annotated[
        str,
        Meta(
            min_length=1,
            description="the NAME of `pi-bench micro NAME`, which this package or a protocol declares",
        ),
    ]
    case: str
    unit: Annotated[str, Meta(description="the counted thing: a block, an OT, an element, a layer")]
    unit_count: Annotated[int, Meta(ge=1, description="units per timed call")]
    threads: Positive
    unit_s: UnitTime
    limit: CaseLimit
    ratio: Annotated[float, Meta(gt=0, description="median divided by the limit")]
    unit_bytes: Annotated[
        dict[str, NonNegative], Meta(description="bytes per unit by kind: on the wire, or stored")
    ]


class Micro(DocumentPart, frozen=True, kw_only=True):
    """Seconds per unit of each primitive, and this machine's limits."""

    schema_version: SchemaVersion
    interrupted: Interrupted
    count: Annotated[int, Meta(ge=1, description="elements that gadgets, OT and generator stream through")]
    threads: Annotated[list[Positive], Meta(min_length=1)]
    repetitions: Positive
    limits: list[MachineLimit]
    results: list[CaseResult]
    environment: Machine
    cautions: Cautions = ()
