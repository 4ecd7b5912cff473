"""Holds what a session measures in one phase."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Any

from pi_bench.protocol.span import Span


class Phase(enum.StrEnum):
    """Lists the phases of a session.

    >>> [phase.value for phase in Phase]
    ['set_up', 'offline', 'online']
    """

    SET_UP = "set_up"
    OFFLINE = "offline"
    ONLINE = "online"


@dataclass(slots=True)
class PhaseRecord:
    """Holds the measurements of one party in one phase of one inference.

    Attributes:
        depth: the length of the longest chain of dependent messages. Half of it is the number of comm_rounds.

    >>> record = PhaseRecord(Phase.ONLINE, 1, 0.5, 0.4, 1 << 20, True, 2, [])
    >>> PhaseRecord.from_dict(record.as_dict()) == record
    True
    """

    phase: Phase
    inference_id: int
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    peak_memory_by_phase: bool
    depth: int
    spans: list[Span]

    def per_inference(self, count: int) -> PhaseRecord:
        """Returns the part of one of `count` inferences that shared the phase, with the whole peak of memory.

        >>> record = PhaseRecord(Phase.OFFLINE, 1, 0.5, 0.25, 1 << 20, True, 2, [])
        >>> record.per_inference(2).wall_s
        0.25
        """
        return replace(
            self,
            wall_s=self.wall_s / count,
            cpu_s=self.cpu_s / count,
            spans=[span.per_inference(count) for span in self.spans],
        )

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON values."""
        return {
            "phase": self.phase.value,
            "inference_id": self.inference_id,
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "peak_memory_bytes": self.peak_memory_bytes,
            "peak_memory_by_phase": self.peak_memory_by_phase,
            "depth": self.depth,
            "spans": [span.as_dict() for span in self.spans],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PhaseRecord:
        """Makes the record from the values of `as_dict`."""
        spans = [Span.from_dict(span) for span in values["spans"]]
        return cls(**{**values, "phase": Phase(values["phase"]), "spans": spans})
