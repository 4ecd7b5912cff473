"""Attributes the time of a phase to its causes, such as rounds, ReLUs and linear layers.

Parties and link work at the same time, so the time of a phase is not a sum. Each cause is taken away in turn
and the phase is simulated again. The time that this saves is the cost of the cause.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from pi_bench.costs import LINK_UNITS, CostUnits
from pi_bench.prediction.simulated_run import Setting
from pi_bench.prediction.simulation import Simulation
from pi_bench.protocol.script import Action, ActionKind, PhaseScript, Purpose, RunScript
from pi_bench.protocol.session import Party

_BYTE_UNITS = ("byte sent", "byte received")
_MESSAGE_UNITS = tuple(unit for unit in LINK_UNITS if unit not in _BYTE_UNITS)


class Cause(enum.Enum):
    """A cause of time. The value is its name in JSON.

    >>> Cause("relus").name
    'RELUS'
    """

    ROUNDS = "rounds"
    RELUS = "relus"
    TRUNCATIONS = "truncations"
    LINEAR = "linear"
    MULTIPLICATIONS = "multiplications"


_PURPOSES = {
    Cause.RELUS: Purpose.RELU,
    Cause.TRUNCATIONS: Purpose.TRUNCATION,
    Cause.LINEAR: Purpose.LINEAR,
    Cause.MULTIPLICATIONS: Purpose.MULTIPLICATION,
}


@dataclass(frozen=True, slots=True)
class CauseCost:
    """The part of a phase's time that a cause costs.

    Attributes:
        cost_s: seconds that the phase would save without the cause.
        steps: operators and the seconds for which each keeps both parties and the link busy for this cause,
            the busiest first.

    >>> CauseCost(Cause.RELUS, 0.5, ((3, 0.25), (1, 0.25))).steps[0]
    (3, 0.25)
    """

    cause: Cause
    cost_s: float
    steps: tuple[tuple[int, float], ...]

    def per_inference(self, count: int) -> CauseCost:
        """Returns the part of one of `count` inferences that share the phase.

        >>> CauseCost(Cause.RELUS, 0.5, ((3, 0.25),)).per_inference(2)
        CauseCost(cause=<Cause.RELUS: 'relus'>, cost_s=0.25, steps=((3, 0.125),))
        """
        steps = tuple((step, busy_s / count) for step, busy_s in self.steps)
        return CauseCost(self.cause, self.cost_s / count, steps)


@dataclass(frozen=True, slots=True)
class RunCosts:
    """The costs of the causes of both phases of a run, the most expensive first.

    >>> RunCosts(online=(CauseCost(Cause.RELUS, 0.5, ()),), offline=()).online[0].cost_s
    0.5
    """

    online: Sequence[CauseCost]
    offline: Sequence[CauseCost]

    @classmethod
    def of(cls, script: RunScript, setting: Setting) -> Self:
        """Finds them by simulating each phase without each cause. They are those of one inference."""
        offline = [one.per_inference(script.ahead) for one in costs_of_causes(script.offline, setting)]
        return cls(costs_of_causes(script.online, setting), offline)


def costs_of_causes(script: PhaseScript, setting: Setting) -> list[CauseCost]:
    """Finds the cost of every cause, the most expensive first.

    >>> from pi_bench.costs import Costs
    >>> costs = Costs({**dict.fromkeys(LINK_UNITS, 0.0), "hop": 0.5, "gate": 1.0}, threads=1, machine={})
    >>> script = PhaseScript("online")
    >>> script.server.compute(0, "", Purpose.RELU, CostUnits({"gate": 1.0}))
    >>> script.message(Party.SERVER, 0, "", Purpose.RELU, 100)
    >>> [(one.cause.value, one.cost_s) for one in costs_of_causes(script, Setting(costs))][:2]
    [('relus', 1.0), ('rounds', 0.5)]
    """
    whole_s = _played(script, setting)
    found = [CauseCost(Cause.ROUNDS, whole_s - _played(script, without_rounds(script, setting)), ())]
    for cause, purpose in _PURPOSES.items():
        saved_s = whole_s - _played(scaled(script, purpose, 0.0), setting)
        found.append(CauseCost(cause, saved_s, _busiest(script, purpose, setting)))
    return sorted(found, key=lambda one: -one.cost_s)


def scaled(script: PhaseScript, purpose: Purpose, factor: float) -> PhaseScript:
    """Scales the computing and the bytes for one purpose by `factor`; steps and messages stay.

    >>> script = PhaseScript("online")
    >>> script.message(Party.SERVER, 0, "", Purpose.RELU, 100)
    >>> scaled(script, Purpose.RELU, 0.5).server.actions[0].byte_count
    50
    """
    fixed = _fixed_units(script)

    def change(action: Action) -> Action:
        if action.purpose is not purpose or action.between:
            return action
        units = {
            name: amount if name in fixed else factor * amount for name, amount in action.work.units.items()
        }
        return replace(action, work=CostUnits(units), byte_count=round(factor * action.byte_count))

    return script.changed(change)


def without_rounds(script: PhaseScript, setting: Setting) -> Setting:
    """Returns the setting in which messages and fixed steps take no time; bytes and computing still do.

    >>> from pi_bench.costs import Costs
    >>> setting = Setting(Costs(dict.fromkeys(LINK_UNITS, 1.0), threads=1, machine={}))
    >>> without_rounds(PhaseScript("online"), setting).costs.unit_s
    {'message': 0.0, 'byte sent': 1.0, 'byte received': 1.0, 'hop': 0.0, 'wake': 0.0}
    """
    free = (*_fixed_units(script), *_MESSAGE_UNITS)
    link = None if setting.link is None else replace(setting.link, rtt_s=0.0)
    return replace(setting, costs=setting.costs.without(free), link=link)


def _fixed_units(script: PhaseScript) -> frozenset[str]:
    """Collects the units of steps that cost the same whatever their size: they belong to the rounds."""
    return frozenset(step.unit for step in script.fixed_steps)


def _played(script: PhaseScript, setting: Setting) -> float:
    return Simulation(setting.costs, setting.link, polls=setting.polls).run(script).time_s


def _busiest(script: PhaseScript, purpose: Purpose, setting: Setting) -> tuple[tuple[int, float], ...]:
    busy: dict[int, float] = {}
    for party, role in script.roles.items():
        for action in role.actions:
            if action.purpose is purpose and action.step >= 0:
                seconds = setting.costs.seconds(action.work)
                if action.kind is ActionKind.SEND and setting.link is not None:
                    pace = setting.link.up if party is Party.CLIENT else setting.link.down
                    seconds += pace.transfer_s(action.byte_count)
                busy[action.step] = busy.get(action.step, 0.0) + seconds
    return tuple(sorted(busy.items(), key=lambda item: -item[1]))
