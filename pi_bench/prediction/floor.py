"""Computes the floor of an inference: the time below which no run of it can be on this machine and link.

The floor follows from the machine's limits and from the work and messages that the protocol's script lists.
It is the largest of three times, since all else may overlap:

- the client's work, where each kind of work runs at its limit and all kinds run at once;
- the server's work likewise, up to its last message, since the client waits for nothing later;
- the messages alone, as if no party ever computed: each byte takes its time on the link, and each message
  that follows from another one leaves after that one has arrived.

Work counts only what `Primitive.least` of its units names. A protocol without a script has the bytes of
`ProtocolInfo.predict` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pi_bench.channel.frame import HEADER_BYTES
from pi_bench.channel.link import Link, Pace
from pi_bench.costs import LINK_UNITS, NOTHING, Costs
from pi_bench.network.program import Program
from pi_bench.prediction.limits import Limits
from pi_bench.prediction.simulation import Simulation
from pi_bench.primitives import Primitive
from pi_bench.primitives.built_in import BUILT_IN
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions
from pi_bench.protocol.script import Action, ActionKind, PhaseScript, RunScript


@dataclass(frozen=True, slots=True)
class FloorTimes:
    """The floor of a phase or of one operator in it, and the three times whose largest it is.

    Attributes:
        work: the amounts of work of each party by the name of the machine's limit for them.

    >>> FloorTimes(client_s=2.0, server_s=1.0, link_s=0.5).time_s
    2.0
    """

    client_s: float = 0.0
    server_s: float = 0.0
    link_s: float = 0.0
    work: Mapping[Party, Mapping[str, float]] = field(default_factory=dict)

    @property
    def time_s(self) -> float:
        """The floor in seconds."""
        return max(self.client_s, self.server_s, self.link_s)

    def per_inference(self, count: int) -> FloorTimes:
        """Returns the part of one of `count` inferences that share the phase.

        >>> FloorTimes(client_s=2.0).per_inference(4).client_s
        0.5
        """
        work = {
            party: {name: amount / count for name, amount in amounts.items()}
            for party, amounts in self.work.items()
        }
        return FloorTimes(self.client_s / count, self.server_s / count, self.link_s / count, work)

    @property
    def bound_by(self) -> str:
        """The part that takes longest: client, server or link."""
        times = {"client": self.client_s, "server": self.server_s, "link": self.link_s}
        return max(times, key=times.__getitem__)


@dataclass(frozen=True, slots=True)
class PhaseFloor:
    """The floor of one phase, and that of each operator by its id.

    An operator's floor bounds the work that belongs to it alone. Operators may overlap, so their sum is no
    floor of the phase.

    >>> PhaseFloor(FloorTimes(client_s=2.0), {3: FloorTimes(client_s=0.5)}).operators[3].time_s
    0.5
    """

    whole: FloorTimes
    operators: Mapping[int, FloorTimes]

    def per_inference(self, count: int) -> PhaseFloor:
        """Returns the part of one of `count` inferences that share the phase.

        >>> PhaseFloor(FloorTimes(client_s=2.0), {}).per_inference(2).whole.time_s
        1.0
        """
        operators = {step: times.per_inference(count) for step, times in self.operators.items()}
        return PhaseFloor(self.whole.per_inference(count), operators)


@dataclass(frozen=True, slots=True)
class Floor:
    """The floors of both phases of an inference.

    >>> nothing = PhaseFloor(FloorTimes(), {})
    >>> Floor(offline=nothing, online=nothing).online.whole.time_s
    0.0
    """

    offline: PhaseFloor
    online: PhaseFloor


def floor_of(
    info: ProtocolInfo,
    program: Program,
    options: ProtocolOptions,
    limits: Limits,
    link: Link | None = None,
    *,
    round_count: float = 0.0,
) -> Floor:
    """Computes the floor of one inference of a program.

    Args:
        link: the emulated link, None for loopback.
        round_count: the communication rounds that a run has shown online. They count for a protocol without a
            script, which does not tell them.

    >>> from pi_bench.costs import LIMIT_NAMES
    >>> from pi_bench.registry import default_protocol
    >>> from pi_bench.testing import small_network
    >>> info, (program, _) = default_protocol(), small_network()
    >>> limits = Limits(dict.fromkeys(LIMIT_NAMES, 1e-9), threads=1)
    >>> floor_of(info, program, info.configure(), limits, Link.parse("wan")).online.whole.bound_by
    'link'
    """
    transport = _Transport.of(limits, link)
    if info.script is None:
        return _of_bytes(info, program, options, transport, round_count)
    return script_floor(info.script(program, options), info.primitives, limits, link)


def script_floor(
    script: RunScript, own: Iterable[Primitive], limits: Limits, link: Link | None = None
) -> Floor:
    """Computes the floor of a script.

    Args:
        own: the primitives that the protocol declares.

    >>> from pi_bench.costs import CostUnits
    >>> from pi_bench.costs import LIMIT_NAMES
    >>> from pi_bench.protocol.script import Purpose
    >>> script = RunScript(PhaseScript("offline"), PhaseScript("online"))
    >>> script.online.client.compute(1, "", Purpose.RELU, CostUnits({"evaluate gate": 1e6}))
    >>> limits = Limits(dict.fromkeys(LIMIT_NAMES, 1e-9), threads=1)
    >>> script_floor(script, (), limits).online.whole.time_s  # two hashes per gate
    0.002
    """
    least = {unit: work.amounts for primitive in (*BUILT_IN, *own) for unit, work in primitive.least.items()}
    transport = _Transport.of(limits, link)
    offline = _phase(script.offline, least, limits, transport).per_inference(script.ahead)
    return Floor(offline, _phase(script.online, least, limits, transport))


@dataclass(frozen=True, slots=True)
class _Transport:
    """Carries messages at the best rates. `link` is None for loopback, which has the other two fields."""

    link: Link | None
    byte_s: float
    hop_s: float

    @classmethod
    def of(cls, limits: Limits, link: Link | None) -> _Transport:
        if link is not None:
            return cls(link, 0.0, link.rtt_s / 2)
        return cls(None, limits.unit_s["socket"], limits.unit_s["round_trip"] / 2)

    def messages_s(self, script: PhaseScript) -> tuple[float, dict[int, int]]:
        """Simulates the messages of a script alone. Returns seconds, and the dependent messages by step."""
        unit_s = {**dict.fromkeys(LINK_UNITS, 0.0), "byte received": self.byte_s}
        if self.link is None:
            unit_s["hop"] = self.hop_s
        costs = Costs(unit_s, threads=1, machine={})
        silent = script.changed(lambda action: replace(action, work=NOTHING))
        simulated = Simulation(costs, self.link).run(silent)
        depths: dict[int, int] = {}
        for (step, _), span in simulated.spans[Party.CLIENT].items():
            depths[step] = depths.get(step, 0) + span.depth_count
        return simulated.time_s, depths

    def transfer_s(self, sender: Party, wire_bytes: int) -> float:
        """Returns the seconds for which a direction is busy with bytes."""
        if self.link is None:
            return wire_bytes * self.byte_s
        pace: Pace = self.link.up if sender is Party.CLIENT else self.link.down
        return pace.transfer_s(wire_bytes)


def _phase(
    script: PhaseScript, least: Mapping[str, Mapping[str, float]], limits: Limits, transport: _Transport
) -> PhaseFloor:
    link_s, depths = transport.messages_s(script)
    roles = {
        Party.CLIENT: script.client.actions,
        Party.SERVER: _up_to_last_message(script.server.actions),
    }
    steps = dict.fromkeys(action.step for actions in roles.values() for action in actions)
    operators = {}
    for step in steps:
        own = {party: [a for a in actions if a.step == step] for party, actions in roles.items()}
        transfers_s = [transport.transfer_s(party, _wire_bytes(actions)) for party, actions in own.items()]
        operators[step] = _times(own, least, limits, max(*transfers_s, depths.get(step, 0) * transport.hop_s))
    return PhaseFloor(_times(roles, least, limits, link_s), operators)


def _up_to_last_message(actions: list[Action]) -> list[Action]:
    """Returns the actions for which the other party may wait: those before the last message that is sent."""
    sends = [number for number, action in enumerate(actions) if action.kind is ActionKind.SEND]
    return actions[: sends[-1] + 1] if sends else []


def _times(
    roles: Mapping[Party, list[Action]],
    least: Mapping[str, Mapping[str, float]],
    limits: Limits,
    link_s: float,
) -> FloorTimes:
    work = {party: _least_work(actions, least) for party, actions in roles.items()}
    client_s, server_s = (limits.seconds(work[party]) for party in (Party.CLIENT, Party.SERVER))
    return FloorTimes(client_s, server_s, link_s, work)


def _least_work(actions: Iterable[Action], least: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for action in actions:
        for unit, amount in action.work.units.items():
            for name, each in least.get(unit, {}).items():
                total[name] = total.get(name, 0.0) + amount * each
    return total


def _wire_bytes(actions: Iterable[Action]) -> int:
    return sum(HEADER_BYTES + a.byte_count for a in actions if a.kind is ActionKind.SEND and not a.between)


def _of_bytes(
    info: ProtocolInfo, program: Program, options: ProtocolOptions, transport: _Transport, round_count: float
) -> Floor:
    """Computes the floor of a protocol without a script, from its payload bytes."""
    predicted = info.predict(program, options)

    def busy_s(sent: Mapping[Party, int]) -> float:
        return max(transport.transfer_s(party, sent.get(party, 0)) for party in Party)

    operators = {step: FloorTimes(link_s=busy_s(sent)) for step, sent in predicted.online_ops.items()}
    online_s = max(busy_s(predicted.online), 2 * round_count * transport.hop_s)
    return Floor(
        PhaseFloor(FloorTimes(link_s=busy_s(predicted.offline)), {}),
        PhaseFloor(FloorTimes(link_s=online_s), operators),
    )
