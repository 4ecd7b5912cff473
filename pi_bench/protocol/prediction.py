"""What a protocol will put on the wire, known from the public program alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Self

from pi_bench.protocol.script import Kind, RunScript
from pi_bench.protocol.session import Party


@dataclass(slots=True)
class PredictedBytes:
    """Payload bytes by sender; frame headers and set-up are not in it.

    `offline` and `online` are keyed by the sending party, `offline_parts` by part and sender,
    `online_ops` by operator id and sender.
    """

    offline: dict[Party, int] = field(default_factory=lambda: defaultdict(int))
    online: dict[Party, int] = field(default_factory=lambda: defaultdict(int))
    offline_parts: dict[str, dict[Party, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    online_ops: dict[int, dict[Party, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )

    @classmethod
    def of(cls, script: RunScript) -> Self:
        """Counts the messages of a script."""
        predicted = cls()
        for party in Party:
            for action in script.offline.roles[party].actions:
                if action.kind is Kind.SEND and not action.between:
                    predicted.add_offline(action.part, party, action.byte_count)
            for action in script.online.roles[party].actions:
                if action.kind is Kind.SEND and not action.between:
                    predicted.add_online(action.step, party, action.byte_count)
        return predicted

    def add_offline(self, part: str, sender: Party, byte_count: int) -> None:
        self.offline[sender] += byte_count
        self.offline_parts[part][sender] += byte_count

    def add_online(self, op_id: int, sender: Party, byte_count: int) -> None:
        self.online[sender] += byte_count
        self.online_ops[op_id][sender] += byte_count
