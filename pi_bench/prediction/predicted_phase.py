"""Holds the predicted times, bytes and messages of one phase."""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.channel.frame import HEADER_BYTES
from pi_bench.protocol.session import Party


@dataclass(slots=True)
class PredictedSpan:
    """The predicted counterpart of `pi_bench.metrics.spans.Span`.

    >>> PredictedSpan(0, "", sent_bytes=1000, sent_count=1).sent_wire_bytes == 1000 + HEADER_BYTES
    True
    """

    step: int
    part: str
    compute_s: float = 0.0
    send_s: float = 0.0
    wait_s: float = 0.0
    sent_bytes: int = 0
    received_bytes: int = 0
    sent_count: int = 0
    received_count: int = 0
    depth_count: int = 0

    @property
    def sent_wire_bytes(self) -> int:
        """Bytes sent, with the headers of frames."""
        return self.sent_bytes + HEADER_BYTES * self.sent_count

    @property
    def received_wire_bytes(self) -> int:
        """Bytes received, with the headers of frames."""
        return self.received_bytes + HEADER_BYTES * self.received_count


@dataclass(slots=True)
class PredictedPhase:
    """One phase as it was predicted.

    `time_s`: seconds until the client has done its last action. `depth`: messages in the longest chain of
    dependent messages, as in `PhaseRecord`. `spans`: by party, then by step and part.

    >>> PredictedPhase(0.5, 2, {Party.CLIENT: {(0, "he"): PredictedSpan(0, "he")}}).of_step(Party.CLIENT, 1)
    []
    """

    time_s: float
    depth: int
    spans: dict[Party, dict[tuple[int, str], PredictedSpan]]

    def of_step(self, party: Party, step: int) -> list[PredictedSpan]:
        """Lists the spans of a step at a party, for all of its parts."""
        return [span for (op_id, _), span in self.spans[party].items() if op_id == step]

    def of_part(self, party: Party, part: str) -> list[PredictedSpan]:
        """Lists the spans of a part at a party, for all steps."""
        return [span for (_, name), span in self.spans[party].items() if name == part]
