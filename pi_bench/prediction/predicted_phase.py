"""The predicted times, bytes and messages of one phase."""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.protocol.session import Party
from pi_bench.protocol.span import Span


@dataclass(slots=True)
class PredictedPhase:
    """One phase as it was predicted.

    Attributes:
        time_s: seconds until the client has done its last action.
        depth: messages in the longest chain of dependent messages, as in `PhaseRecord`.
        spans: by party, then by operator and part. A span holds one party's times and bytes for one operator
            in one part. A part is a named group of steps, such as ``he``.

    >>> PredictedPhase(0.5, 2, {Party.CLIENT: {(0, "he"): Span(0, "he")}}).of_step(Party.CLIENT, 1)
    []
    """

    time_s: float
    depth: int
    spans: dict[Party, dict[tuple[int, str], Span]]

    def per_inference(self, count: int) -> PredictedPhase:
        """Returns the part of one of `count` inferences that share the phase.

        >>> PredictedPhase(0.5, 2, {Party.CLIENT: {}}).per_inference(2).time_s
        0.25
        """
        spans = {
            party: {key: span.per_inference(count) for key, span in own.items()}
            for party, own in self.spans.items()
        }
        return PredictedPhase(self.time_s / count, self.depth, spans)

    def of_step(self, party: Party, step: int) -> list[Span]:
        """Lists the spans of a step at a party, for all of its parts."""
        return [span for (op_id, _), span in self.spans[party].items() if op_id == step]

    def of_part(self, party: Party, part: str) -> list[Span]:
        """Lists the spans of a part at a party, for all steps."""
        return [span for (_, name), span in self.spans[party].items() if name == part]
