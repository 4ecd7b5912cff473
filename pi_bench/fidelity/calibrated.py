"""Chooses the bits of a calibrated graph for its export, and measures the fidelity that they give."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass

import numpy as np

from pi_bench.errors import UsageError
from pi_bench.fidelity.allocation import allocate
from pi_bench.fidelity.chosen_bits import bits_to_fields
from pi_bench.fidelity.fidelity import CALIBRATION, HELD_OUT, LEAST_SAMPLES, Fidelity, FidelityGoal
from pi_bench.fidelity.measurement import measure_fidelity
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.graph import Graph

_HELD_OUT_PART = 2
"""Every second input is held out, where that leaves at least `LEAST_SAMPLES` on both sides."""
_MOST_SAMPLES = 256
_MOST_MACS = 24e9
_TIGHTER = 0.5


@dataclass(frozen=True, slots=True)
class BitChoice:
    """How an export chooses bits: for a goal, or by hand.

    goal: None if both kinds of bits are given. weight_bits, activation_bits: for all layers, by hand.

    Raises:
        UsageError: a goal stands beside bits that leave nothing to choose.

    >>> BitChoice(goal=None, activation_bits=12).by_hand
    True
    """

    goal: FidelityGoal | None = dataclasses.field(default_factory=FidelityGoal)
    weight_bits: int | None = None
    activation_bits: int | None = None

    def __post_init__(self) -> None:
        if self.goal is not None and self.by_hand:
            raise UsageError(
                "a fidelity chooses the bits, so it does not go with bits by hand: give either a fidelity "
                "or weight bits and activation bits"
            )

    @property
    def by_hand(self) -> bool:
        """True if the user gives bits."""
        return self.weight_bits is not None or self.activation_bits is not None
