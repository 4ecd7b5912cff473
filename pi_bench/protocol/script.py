"""Scripts list the steps of both parties in a phase: computing, sending and receiving.

A protocol writes its scripts from the public program alone (`ProtocolInfo.script`). Nothing in them is
secret, and nothing runs. `pi_bench.prediction` simulates them on measured costs and a link, and so predicts
times, bytes and rounds.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pi_bench.costs import CostUnits
from pi_bench.protocol.session import Party

NO_OP = -1
"""The step of actions that belong to no operator."""


class ActionKind(enum.Enum):
    """Lists the kinds of actions.

    >>> [kind.name for kind in ActionKind]
    ['COMPUTE', 'SEND', 'RECEIVE', 'FLUSH']
    """

    COMPUTE = enum.auto()
    SEND = enum.auto()
    RECEIVE = enum.auto()
    FLUSH = enum.auto()


class Purpose(enum.Enum):
    """Lists the purposes for which an inference spends time and bytes, with their names in reports.

    >>> Purpose.LINEAR.value
    'linear layers'
    """

    RELU = "ReLUs"
    TRUNCATION = "truncations without ReLU"
    LINEAR = "linear layers"
    MULTIPLICATION = "products of activations"
    OTHER = "the rest"


@dataclass(frozen=True, slots=True)
class Message:
    """Describes one message: its sender, its payload bytes, and where they are counted.

    Attributes:
        step, part: the step and the part that `SessionLike.step` gets.

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
        """The other party."""
        return Party.SERVER if self.sender is Party.CLIENT else Party.CLIENT


@dataclass(frozen=True, slots=True)
class Action:
    """Describes one action of one party. `step` and `part` are those of `SessionLike.step`.

    `work` belongs to computing, `byte_count` to messages, in payload bytes. `between` marks a message between
    two phases, which no phase counts.

    >>> Action(ActionKind.SEND, 0, "", byte_count=400).work.units
    {}
    """

    kind: ActionKind
    step: int
    part: str
    purpose: Purpose = Purpose.OTHER
    work: CostUnits = field(default_factory=CostUnits)
    byte_count: int = 0
    between: bool = False


@dataclass(slots=True)
class Role:
    """Lists the actions of one party in one phase, in their order.

    >>> server = Role()
    >>> server.receive(0, "", Purpose.OTHER, 400)
    >>> server.compute(1, "", Purpose.LINEAR, CostUnits({"multiplication": 1e6}))
    >>> server.send(2, "", Purpose.RELU, 6400)
    >>> [action.kind.name for action in server.actions]
    ['RECEIVE', 'COMPUTE', 'SEND']
    """

    actions: list[Action] = field(default_factory=list)

    def compute(self, step: int, part: str, purpose: Purpose, work: CostUnits) -> None:
        """Appends computing."""
        self.actions.append(Action(ActionKind.COMPUTE, step, part, purpose, work))

    def send(self, step: int, part: str, purpose: Purpose, byte_count: int, *, between: bool = False) -> None:
        """Appends a message that the party sends, of `byte_count` payload bytes."""
        self.actions.append(
            Action(ActionKind.SEND, step, part, purpose, byte_count=byte_count, between=between)
        )

    def receive(
        self, step: int, part: str, purpose: Purpose, byte_count: int, *, between: bool = False
    ) -> None:
        """Appends a message that the party waits for, of `byte_count` payload bytes."""
        self.actions.append(
            Action(ActionKind.RECEIVE, step, part, purpose, byte_count=byte_count, between=between)
        )

    def flush(self, step: int, part: str) -> None:
        """Appends a wait until every message has left the party.

        Over an emulated link the wait ends when every message has arrived.
        """
        self.actions.append(Action(ActionKind.FLUSH, step, part))


@dataclass(frozen=True, slots=True)
class FixedStep:
    """Names a cost unit that does not depend on the size of a step, such as the handling of one slice.

    It is measured between two real parties that run small networks. `spans` are pairs of step and part. The
    seconds of the other units are subtracted from the computing time there, and the unit gets the rest. A
    prediction counts it among the rounds.

    >>> FixedStep("server slice", Party.SERVER, frozenset({(2, "")})).unit
    'server slice'
    """

    unit: str
    party: Party
    spans: frozenset[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class PhaseScript:
    """Lists the actions of both parties in a phase. The time of the phase is the time of the client.

    >>> script = PhaseScript("online")
    >>> script.message(Party.CLIENT, 0, "", Purpose.OTHER, 400)
    >>> script.client.actions[0].kind.name, script.server.actions[0].kind.name
    ('SEND', 'RECEIVE')
    """

    name: str  # online or offline
    roles: dict[Party, Role] = field(default_factory=lambda: {party: Role() for party in Party})
    fixed_steps: tuple[FixedStep, ...] = ()

    @property
    def client(self) -> Role:
        """The actions of the client."""
        return self.roles[Party.CLIENT]

    @property
    def server(self) -> Role:
        """The actions of the server."""
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
        """Appends one message to both roles: `sender` sends it next and the other party receives it next."""
        other = Party.SERVER if sender is Party.CLIENT else Party.CLIENT
        self.roles[sender].send(step, part, purpose, byte_count, between=between)
        self.roles[other].receive(step, part, purpose, byte_count, between=between)

    def changed(self, change: Callable[[Action], Action]) -> PhaseScript:
        """Returns a script in which `change` has replaced every action."""
        return PhaseScript(
            self.name,
            {party: Role([change(a) for a in role.actions]) for party, role in self.roles.items()},
            self.fixed_steps,
        )


@dataclass(frozen=True, slots=True)
class RunScript:
    """Holds the scripts of an inference, and the words with which an explanation names its work.

    Attributes:
        offline, online: the script of each phase.
        offline_text: names the results of the offline phase by purpose, such as "labels and garbled tables"
            for ReLUs. An explanation says "the preprocessing" for a purpose without words.
        online_text: names the work of the online phase by purpose, such as "products under encryption".
            Without words an explanation names the purpose alone.
        set_up: the messages of a connection's set-up, in their order. No times are predicted for them.
        ahead: the number of inferences that the script of the offline phase prepares. Figures about the
            phase are given per inference.

    >>> script = RunScript(PhaseScript("offline"), PhaseScript("online"))
    >>> script.offline.message(Party.SERVER, 0, "tables", Purpose.RELU, 6400)
    >>> from pi_bench.protocol.prediction import PredictedBytes
    >>> PredictedBytes.of(script).offline[Party.SERVER]
    6400
    """

    offline: PhaseScript
    online: PhaseScript
    offline_text: Mapping[Purpose, str] = field(default_factory=dict)
    online_text: Mapping[Purpose, str] = field(default_factory=dict)
    set_up: tuple[Message, ...] = ()
    ahead: int = 1
