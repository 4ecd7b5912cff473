"""How precise public and secret slopes and the bounds of clamps are: a scheme that loses half of it fails.

The bounds of `tests/laws` are made for whole networks and are too wide to see that.
"""

import dataclasses
import math

import numpy as np
import pytest

from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.compiler.slopes import relu_window, split_slope
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import (
    ClampNode,
    ConvNode,
    Graph,
    InputNode,
    LeakyReluNode,
    Node,
    OutputNode,
    PReluNode,
    ScaleNode,
)
from pi_bench.network.graph.float_run import calibrate, outputs
from pi_bench.network.program import ActivationOp
from pi_bench.network.program.fixed_point import decode_output, encode_input

WINDOW_ABOVE = 11
SLOPES = [0.001, 0.0033, 0.01, 0.02, 0.1, 0.2, 0.2291, 0.3, 0.49, 0.51, 0.7, 0.9, 0.99, 0.999]
SLOPES += [-slope for slope in SLOPES]
SPACE = [0.0, *(round(slope, 4) for slope in np.linspace(-0.99, 0.99, 397))]


@pytest.mark.parametrize("truncate_bits", [1, 4, 9, 11])
def test_a_public_slope_is_within_a_part_in_256_and_positive_values_stay(truncate_bits: int) -> None:
    window_above = WINDOW_ABOVE if truncate_bits < 11 else 10  # the bits that a negative slope leaves
    for slope in SLOPES + SPACE:
        split = split_slope(slope, truncate_bits, window_above)
        assert split.gain * (split.relu.value + split.rest.value) == pytest.approx(1, rel=1e-12)
        allowed = 2.0**-8 if slope >= 0 else 2.0**-7
        assert abs(split.gain * split.rest.value - slope) <= allowed * abs(slope)
        # Both products stay where their gadgets are right, for every x of the window.
        largest = split.gain * math.ldexp(1, truncate_bits + window_above)
        cut = truncate_bits + split.relu.bits
        window = cut + relu_window(split.gain * split.relu.value, window_above)
        assert split.relu.integer * largest <= 2**window <= 2**29
        assert abs(split.rest.integer) * largest + 2 ** (truncate_bits + split.rest.bits) <= 2**30


def test_short_fractions_are_exact_slopes() -> None:
    for slope in (0.5, 0.25, 0.125, -0.5, 0.75, 3 / 16, 0.0):
        split = split_slope(slope, 9, WINDOW_ABOVE)
        assert (split.gain, split.rest.value) == (1.0, slope)


def test_a_gain_does_not_hide_the_bits_that_the_value_needs() -> None:
    """0.3 x needs nine bits, though 1.25 * 0.3 needs three: that, the gain of another slope, had decided."""
    x = np.linspace(-2.2, 2.2, 48, dtype=np.float32).reshape(24, 2)
    nodes = (
        InputNode("x", (), (2,)),
        ScaleNode("scaled", ("x",), (2,), 0.3, 0.0),
        LeakyReluNode("leaky", ("scaled",), (2,), -0.25),
        OutputNode("out", ("leaky",), (2,)),
    )
    graph = Graph(nodes, {}, {}, meta={"name": "scaled"})
    graph = dataclasses.replace(graph, ranges=calibrate(graph, x))
    program, weights = compile_graph(graph, CompileOptions(batch=24))
    run = run_reference(program, weights, encode_input(program, x))
    error = np.abs(decode_output(program, run.values[program.output.id]) - outputs(graph, x))
    assert error.max() < 0.003


class Ramp:
    """x → 0.7 x → the activation, for a ramp of x from -4 to 4, in every channel.

    exact: float64; computed: of the integer network, exact mode; unit: in the last place of activations.
    """

    def __init__(self, activation: Node, parameters: dict[str, np.ndarray], **options: int) -> None:
        ((channels, *_),) = {parameters["prelu"].shape} if parameters else {(1,)}
        shape = (channels, 3, 267)
        ramp = np.linspace(-4, 4, 801, dtype=np.float32).reshape(1, 1, 3, 267)
        x = np.repeat(ramp, channels, axis=1)
        nodes = (
            InputNode("x", (), shape),
            ConvNode("conv", ("x",), shape, "w", None, (1, 1), (0, 0), (1, 1), channels),
            dataclasses.replace(activation, shape=shape),
            OutputNode("out", (activation.name,), shape),
        )
        weight = np.full((channels, 1, 1, 1), 0.7, np.float32)
        graph = Graph(nodes, parameters | {"w": weight}, {}, meta={"name": "ramp"})
        graph = dataclasses.replace(graph, ranges=calibrate(graph, x))
        program, weights = compile_graph(graph, CompileOptions(**options))
        run = run_reference(program, weights, encode_input(program, x))
        assert run.out_of_range == []
        y = run.values[program.output.id].view(np.int32).astype(np.float64)
        self.computed = np.ldexp(y, -program.output.scale_bits)
        self.relu_count = program.relu_count
        self.exact = outputs(graph, x).astype(np.float64)
        self.unit = 2.0 ** -min(op.scale_bits for op in program.ops if isinstance(op, ActivationOp))
        self.x = x

    def most_off(self, units: float, relative: float, where: np.ndarray) -> float:
        """The largest error, over `units` in the last place and a relative part of the exact value."""
        allowed = units * self.unit + relative * np.abs(self.exact)
        return float((np.abs(self.computed - self.exact) / allowed)[where].max())


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("slope", [*SLOPES, 1e-6, -1e-6, 1e-12, 1 - 1e-6])
def test_values_of_a_leaky_relu_are_two_units_off_at_most(slope: float, bits: int) -> None:
    """Input and weight are rounded too, to half a unit and a part in 2^10 or, with many bits, 2^9."""
    node = LeakyReluNode("leaky", ("conv",), (), slope)
    ramp = Ramp(node, {}, activation_bits=bits, weight_bits=12)
    rounding = 2.0 ** -min(10, 21 - bits)
    assert ramp.most_off(2, rounding, ramp.x >= 0) <= 1
    assert ramp.most_off(2, rounding + 2.0**-8, ramp.x < 0) <= 1


def test_a_small_slope_survives_many_activation_bits() -> None:
    """Of 0.01 nothing was left with 17 bits, where an integer of three bits was the multiplier."""
    ramp = Ramp(LeakyReluNode("leaky", ("conv",), (), 0.01), {}, activation_bits=17, weight_bits=12)
    negative = ramp.x < -0.5
    ratio = ramp.computed[negative] / ramp.exact[negative]
    assert ratio.min() > 0.97 and ratio.max() < 1.03


@pytest.mark.parametrize("slopes", [[0.01], [0.25], [0.02, 0.9], [-0.3, 1.4]], ids=str)
def test_values_of_secret_slopes_are_as_precise(slopes: list[float]) -> None:
    node = PReluNode("prelu", ("conv",), (), "prelu")
    ramp = Ramp(node, {"prelu": np.array(slopes, np.float32)}, weight_bits=12)
    assert ramp.most_off(3, 2.0**-10, ramp.x >= 0) <= 1
    assert ramp.most_off(3, 2.0**-10, ramp.x < 0) <= 1


def test_an_upper_bound_that_no_window_reaches_costs_nothing() -> None:
    """Values up to 2.8 have a window of 8: a bound of 9 takes neither a circuit nor bits from the scale."""
    beyond, within = (
        Ramp(ClampNode("clamp", ("conv",), (), 0.0, high), {}, weight_bits=12) for high in (9, 7)
    )
    assert (beyond.relu_count, within.relu_count) == (801, 2 * 801)
    assert within.unit == beyond.unit
    assert beyond.most_off(2, 2.0**-11, np.ones(beyond.exact.shape, np.bool_)) <= 1


def test_values_behind_a_bound_that_was_left_out_are_told() -> None:
    x = np.linspace(-2, 40, 48, dtype=np.float32).reshape(24, 2)
    nodes = (
        InputNode("x", (), (2,)),
        ClampNode("clamp", ("x",), (2,), 0.0, 9.0),
        OutputNode("out", ("clamp",), (2,)),
    )
    graph = Graph(nodes, {}, {}, meta={"name": "bound"}, ranges={"x": 2.8, "clamp": 2.8, "out": 2.8})
    program, weights = compile_graph(graph, CompileOptions(batch=24, headroom_bits=1))
    encoded = np.rint(np.ldexp(x, program.input.scale_bits)).astype(np.int64).astype(np.uint32)
    (outside,) = run_reference(program, weights, encoded).out_of_range
    assert outside.count >= (x >= 8).sum()


@pytest.mark.parametrize("bits", [8, 10, 13])
@pytest.mark.parametrize(("low", "high"), [(-1.3, 0.9), (0.0, 2.1), (-2.1, None), (None, 1.7)])
def test_the_bounds_of_a_clamp_are_a_unit_off_at_most(
    low: float | None, high: float | None, bits: int
) -> None:
    """A bound that is 3 % off is 7 units off and more."""
    node = ClampNode("clamp", ("conv",), (), low, high)
    ramp = Ramp(node, {}, activation_bits=bits, weight_bits=12)
    everywhere = np.ones(ramp.exact.shape, np.bool_)
    assert ramp.most_off(2, 2.0**-11, everywhere) <= 1
    for bound in (low, high):
        if bound is not None:
            beyond = ramp.exact == np.float32(bound)
            assert beyond.sum() > 20
            assert np.abs(ramp.computed - bound)[beyond].max() <= ramp.unit
