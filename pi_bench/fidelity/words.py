"""Says in words how faithful an integer network is, and what to do where it is not."""

from __future__ import annotations

from pi_bench.fidelity.choice import ChosenBits
from pi_bench.fidelity.fidelity import EXAMPLE, NOISE, Fidelity
from pi_bench.network.graph import Graph

_PLURALS = {NOISE: "inputs of noise", EXAMPLE: "example inputs"}


class FidelityWarning(UserWarning):
    """Warns that an exported network misses its fidelity goal, or that its inputs cannot show the fidelity.

    >>> issubclass(FidelityWarning, UserWarning)
    True
    """


def fidelity_words(fidelity: Fidelity) -> str:
    """Describes a fidelity in a part of a sentence.

    >>> print(fidelity_words(Fidelity(256, 254, 0.05, 10.0, "calibration inputs")).replace("), ", "),\\n"))
    same class as the float network on 254 of 256 calibration inputs (99.2 %, interval 97.2 to 99.8 %),
    typical logit error 0.5 % of the logits' range
    """
    low, high = fidelity.same_class_interval_pct
    inputs = _PLURALS.get(fidelity.source, fidelity.source)
    return (
        f"same class as the float network on {fidelity.same_class_count} of {fidelity.sample_count} {inputs} "
        f"({fidelity.same_class_pct:.1f} %, interval {low:.1f} to {high:.1f} %), "
        f"typical logit error {fidelity.logit_error_pct:.2g} % of the logits' range"
    )


def warning_words(graph: Graph, chosen: ChosenBits) -> list[str]:
    """Says what is wrong with a fidelity and what to do, one line each; nothing if all is well.

    >>> from pi_bench.network.compiler import CompileOptions
    >>> missed = ChosenBits(CompileOptions(), Fidelity(64, 40, 3.0, 10.0, "noise"))
    >>> warning_words(Graph((), {}), missed)
    ['these bits change the class of 24 of 64 inputs: give more bits, or let a fidelity choose them']
    """
    fidelity, goal = chosen.fidelity, chosen.fidelity.goal
    lines = []
    if not fidelity.met:
        if goal is None:
            lines.append(
                f"these bits change the class of {fidelity.sample_count - fidelity.same_class_count} of "
                f"{fidelity.sample_count} inputs: give more bits, or let a fidelity choose them"
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
