"""Polynomial activations in the compiler: their costs, their limits, and values outside their range."""

import dataclasses

import numpy as np
import pytest

from pi_bench.errors import ModelError
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import (
    AddNode,
    ClampNode,
    ConvNode,
    Graph,
    InputNode,
    LeakyReluNode,
    OutputNode,
    PolynomialNode,
)
from pi_bench.network.graph.float_run import calibrate, outputs
from pi_bench.network.program import ActivationKind, MultiplyOp
from pi_bench.network.program.check import check_program
from pi_bench.network.program.codec import program_digest
from pi_bench.network.program.fixed_point import decode_output, encode_input

CHANNELS, SIDE = 6, 5
PIXELS = SIDE * SIDE
RANDOM = np.random.default_rng(8)
INPUTS = RANDOM.standard_normal((32, 3, SIDE, SIDE)).clip(-2.5, 2.5).astype(np.float32)
WEIGHT = (RANDOM.standard_normal((CHANNELS, 3, 1, 1)) / 2).astype(np.float32)


def network(coefficients: list[list[float]], relu: str = "", gain: float = 1.0) -> Graph:
    """A convolution and one activation. coefficients: a row per channel, the constant first, or one for all;
    relu: "r" where a channel is a ReLU."""
    table = np.array(coefficients, np.float32)
    table = np.ascontiguousarray(np.broadcast_to(table, (CHANNELS, table.shape[1])))
    shape = (CHANNELS, SIDE, SIDE)
    graph = Graph(
        (
            InputNode("x", (), (3, SIDE, SIDE)),
            ConvNode("conv", ("x",), shape, "w", None, (1, 1), (0, 0)),
            PolynomialNode("act", ("conv",), shape, "c", "m" if relu else None),
            OutputNode("out", ("act",), shape),
        ),
        {"w": WEIGHT * np.float32(gain), "c": table},
        {"m": np.array([kind == "r" for kind in relu])} if relu else {},
    )
    return dataclasses.replace(graph, ranges=calibrate(graph, INPUTS))


@pytest.mark.parametrize(
    ("coefficients", "relu", "counts"),
    [
        # squares, products, truncations, ReLUs, rounds
        ([[0, 0, 1]], "", (6, 0, 12, 0, 2)),
        ([[0.2, 0.5, 0.2]], "", (6, 0, 12, 0, 2)),
        ([[0, 0, 0, 1]], "", (6, 6, 18, 0, 3)),
        ([[0.2, 0.5, 0.2, 0.1]], "", (6, 6, 18, 0, 3)),
        ([[0.2, 0.5, 0.2]], "rr---r", (3, 0, 6, 3, 2)),
        ([[0.2, 0.5, 0.2, 0.1]] * 2 + [[0.2, 0.5, -0.2, 0]] * 3 + [[1, 2, 0, 0]], "", (5, 2, 13, 0, 3)),
        ([[0.2, 0.5, 0.2, 0.1]] * 2 + [[0.2, 0.5, -0.2, 0]] * 3 + [[1, 2, 0, 0]], "r-r---", (3, 1, 8, 2, 3)),
        ([[0.2, 0.5, 0.2]], "rrrrrr", (0, 0, 0, 6, 1)),
        ([[1, 2, 0]], "", (0, 0, 0, 0, 0)),
    ],
)
def test_each_channel_costs_what_its_kind_needs(coefficients, relu, counts) -> None:
    graph = network(coefficients, relu)
    program, weights = compile_graph(graph, CompileOptions(batch=3))
    check_program(program)
    found = (program.square_count, program.product_count, program.truncation_count, program.relu_count)
    assert found == tuple(3 * PIXELS * count for count in counts[:4])
    assert len(program.activation_ops) == counts[4]
    assert graph.relu_count == PIXELS * counts[3]
    assert len([op for op in program.linear_ops if op.mac_count]) == 1  # scale and shift are in its weights
    for op in program.activation_ops[:-1]:  # ReLU circuits are in the last round alone
        assert {group.kind for group in op.groups} == {ActivationKind.TRUNCATE}
    run = run_reference(program, weights, encode_input(program, INPUTS[:3]))
    assert not run.out_of_range
    expected = outputs(graph, INPUTS[:3])
    found = decode_output(program, run.values[program.output.id])
    assert np.abs(found - expected).max() <= 2**-8 * graph.ranges["act"]


@pytest.mark.parametrize(
    ("coefficients", "outputs_of_conv"),
    [
        ([[0.2, 0.5, 0.2]], CHANNELS + 2),
        ([[0.2, 0.5, 0.2, 0.1]], CHANNELS + 2),
        ([[1, 2, 0]], CHANNELS + 2),
        ([[0, 0, 1]], CHANNELS),  # z is x itself
        ([[0.3, 1.0, 1e-9]], 2 * CHANNELS + 2),  # powers have images of their own
    ],
)
def test_only_channels_of_both_kinds_are_computed_twice(coefficients, outputs_of_conv) -> None:
    """Channel 0 is a ReLU as a whole, channels 1 and 2 have ReLU in some pixels, the others in none."""
    graph = network(coefficients)
    pixels = np.zeros(graph.nodes[2].shape, np.bool_)
    pixels[0], pixels[1, 2], pixels[2, :, 3] = True, True, True
    act = dataclasses.replace(graph.nodes[2], relu="m")
    graph = dataclasses.replace(
        graph, nodes=(*graph.nodes[:2], act, graph.nodes[3]), masks={"m": pixels}, ranges={}
    )
    graph = dataclasses.replace(graph, ranges=calibrate(graph, INPUTS))
    program, weights = compile_graph(graph, CompileOptions(batch=3))
    check_program(program)
    powers = np.array(coefficients[0])
    relus, polynomials = 3 * int(pixels.sum()), 3 * int((~pixels).sum())
    assert graph.relu_count == int(pixels.sum()) and graph.polynomial_count == int((~pixels).sum())
    assert program.relu_count == relus
    assert program.square_count == (polynomials if powers[2:].any() else 0)
    assert program.product_count == (polynomials if powers[3:].any() else 0)
    assert program.truncation_count == polynomials * (1 + int(powers[2:].any()) + int(powers[3:].any()))
    (conv,) = (op for op in program.linear_ops if op.mac_count)
    assert conv.shape[1] == outputs_of_conv
    run = run_reference(program, weights, encode_input(program, INPUTS[:3]))
    assert not run.out_of_range
    found = decode_output(program, run.values[program.output.id])
    assert np.abs(found - outputs(graph, INPUTS[:3])).max() <= 2**-7 * graph.ranges["act"]


def test_a_mask_of_whole_channels_is_a_mixture_of_channels() -> None:
    graph = network([[0.2, 0.5, 0.2]], "rr---r")
    mask = np.broadcast_to(graph.masks["m"][:, None, None], graph.nodes[2].shape)
    by_pixel = dataclasses.replace(graph, masks={"m": mask.copy()})
    assert program_digest(compile_graph(by_pixel)[0]) == program_digest(compile_graph(graph)[0])


def test_a_bare_power_shares_the_linear_operator_with_other_readers() -> None:
    graph = network([[0, 0, 1]])
    shape = graph.nodes[1].shape
    more = PolynomialNode("more", ("act",), shape, "c")
    graph = dataclasses.replace(graph, nodes=(*graph.nodes[:-1], more, OutputNode("out", ("more",), shape)))
    program, weights = compile_graph(dataclasses.replace(graph, ranges=calibrate(graph, INPUTS)))
    assert len({id(array) for array in weights.values()}) == 1
    assert program.square_count == 2 * CHANNELS * PIXELS


@pytest.mark.parametrize(
    ("row", "relu", "squares", "products"),
    [
        ([0.3, 1.0, 1e-9], "", 6, 0),
        ([0.3, -1.0, -1e-4], "r--r--", 4, 0),
        ([0.3, 1.0, 0.0, 1e-9], "", 6, 6),
        ([0.3, 1.0, -0.2, 1e-4], "r-----", 10, 5),
    ],
)
def test_powers_of_small_coefficients_have_images_of_their_own(row, relu, squares, products) -> None:
    """Squares that are completed would cancel: z^2 is 2.5e8 where the activation is 3."""
    graph = network([row], relu)
    program, weights = compile_graph(graph, CompileOptions(batch=3))
    check_program(program)
    assert (program.square_count, program.product_count) == (3 * PIXELS * squares, 3 * PIXELS * products)
    assert program.relu_count == 3 * PIXELS * relu.count("r")
    run = run_reference(program, weights, encode_input(program, INPUTS[:3]))
    assert not run.out_of_range
    found = decode_output(program, run.values[program.output.id])
    assert np.abs(found - outputs(graph, INPUTS[:3])).max() <= 2**-7 * graph.ranges["act"]


def test_what_32_bits_do_not_hold_is_refused_by_name() -> None:
    graph = network([[0.2, 0.5, 0.2]])
    small = {**graph.ranges, "act#joined": 1e-6}
    with pytest.raises(ModelError, match=r"layer 'act': its terms cancel.*normalize the layer before it"):
        compile_graph(dataclasses.replace(graph, ranges=small))
    with pytest.raises(ModelError, match=r"layer 'act': .*ranges alike"):
        compile_graph(network([[0.0, 0.0, 1e-20]], "r-----", 1e10))


def test_the_output_of_a_dead_layer_does_not_wrap() -> None:
    """Found by random networks: its scale was so fine that three times its range left the ring untold."""
    shape, weight = (3, SIDE, SIDE), np.full((3, 3, 1, 1), 0.9, np.float32)
    fields = ((1, 1), (0, 0))
    nodes = (
        InputNode("x", (), shape),
        PolynomialNode("dead", ("x",), shape, "zero"),
        ConvNode("conv", ("dead",), shape, "w", None, *fields),
        ConvNode("last", ("conv",), shape, "w", "b", *fields),
        OutputNode("out", ("last",), shape),
    )
    tables = {"zero": np.zeros((3, 3), np.float32), "w": weight, "b": np.full(3, 0.6, np.float32)}
    graph = Graph(nodes, tables)
    graph = dataclasses.replace(graph, ranges=calibrate(graph, INPUTS))
    ranges = {name: size if name == "x" else size / 3 for name, size in graph.ranges.items()}
    program, weights = compile_graph(dataclasses.replace(graph, ranges=ranges))
    run = run_reference(program, weights, encode_input(program, INPUTS[:1]))
    np.testing.assert_allclose(decode_output(program, run.values[program.output.id]), 0.6, atol=1e-6)


@pytest.mark.parametrize("gain", [1e-4, 1e-2, 30.0, 1e4])
@pytest.mark.parametrize("degree", [2, 3])
def test_powers_keep_their_precision_at_every_range(gain, degree) -> None:
    graph = network([[0.0] * degree + [1.0]], gain=gain)
    program, weights = compile_graph(graph)
    run = run_reference(program, weights, encode_input(program, INPUTS[:1]))
    expected = outputs(graph, INPUTS[:1])
    found = decode_output(program, run.values[program.output.id])
    assert np.abs(found - expected).max() <= 2**-8 * graph.ranges["act"]


@pytest.mark.parametrize("factor", [2, 2.5, 3, 4, 6, 10, 40])
@pytest.mark.parametrize("coefficients", [[[0, 0, 1]], [[5, 0, 1]], [[0, 0, 0, 1]], [[-3, 1, -1, -1]]])
def test_what_leaves_its_range_is_told(coefficients, factor) -> None:
    """Powers of values so much larger than calibrated leave 32 bits: each of the operators tells its own."""
    graph = network(coefficients)
    kept = {**calibrate(graph, INPUTS / np.float32(factor)), "x": graph.ranges["x"]}
    program, weights = compile_graph(dataclasses.replace(graph, ranges=kept))
    run = run_reference(program, weights, encode_input(program, INPUTS[:1]))
    found = decode_output(program, run.values[program.output.id])
    wrong = np.abs(found - outputs(graph, INPUTS[:1])).max() > 2**-7 * graph.ranges["act"]
    assert run.out_of_range or not wrong
    if factor >= 6 and coefficients[0][0] <= 0:  # after a large constant there is room
        assert run.out_of_range


def test_more_headroom_leaves_more_room_for_every_power() -> None:
    graph = network([[0.1, 0.5, 0.3, 0.2]])
    for headroom in (1, 2, 3):
        program, _ = compile_graph(graph, CompileOptions(headroom_bits=headroom))
        growth = {"act (factor)": 1, "act (bracket)": 2, "act": 3}
        for op in program.activation_ops:
            assert op.headroom_bits >= headroom * growth[op.name]


def test_products_are_read_without_a_shift() -> None:
    """A shift could wrap a value without a sign of it in the product."""
    graph = network([[0.2, 0.5, 0.2, 0.1]] * 2 + [[0.2, 0.5, -0.2, 0]] * 3 + [[1, 2, 0, 0]], "r-----")
    program, _ = compile_graph(graph)
    products = {op.id for op in program.ops if isinstance(op, MultiplyOp)}
    terms = [term for op in program.linear_ops for term in op.terms if term.source in products]
    assert terms and not any(term.shift_bits.any() for term in terms)
    assert {term.multiplier for term in terms} == {1, -1}


@pytest.mark.parametrize("power", [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
def test_weights_before_a_bare_power_are_used_once(power) -> None:
    """Found by a random network: at a scale of its own, the power's image took the weights a second time."""
    shape, checked = (3, SIDE, SIDE), 0
    for slope in (0.0, *2.0 ** np.arange(-12, 8)):
        graph = Graph(
            (
                InputNode("x", (), shape),
                PolynomialNode("line", ("x",), shape, "l"),
                PolynomialNode("power", ("line",), shape, "p"),
                OutputNode("out", ("power",), shape),
            ),
            {
                "l": np.tile(np.float32([0, slope, 0]), (3, 1)),
                "p": np.tile(np.float32(power), (3, 1)),
            },
        )
        graph = dataclasses.replace(graph, ranges=calibrate(graph, INPUTS))
        try:
            program, _ = compile_graph(graph)
        except ModelError:
            continue
        check_program(program)
        checked += 1
    assert checked > 3


def test_a_leaky_relu_reads_a_product_whose_scale_is_fine() -> None:
    """Found by random networks: the gain of its slope was no integer at the scale of the product."""
    shape = (3, SIDE, SIDE)
    nodes = (
        InputNode("x", (), shape),
        ClampNode("clamp", ("x",), shape, low=0.0, high=0.125),
        PolynomialNode("square", ("clamp",), shape, "c"),
        ConvNode("conv", ("x",), shape, "w", None, (1, 1), (0, 0)),
        AddNode("sum", ("square", "conv"), shape),
        LeakyReluNode("leaky", ("sum",), shape, slope=0.688),
        OutputNode("out", ("leaky",), shape),
    )
    table = np.tile(np.float32([0, 0, 1]), (3, 1))
    graph = Graph(nodes, {"c": table, "w": np.ascontiguousarray(WEIGHT[:3])})
    graph = dataclasses.replace(graph, ranges=calibrate(graph, INPUTS))
    program, weights = compile_graph(graph)
    run = run_reference(program, weights, encode_input(program, INPUTS[:1]))
    expected = outputs(graph, INPUTS[:1])
    found = decode_output(program, run.values[program.output.id])
    assert not run.out_of_range and np.abs(found - expected).max() <= 2**-6 * graph.ranges["leaky"]
