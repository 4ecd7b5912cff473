"""Says in words that an integer network is not as faithful as it should be, and what to do."""

from __future__ import annotations

from pi_bench.fidelity.choice import ChosenBits
from pi_bench.network.graph import Graph


class FidelityWarning(UserWarning):
    """Warns that an exported network misses its fidelity goal, or that its inputs cannot show the fidelity.

    >>> issubclass(FidelityWarning, UserWarning)
    True
    """


def warning_text(graph: Graph, chosen: ChosenBits) -> list[str]:
    """Lists the faults of a fidelity, each as a line with its remedy; none if the goal is met.

    >>> from pi_bench.fidelity import Fidelity
    >>> from pi_bench.network.compiler import CompileOptions
    >>> missed = ChosenBits(CompileOptions(), Fidelity(64, 40, 3.0, 10.0, "noise"))
    >>> warning_text(Graph((), {}), missed)[0][:93]
    'these bits change the class of 24 of 64 inputs and the logits by 30 % of their range: give mo'
    """
    fidelity, goal = chosen.fidelity, chosen.fidelity.goal
    lines = []
    if not fidelity.met:
        if goal is None:
            changed = fidelity.sample_count - fidelity.same_class_count
            lines.append(
                f"these bits change the class of {changed} of {fidelity.sample_count} inputs and the logits "
                f"by {fidelity.logit_error_pct:.2g} % of their range: give more bits, or let a fidelity "
                "choose them"
            )
        elif chosen.limits:
            layer = chosen.limits[0]
            lines.append(
                f"32 bits do not hold a fidelity of {goal.same_class_pct:g} %, and these bits are the best: "
                f"layer {layer!r} loses most (values up to {graph.ranges[layer]:.3g}); normalize it (batch "
                "normalization), or ask for a lower fidelity"
            )
        else:
            lines.append(
                f"a fidelity of {goal.same_class_pct:g} % is not reached on held-out inputs: give more "
                "calibration inputs, or ask for a higher fidelity"
            )
    if chosen.inputs_are_equal:
        lines.append("the calibration inputs are all equal and show nothing: give typical inputs")
    return lines
