"""Predicts the cost of the same network with other settings, which an explanation names as remedies."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from pi_bench.launch.fusion_costs import costs_on
from pi_bench.launch.model import LoadedModel
from pi_bench.launch.weight_cache import weight_cache_bytes
from pi_bench.network.clamps import upper_relu_count, with_relus
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.fusion import fuse_linear
from pi_bench.prediction.causes import scaled
from pi_bench.prediction.simulated_run import PredictedRun, Setting, predict_run
from pi_bench.protocol import ProtocolInfo, ProtocolOptions
from pi_bench.protocol.script import Purpose


class AlternativeKind(enum.Enum):
    """The thing that an alternative changes. Texts about it are in `Alternative.change`.

    >>> AlternativeKind.FUSION.name
    'FUSION'
    """

    HALF_RELUS = enum.auto()
    FUSION = enum.auto()
    RELU_FOR_RELU6 = enum.auto()
    PROTOCOL_OPTION = enum.auto()


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another setting with its prediction.

    Attributes:
        change: a flag with its value, or a change of the network, in words.
        truncation_count: number of truncations of the network that would run.
        helps: purposes whose cost the protocol expects the setting to reduce.
        experimental: whether results with the setting carry a caveat.

    >>> from pi_bench.prediction.simulated_run import PredictedPhase
    >>> nothing = PredictedPhase(0.0, 0, {})
    >>> fused = Alternative(AlternativeKind.FUSION, "--fuse online:wan", PredictedRun(nothing, nothing), 0)
    >>> fused.flag
    '--fuse'
    """

    kind: AlternativeKind
    change: str
    run: PredictedRun
    truncation_count: int
    helps: tuple[Purpose, ...] = ()
    experimental: bool = False

    @property
    def flag(self) -> str:
        """The flag that makes the change; "" for a change of the network."""
        name, _, _ = self.change.partition(" ")
        return name if name.startswith("--") else ""


def alternatives(
    model: LoadedModel,
    compiling: CompileOptions,
    info: ProtocolInfo,
    options: ProtocolOptions,
    setting: Setting,
) -> list[Alternative]:
    """Predicts each alternative alone, with all other settings unchanged.

    A weight cache that is larger than this machine allows is no alternative.

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
    run = predict_run(halved, setting)
    found = [
        Alternative(AlternativeKind.HALF_RELUS, "half of the ReLUs", run, program.truncation_count),
    ]
    if model.fusion is None:
        fused, fusion = fuse_linear(model.graph, compiling.most_weight_bits, costs_on(setting.link))
        if fusion.dissolved:
            other, _ = compile_graph(fused, compiling)
            run = predict_run(info.script(other, options), setting)
            change = "--fuse" if setting.link is None else f"--fuse online:{setting.link.name}"
            found.append(
                Alternative(AlternativeKind.FUSION, change, run, other.truncation_count, (Purpose.LINEAR,))
            )
    if upper_relu_count(model.graph, program):
        other, _ = compile_graph(with_relus(model.graph), compiling)
        if other.relu_count < program.relu_count:
            run = predict_run(info.script(other, options), setting)
            kind, change = AlternativeKind.RELU_FOR_RELU6, "ReLU in place of ReLU6"
            found.append(Alternative(kind, change, run, other.truncation_count, (Purpose.RELU,)))
    most_bytes = max(options.weight_cache_bytes, weight_cache_bytes(None))
    for offered in info.alternatives(program, options):
        if offered.options.weight_cache_bytes > most_bytes:
            continue
        run = predict_run(info.script(program, offered.options), setting)
        kind = AlternativeKind.PROTOCOL_OPTION
        count, change = program.truncation_count, offered.change
        found.append(Alternative(kind, change, run, count, offered.helps, offered.experimental))
    return found
