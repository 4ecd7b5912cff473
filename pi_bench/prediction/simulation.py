"""Simulates the script of a phase: two parties, each busy with one thing at a time, and a link between them.

A message leaves when its sender has handed it over. It is copied in and out at the rate of the machine, waits
for earlier messages in its direction, and travels for the delay of the link. A receiver waits until the
message has arrived, and is woken if it has slept. The model leaves out full socket buffers, memory bandwidth
that both parties share, and other programs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from pi_bench.channel.frame import HEADER_BYTES
from pi_bench.channel.link import ArrivalClock, Link
from pi_bench.costs import LINK_UNITS, STREAMED, Costs
from pi_bench.defaults import POLL_S
from pi_bench.prediction.predicted_phase import PredictedPhase
from pi_bench.protocol.script import Action, ActionKind, PhaseScript
from pi_bench.protocol.session import Party
from pi_bench.protocol.span import Span


@dataclass(slots=True)
class _Message:
    begins: float  # its first bytes can be read
    arrives: float  # its last ones
    byte_count: int
    depth: int


@dataclass(slots=True)
class _PartyState:
    """Holds the state of one party in its script."""

    party: Party
    actions: Iterator[Action]
    slowed: float  # factor by which computing takes longer than alone
    inbox: deque[_Message] = field(default_factory=deque)
    spans: dict[tuple[int, str], Span] = field(default_factory=dict)
    time_s: float = 0.0
    idle_s: float = 0.0  # seconds of polling for the last message, in which it could read ahead
    arrived_s: float = 0.0  # when everything that it has sent over an emulated link has arrived
    depth_sent: int = 0
    depth_received: int = 0
    pending: Action | None = None

    def span(self, action: Action) -> Span:
        key = (action.step, action.part)
        if key not in self.spans:
            self.spans[key] = Span(*key)
        return self.spans[key]


class Simulation:
    """Simulates scripts on measured costs.

    Args:
        link: the emulated link, None for loopback.
        polls: each receiver has a core of its own to poll on.

    Raises:
        InputError: the costs lack a unit that the link or a script needs.

    >>> from pi_bench.costs import CostUnits
    >>> from pi_bench.protocol.script import Purpose
    >>> costs = Costs({**dict.fromkeys(LINK_UNITS, 0.0), "word": 0.5}, threads=1, machine={})
    >>> script = PhaseScript("online")
    >>> script.client.compute(0, "", Purpose.OTHER, CostUnits({"word": 2.0}))
    >>> script.message(Party.CLIENT, 0, "", Purpose.OTHER, 1000)
    >>> Simulation(costs).run(script).time_s
    1.0
    """

    def __init__(self, costs: Costs, link: Link | None = None, *, polls: bool = True) -> None:
        costs.require(LINK_UNITS)
        self._costs = costs
        self._link = link
        self._poll_s = POLL_S if polls else 0.0

    def run(self, script: PhaseScript) -> PredictedPhase:
        """Simulates both parties until they have done all of their actions.

        Raises:
            ValueError: the parties wait for each other for ever, or a message has two sizes.
        """
        parties = {
            party: _PartyState(party, iter(role.actions), self._costs.contention[f"{party} {script.name}"])
            for party, role in script.roles.items()
        }
        lines = {
            Party.CLIENT: None if self._link is None else ArrivalClock(self._link.up),
            Party.SERVER: None if self._link is None else ArrivalClock(self._link.down),
        }
        moved = True
        while moved:
            moved = False
            for party, state in parties.items():
                other = parties[Party.SERVER if party is Party.CLIENT else Party.CLIENT]
                moved |= self._advance(state, other, lines[party])
        stuck = [state.party for state in parties.values() if state.pending is not None]
        if stuck or any(state.inbox for state in parties.values()):
            raise ValueError(f"the script does not end: {stuck or 'a message that nobody receives'}")
        client, server = parties[Party.CLIENT], parties[Party.SERVER]
        depth = max(client.depth_sent, client.depth_received, server.depth_sent, server.depth_received)
        return PredictedPhase(client.time_s, depth, {party: p.spans for party, p in parties.items()})

    def _advance(self, state: _PartyState, other: _PartyState, line: ArrivalClock | None) -> bool:
        """Takes every action that is possible now. Tells whether there was one."""
        moved = False
        while True:
            action = state.pending or next(state.actions, None)
            state.pending = None
            if action is None:
                return moved
            if action.kind is ActionKind.RECEIVE and not state.inbox:
                state.pending = action
                return moved
            moved = True
            if action.kind is ActionKind.COMPUTE:
                seconds = self._costs.seconds(action.work) - self._read_ahead_s(state, action)
                seconds *= state.slowed
                state.span(action).compute_s += seconds
                state.time_s += seconds
            elif action.kind is ActionKind.FLUSH:
                left_s = max(0.0, state.arrived_s - state.time_s)
                state.span(action).send_s += left_s
                state.time_s += left_s
            elif action.kind is ActionKind.SEND:
                self._send(state, other, action, line)
            else:
                self._receive(state, action)

    def _read_ahead_s(self, state: _PartyState, action: Action) -> float:
        """Returns the seconds of reading from memory that the party has saved, since it read while it
        waited."""
        amount = action.work.units.get(STREAMED, 0.0)
        streamed_s = amount * self._costs.of(STREAMED) if amount else 0.0
        read_s = min(streamed_s, state.idle_s)
        state.idle_s = 0.0
        return read_s

    def _send(
        self, state: _PartyState, other: _PartyState, action: Action, line: ArrivalClock | None
    ) -> None:
        unit_s, wire_bytes = self._costs.unit_s, HEADER_BYTES + action.byte_count
        copying_s = unit_s["message"] + wire_bytes * unit_s["byte sent"]
        started = state.time_s
        state.time_s += copying_s
        if line is None:
            begins, arrives = started + unit_s["hop"], state.time_s + unit_s["hop"]
        else:
            state.arrived_s = line.arrival(wire_bytes, started)
            arrives = max(state.arrived_s, state.time_s) + unit_s["hop"]
            begins = state.arrived_s - line.transfer_s(wire_bytes) + unit_s["hop"]
        depth = state.depth_received + 1
        other.inbox.append(_Message(begins, arrives, action.byte_count, depth))
        if action.between:
            return
        span = state.span(action)
        if depth > state.depth_sent:
            span.depth_count += max(0, depth - max(state.depth_sent, state.depth_received))
            state.depth_sent = depth
        span.send_s += copying_s
        span.sent_bytes += action.byte_count
        span.sent_count += 1

    def _receive(self, state: _PartyState, action: Action) -> None:
        unit_s, message = self._costs.unit_s, state.inbox.popleft()
        if message.byte_count != action.byte_count:
            raise ValueError(f"{action.byte_count} bytes are due where {message.byte_count} come")
        copying_s = unit_s["message"] + (HEADER_BYTES + action.byte_count) * unit_s["byte received"]
        waited_s = message.begins - state.time_s
        # A receiver that polls writes what its party has sent over the link, if that is due soon.
        poll_s = self._poll_s if state.arrived_s <= state.time_s + self._poll_s else 0.0
        state.idle_s = min(max(0.0, waited_s), poll_s)
        woken_s = unit_s["wake"] if waited_s > poll_s else 0.0
        # Bytes are copied while later ones arrive: at once on loopback, as late as possible on a slower link.
        begins = message.begins if self._link is None else max(message.begins, message.arrives - copying_s)
        done = max(message.arrives, max(state.time_s, begins) + copying_s) + woken_s
        if not action.between:
            span = state.span(action)
            if message.depth > state.depth_received:
                span.depth_count += max(0, message.depth - max(state.depth_sent, state.depth_received))
                state.depth_received = message.depth
            span.wait_s += done - state.time_s
            span.received_bytes += action.byte_count
            span.received_count += 1
        state.time_s = done
