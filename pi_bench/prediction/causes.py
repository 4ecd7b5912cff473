"""What a phase's time is made of: what it would be without its rounds, its ReLUs, its linear layers.

Parties and the link work at once, so a phase is no sum: each cause is taken away in turn and the phase is
played again. What that saves is what the cause costs.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from pi_bench.costs import CostUnits
from pi_bench.prediction.simulated_run import Setting
from pi_bench.prediction.simulation import Simulation
from pi_bench.protocol.script import Action, Kind, PhaseScript, Purpose
from pi_bench.protocol.session import Party

FIXED_UNITS = (
    *("client slice", "server slice", "linear operator", "client exchange", "server exchange"),
    *("client end", "server end"),
)
"""What steps cost whatever their size: part of the rounds, not of what the steps compute."""

_ROUND_UNITS = (*FIXED_UNITS, "message", "hop", "wake")


class Cause(enum.Enum):
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
class Share:
    """`cost_s`: what the phase would save without the cause. `steps`: operators by what they keep both
    parties and the link busy with for it, the busiest first."""

    cause: Cause
    cost_s: float
    steps: tuple[tuple[int, float], ...]


def shares(script: PhaseScript, setting: Setting) -> list[Share]:
    """Every cause, the dearest first."""
    whole_s = _played(script, setting)
    found = [Share(Cause.ROUNDS, whole_s - _played(script, without_rounds(setting)), ())]
    for cause, purpose in _PURPOSES.items():
        saved_s = whole_s - _played(scaled(script, purpose, 0.0), setting)
        found.append(Share(cause, saved_s, _busiest(script, purpose, setting)))
    return sorted(found, key=lambda share: -share.cost_s)


def scaled(script: PhaseScript, purpose: Purpose, factor: float) -> PhaseScript:
    """With `factor` times the computing and bytes for a purpose; steps and messages stay."""

    def change(action: Action) -> Action:
        if action.purpose is not purpose or action.between:
            return action
        units = {
            name: amount if name in FIXED_UNITS else factor * amount
            for name, amount in action.work.units.items()
        }
        return replace(action, work=CostUnits(units), byte_count=round(factor * action.byte_count))

    return script.changed(change)


def without_rounds(setting: Setting) -> Setting:
    """Messages and steps that take no time of their own; bytes and computing still do."""
    link = None if setting.link is None else replace(setting.link, rtt_s=0.0)
    return replace(setting, costs=setting.costs.without(_ROUND_UNITS), link=link)


def _played(script: PhaseScript, setting: Setting) -> float:
    return Simulation(setting.costs, setting.link, polls=setting.polls).play(script).time_s


def _busiest(script: PhaseScript, purpose: Purpose, setting: Setting) -> tuple[tuple[int, float], ...]:
    busy: dict[int, float] = {}
    for party, role in script.roles.items():
        for action in role.actions:
            if action.purpose is purpose and action.step >= 0:
                seconds = setting.costs.seconds(action.work)
                if action.kind is Kind.SEND and setting.link is not None:
                    pace = setting.link.up if party is Party.CLIENT else setting.link.down
                    seconds += pace.transfer_s(action.byte_count)
                busy[action.step] = busy.get(action.step, 0.0) + seconds
    return tuple(sorted(busy.items(), key=lambda item: -item[1]))
