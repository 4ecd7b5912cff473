"""The objective of a search: ReLUs, or the time that an inference is predicted to take.

Predictions come from the costs of one machine, a link and a protocol. A network that is not trained yet is
predicted with random weights, since the time depends on public shapes and not on weights. Only the number of
bits of each layer, which a trained network's export chooses, differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pi_bench.errors import UsageError
from pi_bench.fidelity import with_chosen_bits
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.files.model_file import load_model
from pi_bench.network.fusion import CostTable, fuse_linear
from pi_bench.network.graph import Graph
from pi_bench.prediction.simulated_run import Setting, predict_run
from pi_bench.protocol import ProtocolInfo, ProtocolOptions

from ..recipe import Recipe
from ..recipe_writing import format_recipe
from .untrained import untrained_graph

OBJECTIVES = ("relus", "online", "total")


@dataclass(frozen=True, slots=True)
class PredictedTimes:
    """The predicted seconds of both phases of an inference.

    >>> PredictedTimes(online_s=0.25, offline_s=0.5).of("total")
    0.75
    """

    online_s: float
    offline_s: float

    def of(self, objective: str) -> float:
        """Returns the seconds that `objective`, "online" or "total", minimizes."""
        return self.online_s + (self.offline_s if objective == "total" else 0.0)


@dataclass(frozen=True, slots=True)
class TimeObjective:
    """An objective of predicted time on a link, under a protocol.

    Attributes:
        name: "online", or "total" for the sum of both phases.
        info, options: the protocol, which must have a script, and its options.
        setting: the costs of the machine, and the link.
        fusion: the costs by which linear layers are fused first (`latency --fuse`). With None, none is.
        fusion_name: the argument of `--fuse`, which identifies `fusion`.

    Raises:
        UsageError: No times can be predicted for the protocol.

    >>> from pi_bench.costs import LINK_UNITS, Costs
    >>> from pi_bench.registry import find_protocol
    >>> info = find_protocol("ideal")
    >>> setting = Setting(Costs(dict.fromkeys(LINK_UNITS, 1e-6), threads=1, machine={}))
    >>> TimeObjective("online", info, info.configure(), setting)
    Traceback (most recent call last):
    pi_bench.errors.UsageError: protocol ideal has no costs to predict times from: ...
    """

    name: str
    info: ProtocolInfo
    options: ProtocolOptions
    setting: Setting
    fusion: CostTable | None = None
    fusion_name: str | None = None

    def __post_init__(self) -> None:
        """Checks that times can be predicted."""
        require_script(self.info)

    @property
    def link_name(self) -> str:
        """The name of the link."""
        return "loopback" if self.setting.link is None else self.setting.link.name

    def __str__(self) -> str:
        """Returns objective, protocol and link in words, and each option that differs from its default."""
        given = [
            f"{option.flag} {value}"
            for option in self.info.options
            if (value := self.options.values.get(option.name, option.default)) != option.default
        ]
        if self.options.mode != self.info.mode_names[0]:
            given.insert(0, f"--mode {self.options.mode}")
        if self.fusion_name is not None:
            given.append(f"--fuse {self.fusion_name}")
        return ", ".join((self.name, self.info.name, self.link_name, *given))

    def identity(self) -> dict[str, Any]:
        """Returns JSON values that tell this objective from others. Costs are not among them."""
        return {
            "objective": self.name,
            "link": self.link_name,
            "protocol": self.info.name,
            "mode": self.options.mode,
            "options": dict(self.options.values),
            "fuse": self.fusion_name,
        }

    def of_recipe(self, recipe: Recipe) -> PredictedTimes:
        """Predicts a network that is not trained. Masks keep ReLUs at random places.

        Raises:
            ModelError: The network cannot be compiled.
            InputError: The costs lack a unit.
        """
        return self.of_graph(untrained_graph(format_recipe(recipe)))

    def of_model(self, path: Path) -> PredictedTimes:
        """Predicts the network in a model file.

        Raises:
            ModelError: The file is no model, or the network cannot be compiled.
            InputError: The costs lack a unit.
        """
        return self.of_graph(load_model(path))

    def of_graph(self, graph: Graph) -> PredictedTimes:
        """Predicts a calibrated network, with the bits that its export chose, if any.

        Raises:
            ModelError: The network cannot be compiled.
            InputError: The costs lack a unit.
        """
        compiling = with_chosen_bits(graph, CompileOptions())
        if self.fusion is not None:
            graph, _ = fuse_linear(graph, compiling.most_weight_bits, self.fusion)
        program, _ = compile_graph(graph, compiling)
        options = self.info.settle(program, self.options, self.setting.link)
        self.info.require(program, options)
        assert self.info.script is not None
        run = predict_run(self.info.script(program, options), self.setting)
        return PredictedTimes(run.online.time_s, run.offline.time_s)


def require_script(info: ProtocolInfo) -> None:
    """Checks that times of a protocol can be predicted.

    Raises:
        UsageError: They cannot.

    >>> from pi_bench.registry import default_protocol
    >>> require_script(default_protocol())
    """
    if info.script is None:
        raise UsageError(
            f"protocol {info.name} has no costs to predict times from: choose another --protocol, "
            "or --objective relus"
        )
