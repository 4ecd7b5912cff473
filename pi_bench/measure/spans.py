"""Where the time and the bytes of one phase went, by operator and part."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from typing import Any

NO_OP = -1


@dataclass(slots=True)
class Span:
    """Everything one party did for one operator and part within one phase.

    compute_s: neither sending nor waiting. send_s: inside `send` and `flush`. wait_s: inside
    `receive`, the transfer of what is received included. depth_count: messages that made the longest
    chain of dependent messages longer.
    """

    op_id: int
    part: str
    compute_s: float = 0.0
    send_s: float = 0.0
    wait_s: float = 0.0
    sent_bytes: int = 0
    received_bytes: int = 0
    sent_wire_bytes: int = 0
    received_wire_bytes: int = 0
    sent_count: int = 0
    received_count: int = 0
    depth_count: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Span:
        return cls(**values)


class SpanRecorder:
    """Spans of one phase. Spans nest: time counts for the innermost alone."""

    def __init__(self) -> None:
        self.spans: dict[tuple[int, str], Span] = {}
        self._stack = [self._span(NO_OP, "")]
        self._since = time.perf_counter()

    @property
    def current(self) -> Span:
        return self._stack[-1]

    def enter(self, op_id: int, part: str) -> None:
        self.pause()
        self._stack.append(self._span(op_id, part))

    def leave(self) -> None:
        self.pause()
        self._stack.pop()

    def pause(self) -> None:
        """Books the time since the last mark as computing."""
        now = time.perf_counter()
        self.current.compute_s += now - self._since
        self._since = now

    def book_send(self) -> None:
        now = time.perf_counter()
        self.current.send_s += now - self._since
        self._since = now

    def book_wait(self) -> None:
        now = time.perf_counter()
        self.current.wait_s += now - self._since
        self._since = now

    def _span(self, op_id: int, part: str) -> Span:
        key = (op_id, part)
        if key not in self.spans:
            self.spans[key] = Span(op_id, part)
        return self.spans[key]
