"""What both parties will do in a phase, step by step: computing, sending, receiving.

A protocol describes its phases as scripts, from the public program alone (`ProtocolInfo.script`); nothing in
them is secret, and nothing runs. `simulation` plays them on measured costs and a link, which predicts times,
bytes and rounds.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pi_bench.costs import CostUnits
from pi_bench.protocol.session import Party

NO_OP = -1
"""The step of what belongs to no operator."""


class Kind(enum.Enum):
    COMPUTE = enum.auto()
    SEND = enum.auto()
    RECEIVE = enum.auto()
    FLUSH = enum.auto()


class Purpose(enum.Enum):
    """What an action is for."""

    RELU = "ReLUs"
    TRUNCATION = "truncations without ReLU"
    LINEAR = "linear layers"
    MULTIPLICATION = "products of activations"
    OTHER = "the rest"


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its sender, its payload bytes, and where they are counted.

    `step` and `part` as in `SessionLike.step`.

    >>> Message(Party.SERVER, NO_OP, "ot", 16).receiver
    <Party.CLIENT: 'client'>
    """

    sender: Party
    step: int
    part: str
    byte_count: int
    purpose: Purpose = Purpose.OTHER

    @property
    def receiver(self) -> Party:
        return Party.SERVER if self.sender is Party.CLIENT else Party.CLIENT


@dataclass(frozen=True, slots=True)
class Action:
    """`step` and `part` as in `SessionLike.step`. `between`: a word between phases, which no phase counts."""

    kind: Kind
    step: int
    part: str
    purpose: Purpose = Purpose.OTHER
    work: CostUnits = field(default_factory=CostUnits)
    byte_count: int = 0
    between: bool = False


@dataclass(slots=True)
class Role:
    """One party's actions of one phase, in their order."""

    actions: list[Action] = field(default_factory=list)

    def compute(self, step: int, part: str, purpose: Purpose, work: CostUnits) -> None:
        self.actions.append(Action(Kind.COMPUTE, step, part, purpose, work))

    def send(self, step: int, part: str, purpose: Purpose, byte_count: int, *, between: bool = False) -> None:
        self.actions.append(Action(Kind.SEND, step, part, purpose, byte_count=byte_count, between=between))

    def receive(
        self, step: int, part: str, purpose: Purpose, byte_count: int, *, between: bool = False
    ) -> None:
        self.actions.append(Action(Kind.RECEIVE, step, part, purpose, byte_count=byte_count, between=between))

    def flush(self, step: int, part: str) -> None:
        """Waits until all that was sent has left this party; over an emulated link, until it has arrived."""
        self.actions.append(Action(Kind.FLUSH, step, part))


@dataclass(frozen=True, slots=True)
class FixedStep:
    """A cost unit of a party's step that does not depend on the step's size, such as handling one slice.

    It is measured between two real parties that run small networks: the computing of `spans`, pairs of step
    and part, less the seconds of the other units there. A prediction counts it among the rounds.
    """

    unit: str
    party: Party
    spans: frozenset[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class PhaseScript:
    """Both parties' actions; the phase's time is the client's."""

    name: str  # online, offline
    roles: dict[Party, Role] = field(default_factory=lambda: {party: Role() for party in Party})
    fixed_steps: tuple[FixedStep, ...] = ()

    @property
    def client(self) -> Role:
        return self.roles[Party.CLIENT]

    @property
    def server(self) -> Role:
        return self.roles[Party.SERVER]

    def message(
        self,
        sender: Party,
        step: int,
        part: str,
        purpose: Purpose,
        byte_count: int,
        *,
        between: bool = False,
    ) -> None:
        """Sent next by one party and received next by the other."""
        other = Party.SERVER if sender is Party.CLIENT else Party.CLIENT
        self.roles[sender].send(step, part, purpose, byte_count, between=between)
        self.roles[other].receive(step, part, purpose, byte_count, between=between)

    def changed(self, change: Callable[[Action], Action]) -> PhaseScript:
        """With every action replaced by what `change` makes of it."""
        return PhaseScript(
            self.name,
            {party: Role([change(a) for a in role.actions]) for party, role in self.roles.items()},
            self.fixed_steps,
        )


@dataclass(frozen=True, slots=True)
class RunScript:
    """One inference.

    `offline_words`: names what the offline phase makes for a purpose, such as "labels and garbled tables" for
    ReLUs; an explanation says "the preprocessing" for a purpose without words. `online_words`: names what the
    online phase does for it, such as "products under encryption"; without words, only the purpose is named.
    `set_up`: the messages of the set-up of a connection, in their order; their times are not predicted.
    """

    offline: PhaseScript
    online: PhaseScript
    offline_words: Mapping[Purpose, str] = field(default_factory=dict)
    online_words: Mapping[Purpose, str] = field(default_factory=dict)
    set_up: tuple[Message, ...] = ()
