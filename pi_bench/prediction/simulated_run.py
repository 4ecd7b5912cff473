"""Predicts a whole inference: both phases of a script on measured costs and a link."""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.channel.link import Link
from pi_bench.costs import Costs
from pi_bench.prediction.predicted_phase import PredictedPhase
from pi_bench.prediction.simulation import Simulation
from pi_bench.protocol.script import RunScript


@dataclass(frozen=True, slots=True)
class Setting:
    """The place of a run.

    Attributes:
        link: the link between the parties, None for loopback.
        polls: each party has cores of its own, so that receivers poll.

    >>> Setting(Costs({"word": 1e-9}, threads=1, machine={}), Link.parse("wan")).link.rtt_s
    0.04
    """

    costs: Costs
    link: Link | None = None
    polls: bool = True


@dataclass(frozen=True, slots=True)
class PredictedRun:
    """Both phases of one inference as they were predicted.

    >>> nothing = PredictedPhase(0.0, 0, {})
    >>> PredictedRun(offline=nothing, online=nothing).online.time_s
    0.0
    """

    offline: PredictedPhase
    online: PredictedPhase


def predict_run(script: RunScript, setting: Setting) -> PredictedRun:
    """Simulates both phases of `script`. The figures of the offline phase are those of one inference.

    Raises:
        InputError: the costs of `setting` lack a unit that the script needs.

    >>> from pi_bench.costs import LINK_UNITS
    >>> from pi_bench.protocol.script import PhaseScript
    >>> costs = Costs(dict.fromkeys(LINK_UNITS, 0.0), threads=1, machine={})
    >>> predict_run(RunScript(PhaseScript("offline"), PhaseScript("online")), Setting(costs)).online.depth
    0
    """
    simulation = Simulation(setting.costs, setting.link, polls=setting.polls)
    offline = simulation.run(script.offline).per_inference(script.ahead)
    return PredictedRun(offline, simulation.run(script.online))
