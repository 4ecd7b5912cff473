"""The times and bytes of one step at one party, measured by a session or predicted from a script."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pi_bench.channel.frame import HEADER_BYTES


@dataclass(slots=True)
class Span:
    """Holds the times and bytes of one party for one operator and part within one phase.

    Bytes are those of payloads.

    Attributes:
        compute_s: neither sending nor waiting.
        send_s: inside `send` and `flush`.
        wait_s: inside `receive`, with the transfer of the received bytes.
        depth_count: messages that made the longest chain of dependent messages longer.

    >>> span = Span(3, "he", compute_s=0.5)
    >>> Span.from_dict(span.as_dict()) == span
    True
    >>> Span(0, "", sent_bytes=1000, sent_count=1).sent_wire_bytes == 1000 + HEADER_BYTES
    True
    """

    op_id: int
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

    def per_inference(self, count: int) -> Span:
        """Returns the part of one of `count` inferences that shared the step. Whole numbers are rounded down.

        >>> Span(3, "he", compute_s=0.5, sent_bytes=7).per_inference(2)
        Span(op_id=3, part='he', compute_s=0.25, ..., sent_bytes=3, ...)
        """
        return Span(
            op_id=self.op_id,
            part=self.part,
            compute_s=self.compute_s / count,
            send_s=self.send_s / count,
            wait_s=self.wait_s / count,
            sent_bytes=self.sent_bytes // count,
            received_bytes=self.received_bytes // count,
            sent_count=self.sent_count // count,
            received_count=self.received_count // count,
            depth_count=self.depth_count,
        )

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Span:
        """Makes the span whose fields `as_dict` gave."""
        return cls(**values)
