"""The bytes that a protocol will send, counted from the public program alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Self

from pi_bench.protocol.script import ActionKind, Purpose, RunScript
from pi_bench.protocol.session import Party


@dataclass(slots=True)
class PredictedBytes:
    """Counts the payload bytes of one inference, without frame headers and without the set-up.

    Where an offline phase prepares several inferences, its bytes are divided by their number, for each
    operator and part, and rounded down.

    Attributes:
        offline, online: bytes by the sending party.
        offline_parts: bytes by part and sender.
        offline_purposes: bytes by purpose and sender. They add up to `offline`.
        online_ops: bytes by operator id and sender.

    >>> predicted = PredictedBytes()
    >>> predicted.add_online(0, Party.CLIENT, 400)
    >>> predicted.add_online(3, Party.CLIENT, 100)
    >>> predicted.online[Party.CLIENT], predicted.online_ops[3][Party.CLIENT]
    (500, 100)
    """

    offline: dict[Party, int] = field(default_factory=lambda: defaultdict(int))
    online: dict[Party, int] = field(default_factory=lambda: defaultdict(int))
    offline_parts: dict[str, dict[Party, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    offline_purposes: dict[Purpose, dict[Party, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    online_ops: dict[int, dict[Party, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )

    @classmethod
    def of(cls, script: RunScript) -> Self:
        """Counts the messages of a script that a phase counts."""
        predicted = cls()
        for party in Party:
            sent: dict[tuple[int, str], dict[Purpose, int]] = defaultdict(lambda: defaultdict(int))
            for action in script.offline.roles[party].actions:
                if action.kind is ActionKind.SEND and not action.between:
                    sent[action.step, action.part][action.purpose] += action.byte_count
            for (_, part), purposes in sent.items():
                total = counted = 0
                for purpose, byte_count in purposes.items():  # the sum is rounded down, not each of them
                    total += byte_count
                    predicted.add_offline(part, party, total // script.ahead - counted, purpose)
                    counted = total // script.ahead
            for action in script.online.roles[party].actions:
                if action.kind is ActionKind.SEND and not action.between:
                    predicted.add_online(action.step, party, action.byte_count)
        return predicted

    def add_offline(
        self, part: str, sender: Party, byte_count: int, purpose: Purpose = Purpose.OTHER
    ) -> None:
        """Adds a message of the offline phase, or the sum of several."""
        self.offline[sender] += byte_count
        self.offline_parts[part][sender] += byte_count
        self.offline_purposes[purpose][sender] += byte_count

    def add_online(self, op_id: int, sender: Party, byte_count: int) -> None:
        """Adds a message of the online phase, or the sum of several."""
        self.online[sender] += byte_count
        self.online_ops[op_id][sender] += byte_count
