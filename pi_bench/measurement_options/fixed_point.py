"""The options of the fixed point, which choose the integer network of a model file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pi_bench.measurement_options import values
from pi_bench.measurement_options.fusion_objective import FLAGS, ONLINE, costs_of_objective, fusion_objective
from pi_bench.measurement_options.option import option

if TYPE_CHECKING:
    from pi_bench.network.compiler import CompileOptions
    from pi_bench.network.fusion import CostTable
    from pi_bench.network.graph import Graph

GROUP = "fixed point"
_COMMANDS = dict.fromkeys(("latency", "compare", "inspect", "serve", "accuracy"), "")


@dataclass(frozen=True, kw_only=True)
class FixedPointOptions:
    """The first part of `MeasurementOptions`. None leaves a number of bits to the export.

    >>> FixedPointOptions(weight_bits=8).compile_options(None, batch=4)
    CompileOptions(weight_bits=8, activation_bits=10, ..., batch=4, ...)
    """

    weight_bits: int | None = option(
        None,
        "--weight-bits",
        group=GROUP,
        commands=_COMMANDS,
        needs_model=True,
        in_python=True,
        type=values.positive_int,
        metavar="N",
        help="bits of a signed weight, 2 to 16, for all layers (default: those that the export chose, or 10)",
    )
    activation_bits: int | None = option(
        None,
        "--activation-bits",
        group=GROUP,
        commands=_COMMANDS,
        needs_model=True,
        in_python=True,
        type=values.positive_int,
        metavar="N",
        help="bits of the calibrated maximum of an activation's result, for all layers (default: the bits of "
        "each layer that the export chose, or 10)",
    )
    headroom_bits: float = option(
        1.0,
        "--headroom-bits",
        group=GROUP,
        commands=_COMMANDS,
        needs_model=True,
        type=values.number,
        metavar="X",
        help="bits of headroom above the calibrated maximum, 1 to 8 (default 1); each whole bit adds one "
        "AND gate and one label per ReLU",
    )
    scales: str = option(
        "per-channel",
        "--scales",
        group=GROUP,
        commands=_COMMANDS,
        needs_model=True,
        choices=("per-channel", "per-tensor"),
        help="one scale of the weights per output channel, or one per layer; scales are public, so "
        "per-tensor reveals fewer numbers (default per-channel)",
    )
    fuse: str | None = option(
        None,
        *FLAGS,
        group=GROUP,
        commands=_COMMANDS,
        needs_model=True,
        nargs="?",
        const=ONLINE,
        type=fusion_objective,
        metavar="online:LINK",
        help="fuse linear operators that have no ReLU between them into one, where this is predicted to save "
        "online time without adding offline bytes; the float network stays the same, the integer "
        "network changes; with a link as for --link, such as online:wan, plan for its round trip and let "
        "offline bytes grow where that saves online time",
    )

    @property
    def fusion_costs(self) -> CostTable | None:
        """The costs by which linear layers are fused, or None if nothing is fused."""
        return None if self.fuse is None else costs_of_objective(self.fuse)

    def compile_options(self, graph: Graph | None, batch: int) -> CompileOptions:
        """Returns the options of the compiler.

        Args:
            graph: the network, whose export chose the bits that these options leave open.
            batch: the number of inputs per inference.

        Raises:
            UsageError: an option is outside of its range.
        """
        from pi_bench.fidelity import with_chosen_bits
        from pi_bench.network.compiler import CompileOptions

        default = CompileOptions()
        chosen = CompileOptions(
            weight_bits=self.weight_bits or default.weight_bits,
            activation_bits=self.activation_bits or default.activation_bits,
            headroom_bits=self.headroom_bits,
            per_channel=self.scales == "per-channel",
            batch=batch,
        )
        if graph is None:
            return chosen
        weights, activations = self.weight_bits is None, self.activation_bits is None
        return with_chosen_bits(graph, chosen, weights=weights, activations=activations)
