"""The machine's limits and the floor of an inference, as parts of results."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pi_bench.report.documents.fields import Above0, Count, DocumentPart, NonNegative, Positive, Seconds

WorkAmounts = Annotated[
    dict[str, NonNegative], Meta(description="amounts by the name of the machine's limit, such as AES blocks")
]


class MeasuredLimits(DocumentPart, frozen=True, kw_only=True):
    """Holds the best rates of the machine, measured within minutes of the runs."""

    time: Annotated[str, Meta(description="when they were measured, in ISO 8601")]
    threads: Annotated[Positive, Meta(description="threads that share the work, as in each party")]
    cache_bytes: Annotated[
        Count | None, Meta(description="what the caches of both parties hold; null if the system hides it")
    ]
    unit_s: Annotated[
        dict[str, Above0],
        Meta(
            description="seconds per AES block, byte from a cache, byte from memory, multiply-add, ring "
            "multiply-add, byte and round trip of a loopback connection"
        ),
    ]


class FloorTime(DocumentPart, frozen=True, kw_only=True):
    """Holds a floor: the largest of the client's work, the server's work and the messages alone."""

    time_s: Seconds
    bound_by: Annotated[Literal["client", "server", "link"], Meta(description="the part that takes longest")]
    client_s: Seconds
    server_s: Seconds
    link_s: Seconds


class PhaseFloor(FloorTime, frozen=True, kw_only=True):
    """Holds the floor of a phase and the measured time."""

    times_floor: Annotated[
        Above0 | None, Meta(description="measured median divided by the floor; null where the floor is 0")
    ]
    client_work: WorkAmounts
    server_work: WorkAmounts


class LayerFloor(DocumentPart, frozen=True, kw_only=True):
    """Holds the floors of one operator's own work and messages. They do not add up to that of the phase."""

    id: Count
    name: str
    offline: FloorTime
    online: FloorTime


class Floor(DocumentPart, frozen=True, kw_only=True):
    """Holds the least time that an inference can take on this machine and link (docs/measuring.md)."""

    offline: PhaseFloor
    online: PhaseFloor
    layers: list[LayerFloor]
