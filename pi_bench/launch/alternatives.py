"""Predicts the cost of the same network with other settings, which an explanation names as remedies."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pi_bench.launch.fusion_costs import costs_on
from pi_bench.launch.model import LoadedModel
from pi_bench.network.clamps import upper_relu_count, with_relus
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.fusion import fuse_linear
from pi_bench.prediction.causes import scaled
from pi_bench.prediction.simulated_run import PredictedRun, Setting, predict_run
from pi_bench.protocol import ProtocolInfo, ProtocolOptions
from pi_bench.protocol.script import Purpose

HALF_RELUS = "half of the ReLUs"
FUSION = "--fuse"
RELU_FOR_RELU6 = "ReLU in place of ReLU6"


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another setting with its prediction.

    `change`: a flag, or a change of the network.
    `truncation_count`: number of truncations of the network that would run.
    `helps`: purposes whose cost the protocol expects the setting to reduce.

    >>> from pi_bench.prediction.simulated_run import PredictedPhase
    >>> nothing = PredictedPhase(0.0, 0, {})
    >>> Alternative(FUSION, PredictedRun(nothing, nothing), truncation_count=0).change
    '--fuse'
    """

    change: str
    run: PredictedRun
    truncation_count: int
    helps: tuple[Purpose, ...] = ()


def alternatives(
    model: LoadedModel,
    compiling: CompileOptions,
    info: ProtocolInfo,
    options: ProtocolOptions,
    setting: Setting,
) -> list[Alternative]:
    """Predicts each alternative alone, with all other settings unchanged.

    ```python
    from pi_bench.costs import Costs
    from pi_bench.registry import default_protocol

    def changes(model: LoadedModel, costs: Costs) -> list[str]:
        info, setting = default_protocol(), Setting(costs)
        found = alternatives(model, CompileOptions(), info, info.configure(), setting)
        return [alternative.change for alternative in found]
    ```
    """
    assert info.script is not None
    program = model.program
    script = info.script(program, options)
    halved = replace(
        script,
        offline=scaled(script.offline, Purpose.RELU, 0.5),
        online=scaled(script.online, Purpose.RELU, 0.5),
    )
    found = [Alternative(HALF_RELUS, predict_run(halved, setting), program.truncation_count)]
    if model.fusion is None:
        fused, fusion = fuse_linear(model.graph, compiling.most_weight_bits, costs_on(setting.link))
        if fusion.dissolved:
            other, _ = compile_graph(fused, compiling)
            run = predict_run(info.script(other, options), setting)
            found.append(Alternative(_fusion_flag(setting), run, other.truncation_count, (Purpose.LINEAR,)))
    if upper_relu_count(model.graph, program):
        other, _ = compile_graph(with_relus(model.graph), compiling)
        if other.relu_count < program.relu_count:
            run = predict_run(info.script(other, options), setting)
            found.append(Alternative(RELU_FOR_RELU6, run, other.truncation_count, (Purpose.RELU,)))
    for offered in info.alternatives(program, options):
        run = predict_run(info.script(program, offered.options), setting)
        found.append(Alternative(offered.change, run, program.truncation_count, offered.helps))
    return found


def _fusion_flag(setting: Setting) -> str:
    return FUSION if setting.link is None else f"{FUSION} online:{setting.link.name}"
