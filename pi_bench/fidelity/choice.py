"""Chooses the bits of a calibrated graph for its export, and measures the fidelity that they give."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from pi_bench.errors import UsageError
from pi_bench.fidelity.allocation import allocate
from pi_bench.fidelity.chosen_bits import bits_to_fields
from pi_bench.fidelity.fidelity import CALIBRATION, HELD_OUT, MIN_SAMPLES, Fidelity, FidelityGoal
from pi_bench.fidelity.logits import measure_fidelity
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.graph import Graph

_MAX_SAMPLES = 256
_MAX_MAC_COUNT = 24e9
"""Fidelity is measured on at most so many inputs, or on so many that their multiply-accumulates are about
this many, but on at least `MIN_SAMPLES`."""
_STRICTNESS = (1.0, 0.5, 0.25)
"""Factors of the errors that are wanted, one after another, until inputs that are held out agree."""

_FEW_INPUTS_FACTOR = 0.5
"""Factor of the errors that are wanted where there are too few inputs to hold any out: errors on the inputs
that chose the bits say little about others, whose largest error can be several times the typical one."""


@dataclass(frozen=True, slots=True)
class BitChoice:
    """The way in which an export chooses bits: for a goal, or by hand.

    Attributes:
        goal: None if both kinds of bits are given.
        weight_bits, activation_bits: for all layers, by hand.

    Raises:
        UsageError: a goal is given together with bits that leave nothing to choose.

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

    def options(self) -> CompileOptions:
        """Returns the compile options of bits by hand."""
        chosen = CompileOptions()
        return dataclasses.replace(
            chosen,
            weight_bits=self.weight_bits or chosen.weight_bits,
            activation_bits=self.activation_bits or chosen.activation_bits,
        )


def bit_choice(fidelity_pct: float | None, weight_bits: int | None, activation_bits: int | None) -> BitChoice:
    """Makes a choice from the options that a user gives; without any, a fidelity of 99 %.

    Raises:
        UsageError: a fidelity and bits are given, or one of them is impossible.

    >>> bit_choice(None, None, None).goal, bit_choice(None, 12, None).goal
    (FidelityGoal(same_class_pct=99.0), None)
    """
    goal = None if fidelity_pct is None else FidelityGoal(fidelity_pct)
    if goal is None and weight_bits is None and activation_bits is None:
        goal = FidelityGoal()
    choice = BitChoice(goal, weight_bits, activation_bits)
    choice.options()  # refuses impossible bits
    return choice


@dataclass(frozen=True, slots=True)
class ChosenBits:
    """The bits that were chosen, the fidelity that they give, and the layers that keep it from the goal.

    Attributes:
        inputs_are_equal: true if there were several inputs, and all the same.

    >>> fidelity = Fidelity(64, 64, 0.1, 10.0, "noise", FidelityGoal(99.0))
    >>> ChosenBits(CompileOptions(12, 11), fidelity).meta()["bits"]["weights"]
    12
    """

    options: CompileOptions
    fidelity: Fidelity
    limits: tuple[str, ...] = ()
    inputs_are_equal: bool = False

    def meta(self) -> dict[str, Any]:
        """Returns the notes for a model file: ``bits`` and ``fidelity``."""
        return {"bits": bits_to_fields(self.options), "fidelity": self.fidelity.to_fields()}


def choose_bits(
    graph: Graph, samples: np.ndarray, choice: BitChoice, *, source: str = CALIBRATION, threads: int = 1
) -> ChosenBits:
    """Chooses the bits of a calibrated graph and measures their fidelity on the inputs of its calibration.

    If there are enough calibration inputs, every second one is held out: bits are chosen without it, and
    fidelity is measured on it.

    Args:
        samples: float (count, *input shape).
        source: one of the sources of `Fidelity`.

    Raises:
        ModelError: the graph cannot be compiled.

    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0))
    >>> chosen = choose_bits(graph, np.random.default_rng(0).uniform(-4, 4, (64, 2)), BitChoice())
    >>> chosen.fidelity.sample_count, chosen.fidelity.source, chosen.fidelity.met
    (32, 'held-out calibration inputs', True)
    """
    chosen = _chosen(graph, samples, choice, source, threads)
    equal = len(samples) > 1 and bool((samples == samples[:1]).all())
    return dataclasses.replace(chosen, inputs_are_equal=equal)


def _chosen(graph: Graph, samples: np.ndarray, choice: BitChoice, source: str, threads: int) -> ChosenBits:
    program, _ = compile_graph(graph)
    most = int(min(max(_MAX_MAC_COUNT / max(program.mac_count, 1), MIN_SAMPLES), _MAX_SAMPLES))
    if choice.goal is None:
        options = choice.options()
        shown = _spread(samples, most)
        return ChosenBits(options, measure_fidelity(graph, options, shown, source=source, threads=threads))
    if len(samples) < 2 * MIN_SAMPLES:
        shown = _spread(samples, most)
        found = allocate(
            graph, shown, choice.goal, source=source, threads=threads, error_factor=_FEW_INPUTS_FACTOR
        )
        return ChosenBits(found.options, found.fidelity, () if found.fidelity.met else found.limits)
    seen, held_out = _spread(samples[::2], most), _spread(samples[1::2], most)
    if source == CALIBRATION:
        source = HELD_OUT
    tried = []
    for strictness in _STRICTNESS:
        found = allocate(graph, seen, choice.goal, source=source, threads=threads, error_factor=strictness)
        fidelity = measure_fidelity(
            graph, found.options, held_out, source=source, goal=choice.goal, threads=threads
        )
        tried.append(ChosenBits(found.options, fidelity, () if fidelity.met else found.limits))
        if fidelity.met or found.limits:
            break
    return min(tried, key=lambda chosen: (-chosen.fidelity.same_class_count, chosen.fidelity.logit_error))


def _spread(samples: np.ndarray, most: int) -> np.ndarray:
    """Takes at most so many samples, evenly spread."""
    positions = np.linspace(0, len(samples) - 1, min(most, len(samples)))
    return samples[np.unique(np.rint(positions).astype(np.int64))]
