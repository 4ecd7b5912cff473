"""INSECURE: the messages that `null` sends, from the script of the protocol whose messages they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.errors import UsageError
from pi_bench.network.program import Op, Program, element_count
from pi_bench.protocol import Party
from pi_bench.protocol.script import Action, ActionKind, Message, Role

_WHAT = {Party.CLIENT: "input", Party.SERVER: "logits"}


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """Describes one message as one party sends or receives it.

    It begins with the bytes `first` to `stop` of the input (client to server) or of the logits (server to
    client). Zeros follow. `step` and `part` are those of `SessionLike.step`.

    >>> PlannedMessage(sends=True, step=0, part="", byte_count=12, first=0, stop=8).carried_bytes
    8
    """

    sends: bool
    step: int
    part: str
    byte_count: int
    first: int = 0
    stop: int = 0

    @property
    def carried(self) -> slice:
        """The range of the bytes that the message carries."""
        return slice(self.first, self.stop)

    @property
    def carried_bytes(self) -> int:
        """The number of the bytes that the message carries."""
        return self.stop - self.first


def set_up_messages(messages: Iterable[Message], party: Party) -> list[PlannedMessage]:
    """Returns a party's messages of the set-up.

    >>> set_up_messages([Message(Party.SERVER, -1, "ot", 64)], Party.CLIENT)[0].sends
    False
    """
    return [PlannedMessage(m.sender is party, m.step, m.part, m.byte_count) for m in messages]


def phase_messages(role: Role) -> list[PlannedMessage]:
    """Returns a party's messages of a phase: every message that the phase counts.

    >>> from pi_bench.hybrid.script import hybrid_script
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> script = hybrid_script(program, ProtocolOptions("exact"))
    >>> [(message.sends, message.byte_count) for message in phase_messages(script.online.client)]
    [(True, 8), (False, 10372), (True, 16), (False, 4)]
    """
    return [_planned(action) for action in role.actions if _is_message(action)]


def online_messages(program: Program, role: Role, party: Party) -> list[PlannedMessage]:
    """Returns a party's messages of the online phase, with the input and the logits.

    The messages of the input's step carry the input, and those of the output's step carry the logits.

    >>> from pi_bench.hybrid.script import hybrid_script
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> script = hybrid_script(program, ProtocolOptions("exact"))
    >>> [message.carried_bytes for message in online_messages(program, script.online.client, Party.CLIENT)]
    [8, 0, 0, 4]

    Raises:
        UsageError: these messages have fewer bytes than the input or the logits.
    """
    messages = phase_messages(role)
    for sender, op in ((Party.CLIENT, program.input), (Party.SERVER, program.output)):
        done, due = 0, WORD_BYTES * element_count(op.shape)
        for index, message in enumerate(messages):
            if message.step == op.id and message.sends == (sender is party):
                stop = min(due, done + message.byte_count)
                messages[index] = replace(message, first=done, stop=stop)
                done = stop
        if done < due:
            raise UsageError(
                f"null cannot imitate this protocol: its messages of the {_WHAT[sender]} have {done} bytes, "
                f"and the {_WHAT[sender]} has {due}; use null alone"
            )
    return messages


def with_operators(
    program: Program, role: Role, messages: Iterable[PlannedMessage]
) -> list[PlannedMessage | Op]:
    """Returns the server's online messages and, between them, the operators to compute.

    An operator comes before the first action of a later one, and after the whole input.

    >>> from pi_bench.hybrid.script import hybrid_script
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> script = hybrid_script(program, ProtocolOptions("exact"))
    >>> messages = online_messages(program, script.online.server, Party.SERVER)
    >>> [type(item).__name__ for item in with_operators(program, script.online.server, messages)]
    ['PlannedMessage', 'LinearOp', 'PlannedMessage', 'PlannedMessage', 'ActivationOp', 'LinearOp',
     'PlannedMessage']

    Raises:
        UsageError: the server sends logits before it has the input.
    """
    items: list[PlannedMessage | Op] = []
    places = {op.id: place for place, op in enumerate(program.ops)}
    computed = 1  # the input is no work
    reached = 0
    due = WORD_BYTES * element_count(program.input.shape)
    received = 0
    following = iter(messages)
    for action in role.actions:
        reached = max(reached, places.get(action.step, 0))
        if received == due:
            items += program.ops[computed:reached]
            computed = max(computed, reached)
        if _is_message(action):
            message = next(following)
            if message.sends and message.carried_bytes and received < due:
                raise UsageError(
                    "null cannot imitate this protocol: its server sends the logits before it has the input; "
                    "use null alone"
                )
            received += 0 if message.sends else message.carried_bytes
            items.append(message)
    return items


def _is_message(action: Action) -> bool:
    return action.kind in (ActionKind.SEND, ActionKind.RECEIVE) and not action.between


def _planned(action: Action) -> PlannedMessage:
    return PlannedMessage(action.kind is ActionKind.SEND, action.step, action.part, action.byte_count)
