"""Chooses bits by layer: the narrowest windows, and so the cheapest gates, that meet a fidelity goal.

Costs are those of the garbled gadget of `delphi`; `fss` is not priced. Its windowed ReLU takes one AND gate,
one label and its bytes for each bit between its truncated bits and its window's top. So one bit of a layer
costs as much as it has ReLUs, and bits of weights, of the input and of values that are
truncated alone cost nothing online. Bits are added one at a time where they lower the predicted noise
(`fidelity.noise`) most for their cost, until the noise is below a bound. The bound follows from the goal and
the float logits, and falls until the measured fidelity meets the goal.
All steps are deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from pi_bench.fidelity.fidelity import NOISE, Fidelity, FidelityGoal
from pi_bench.fidelity.logits import measure_fidelity
from pi_bench.fidelity.noise import AdjustableLayer, layers_of
from pi_bench.fidelity.sensitivity import sensitivities
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.compiler.options import MAX_WEIGHT_BITS
from pi_bench.network.compiler.scales import finest_of_output
from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_run import evaluate, outputs
from pi_bench.network.program import ActivationOp

_REFERENCE = CompileOptions(weight_bits=10, activation_bits=6)
_NOISY_SAMPLES = 2
_MIN_BITS, _MAX_BITS = 4, 16
_MIN_WEIGHT_BITS = 8
_FREE_COST = 1 / 1024
"""Cost of a bit that costs nothing, relative to a bit of all ReLUs: it keeps such bits from growing idly."""
_WEIGHT_FRACTION = 0.2
"""Weights get the fewest bits whose noise is at most this part of all."""
_ERROR_MARGIN, _MISS_MARGIN = 0.5, 0.5
"""Parts of the error and of the misses that the goal allows, for which bits are predicted at first. The goal
should hold on other inputs too, and a prediction of just the goal misses it half of the time."""
_NOISE_MARGIN = 0.8
"""Part of these errors that is allowed where calibration inputs are noise."""
_NEAR_FRACTION, _MIN_NEAR = 0.1, 4
"""The inputs with the smallest margins, whose density near 0 tells how often a small error changes the class:
a tenth of the inputs, since the very smallest margins are a matter of chance."""
_FLOOR_MARGIN = 2.0
"""Bits are not added below this multiple of the least noise that 32 bits allow: they would gain little."""
_MAX_TRIALS = 5
_TIGHTENING, _LOOSENING = 0.7, 4.0
"""The noise of the next bits is at most this multiple of the last, after bits that miss or meet the goal."""
_TOLERANCE, _MIN_PART = 1.1, 0.75
"""Measured errors between these multiples of the wanted one end the search."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Bits by layer, as compile options, and the fidelity that was measured with them.

    Attributes:
        limits: if the goal is missed, the names of the layers whose windows leave too few bits, the worst
            first.

    >>> fidelity = Fidelity(64, 64, 0.1, 10.0, "calibration inputs", FidelityGoal(99.0))
    >>> Allocation(CompileOptions(12, 11), fidelity).fidelity.met
    True
    """

    options: CompileOptions
    fidelity: Fidelity
    limits: tuple[str, ...] = ()


def allocate(
    graph: Graph,
    samples: np.ndarray,
    goal: FidelityGoal,
    *,
    source: str,
    threads: int = 1,
    error_factor: float = 1.0,
) -> Allocation:
    """Finds the cheapest bits by layer with which the integer network meets the goal on `samples`.

    If no bits meet the goal, the best ones are returned.

    Args:
        samples: float (count, *input shape), within the calibrated ranges of the graph.
        error_factor: below 1 if errors should be smaller than the goal needs on these samples.

    Raises:
        ModelError: the graph cannot be compiled.

    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0))
    >>> samples = np.float32([[1, -2], [3, 4], [-1, 2]])
    >>> allocate(graph, samples, FidelityGoal(), source="noise").options.layer_activation_bits
    {'x': 4, 'relu': 4}
    """
    logits = outputs(graph, samples).reshape(len(samples), -1).astype(np.float64)
    layers = _layers(graph, samples)
    target = noise_bound(logits, goal, of_noise=source == NOISE) * error_factor**2
    wanted = math.sqrt(target) * largest_of(logits.shape[1])
    bound = target
    tried: list[_Trial] = []
    for _ in range(_MAX_TRIALS):
        options = _options(layers, bound)
        if any(options == trial.options for trial in tried):
            break
        fidelity = measure_fidelity(
            graph, options, samples, source=source, goal=goal, float_logits=logits, threads=threads
        )
        trial = _Trial(options, fidelity, wanted, _cost(layers, options))
        tried.append(trial)
        if trial.is_enough and trial.error >= _MIN_PART * wanted:
            break
        predicted = math.sqrt(_predicted(layers, options)) * largest_of(logits.shape[1])
        corrected = target * (predicted / max(trial.error, 1e-9 * predicted)) ** 2
        bound = min(corrected, bound * (_LOOSENING if trial.is_enough else _TIGHTENING))
    enough = [trial for trial in tried if trial.is_enough]
    if enough:
        chosen = min(enough, key=lambda trial: trial.cost)
        return Allocation(chosen.options, chosen.fidelity)
    chosen = min(tried, key=lambda trial: (-trial.fidelity.same_class_count, trial.error))
    return Allocation(chosen.options, chosen.fidelity, _limits(layers, chosen.options))


@dataclass(frozen=True, slots=True)
class _Trial:
    """Options that were measured.

    Attributes:
        wanted: the typical logit error with which the goal should be met.
    """

    options: CompileOptions
    fidelity: Fidelity
    wanted: float
    cost: float

    @property
    def error(self) -> float:
        return self.fidelity.logit_error

    @property
    def is_enough(self) -> bool:
        """True if the goal is met, and not by luck alone."""
        return self.fidelity.met and self.error <= _TOLERANCE * self.wanted


def noise_bound(logits: np.ndarray, goal: FidelityGoal, *, of_noise: bool = False) -> float:
    """Finds the variance of normal errors in every logit with which the goal is expected to be met.

    Args:
        logits: float64 (count, outputs).
        of_noise: whether they answer noise. Then margins between classes mean nothing, and the errors are
            smaller, since errors on real inputs may be larger.

    >>> logits = np.array([[0.0, 10.0], [10.0, 0.0]])
    >>> 0.1 < noise_bound(logits, FidelityGoal(99.0)) ** 0.5 / (0.02 * 10) < 1
    True
    """
    count = logits.shape[1]
    ranges = np.ptp(logits, axis=1) if count > 1 else np.ptp(logits, axis=0)
    extent = float(np.median(ranges)) or float(np.abs(logits).max()) or 1.0
    deviation = _ERROR_MARGIN * goal.logit_error_pct / 100 * extent / largest_of(count)
    if of_noise:
        deviation *= _NOISE_MARGIN
    elif count > 1:
        ordered = np.sort(logits, axis=1)
        margins = np.sort(ordered[:, -1] - ordered[:, -2])
        near = min(max(_MIN_NEAR, round(_NEAR_FRACTION * len(margins))), len(margins))
        density = near / len(margins) / max(float(margins[near - 1]), 1e-6 * extent)
        misses = _MISS_MARGIN * (1 - goal.same_class_pct / 100)
        # The difference of two logits has a deviation d of sqrt(2) times theirs. A density f of margins m
        # gives a fraction of misses of f times the integral of P(error > m) = f d / sqrt(2 pi).
        deviation = min(deviation, misses * math.sqrt(math.pi) / density)
    return deviation**2


def largest_of(count: int) -> float:
    """Returns the median of the largest magnitude among `count` standard normal errors.

    >>> round(largest_of(1), 2), round(largest_of(1000), 2)
    (0.67, 3.39)
    """
    return NormalDist().inv_cdf((1 + 0.5 ** (1 / count)) / 2)


def _layers(graph: Graph, samples: np.ndarray) -> list[AdjustableLayer]:
    program, _ = compile_graph(graph, _REFERENCE)
    nodes = {node.name for node in graph.nodes}
    scaled = (op.name for op in program.ops if isinstance(op, ActivationOp) and op.truncate_bits)
    names = list(dict.fromkeys([program.input.name, *(name for name in scaled if name in nodes)]))
    chosen = samples[:: max(1, len(samples) // _NOISY_SAMPLES)][:_NOISY_SAMPLES]
    found = sensitivities(graph, chosen, names)
    values = evaluate(graph, chosen)
    powers = {name: float(np.mean(np.square(values[name], dtype=np.float64))) for name in names}
    finest = finest_of_output(graph.ranges[graph.output.name], _REFERENCE)
    return layers_of(program, found, powers, finest)


def _options(layers: Sequence[AdjustableLayer], bound: float) -> CompileOptions:
    """Adds bits until the predicted noise is below the bound, or no bit lowers it."""
    weight_bits = next(
        (
            bits
            for bits in range(_MIN_WEIGHT_BITS, MAX_WEIGHT_BITS)
            if _weight_noise(layers, bits) <= _WEIGHT_FRACTION * bound
        ),
        MAX_WEIGHT_BITS,
    )
    every_relu = sum(layer.relu_count for layer in layers)
    costs = {layer.name: max(layer.relu_count, _FREE_COST * every_relu, 1e-9) for layer in layers}
    bits = dict.fromkeys(costs, _MIN_BITS)
    noises = {layer.name: _noise(layer, weight_bits, _MIN_BITS) for layer in layers}
    gains = {layer.name: noises[layer.name] - _noise(layer, weight_bits, _MIN_BITS + 1) for layer in layers}
    by_name = {layer.name: layer for layer in layers}
    bound = max(bound, _FLOOR_MARGIN * sum(_least_noise(layer, weight_bits) for layer in layers))
    while sum(noises.values()) > bound:
        name = max(gains, key=lambda name: gains[name] / costs[name])
        if gains[name] <= 0:
            break
        bits[name] += 1
        noises[name] -= gains[name]
        more = _noise(by_name[name], weight_bits, bits[name] + 1)
        gains[name] = noises[name] - more if bits[name] < _MAX_BITS else 0.0
    most = max(bits.values())
    return CompileOptions(weight_bits, most, layer_activation_bits=bits)


def _noise(layer: AdjustableLayer, weight_bits: int, bits: int) -> float:
    return layer.noise(weight_bits, bits, _REFERENCE.weight_bits, _REFERENCE.activation_bits)


def _least_noise(layer: AdjustableLayer, weight_bits: int) -> float:
    """Returns the noise of a layer with the bits that serve its values and their readers' weights best."""
    return min(_noise(layer, weight_bits, bits) for bits in range(_MIN_BITS, _MAX_BITS + 1))


def _weight_noise(layers: Sequence[AdjustableLayer], weight_bits: int) -> float:
    """Returns the noise of rounded weights where every window leaves them all of their bits."""
    more = weight_bits - _REFERENCE.weight_bits
    return sum(reader.noise(more, -64) for layer in layers for reader in layer.readers)


def _predicted(layers: Sequence[AdjustableLayer], options: CompileOptions) -> float:
    bits = options.layer_activation_bits
    return sum(_noise(layer, options.weight_bits, bits[layer.name]) for layer in layers)


def _cost(layers: Sequence[AdjustableLayer], options: CompileOptions) -> float:
    """Counts the AND gates of the garbled gadget of `delphi` that grow with the bits."""
    return sum(layer.relu_count * options.layer_activation_bits[layer.name] for layer in layers)


def _limits(layers: Sequence[AdjustableLayer], options: CompileOptions) -> tuple[str, ...]:
    """Names the layers that make most of the noise that is left."""
    bits = options.layer_activation_bits
    noises = {layer.name: _noise(layer, options.weight_bits, bits[layer.name]) for layer in layers}
    return tuple(sorted(noises, key=lambda name: -noises[name])[:3])
