"""INSECURE: the messages that `null` plays, from the script of the protocol whose messages they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.errors import UsageError
from pi_bench.network.program import LinearOp, Op, Program, element_count
from pi_bench.protocol import Party
from pi_bench.protocol.script import Action, Kind, Message, Role

_WHAT = {Party.CLIENT: "input", Party.SERVER: "logits"}


@dataclass(frozen=True, slots=True)
class Move:
    """One message as one party sends or receives it.

    It begins with the bytes `first` to `stop` of the input (client to server) or of the logits (server to
    client). Zeros follow.
    """

    sends: bool
    step: int
    part: str
    byte_count: int
    first: int = 0
    stop: int = 0

    @property
    def carried(self) -> slice:
        return slice(self.first, self.stop)

    @property
    def carried_bytes(self) -> int:
        return self.stop - self.first


def set_up_moves(messages: Iterable[Message], party: Party) -> list[Move]:
    """Returns a party's moves of the set-up."""
    return [Move(m.sender is party, m.step, m.part, m.byte_count) for m in messages]


def phase_moves(role: Role) -> list[Move]:
    """Returns a party's moves of a phase: every message that a phase counts."""
    return [_move(action) for action in role.actions if _is_message(action)]


def online_moves(program: Program, role: Role, party: Party) -> list[Move]:
    """Returns a party's moves of the online phase, with the input and the logits.

    The messages of the input's step carry the input, those of the output's step the logits.

    Raises:
        UsageError: they have fewer bytes.
    """
    moves = phase_moves(role)
    for sender, op in ((Party.CLIENT, program.input), (Party.SERVER, program.output)):
        done, due = 0, WORD_BYTES * element_count(op.shape)
        for index, move in enumerate(moves):
            if move.step == op.id and move.sends == (sender is party):
                stop = min(due, done + move.byte_count)
                moves[index] = replace(move, first=done, stop=stop)
                done = stop
        if done < due:
            raise UsageError(
                f"null cannot play this protocol: its messages of the {_WHAT[sender]} have {done} bytes, and "
                f"the {_WHAT[sender]} has {due}; use null alone"
            )
    return moves


def with_operators(program: Program, role: Role, moves: Iterable[Move]) -> list[Move | Op]:
    """Returns the server's online moves and, between them, the operators to compute.

    An operator comes before the first action of a later one, and after the whole input.
    """
    items: list[Move | Op] = []
    places = {op.id: place for place, op in enumerate(program.ops)}
    computed = 1  # the input is no work
    reached = 0
    due = WORD_BYTES * element_count(program.input.shape)
    received = 0
    following = iter(moves)
    for action in role.actions:
        reached = max(reached, places.get(action.step, 0))
        if received == due:
            items += program.ops[computed:reached]
            computed = max(computed, reached)
        if _is_message(action):
            move = next(following)
            if move.sends and move.carried_bytes and received < due:
                raise UsageError(
                    "null cannot play this protocol: its server sends the logits before it has the input; "
                    "use null alone"
                )
            received += 0 if move.sends else move.carried_bytes
            items.append(move)
    return items


def coming_operators(items: list[Move | Op]) -> dict[int, list[LinearOp]]:
    """Returns, by the place of the first message received after one sent, the linear operators that are
    computed before the next one is sent."""
    coming: dict[int, list[LinearOp]] = {}
    here: list[LinearOp] | None = []  # nothing was sent before the input: its receiver does not wait long
    for place, item in enumerate(items):
        if isinstance(item, Move):
            if item.sends:
                here = None
            elif here is None:
                here = coming[place] = []
        elif isinstance(item, LinearOp) and here is not None:
            here.append(item)
    return coming


def _is_message(action: Action) -> bool:
    return action.kind in (Kind.SEND, Kind.RECEIVE) and not action.between


def _move(action: Action) -> Move:
    return Move(action.kind is Kind.SEND, action.step, action.part, action.byte_count)
