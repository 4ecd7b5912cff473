"""A whole inference predicted: both phases of a script on measured costs and a link."""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.channel.link import Link
from pi_bench.costs import Costs
from pi_bench.prediction.simulation import PredictedPhase, Simulation
from pi_bench.protocol.script import RunScript


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a run takes place. `link`: None for loopback. `polls`: each party has cores of its own."""

    costs: Costs
    link: Link | None = None
    polls: bool = True


@dataclass(frozen=True, slots=True)
class PredictedRun:
    offline: PredictedPhase
    online: PredictedPhase


def predict_run(script: RunScript, setting: Setting) -> PredictedRun:
    simulation = Simulation(setting.costs, setting.link, polls=setting.polls)
    return PredictedRun(simulation.play(script.offline), simulation.play(script.online))
