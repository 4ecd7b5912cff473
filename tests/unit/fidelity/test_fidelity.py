"""Fidelity: its counts and its storage, and that the integer network is the one that is measured."""

from dataclasses import replace

import numpy as np
import pytest

from pi_bench.errors import InputError, ModelError, UsageError
from pi_bench.fidelity import Fidelity, FidelityGoal, measure_fidelity
from pi_bench.fidelity.logits import compare_logits
from pi_bench.network.compiler import CompileOptions
from pi_bench.network.graph import Graph, InputNode, LinearNode, OutputNode, ReluNode
from pi_bench.network.graph.float_run import calibrate

FIDELITY = Fidelity(200, 199, 0.05, 10.0, "calibration inputs", FidelityGoal(99.0))


@pytest.fixture
def samples():
    return np.random.default_rng(0).normal(size=(70, 12)).astype(np.float32)


@pytest.fixture
def graph(samples):
    nodes = (
        InputNode("x", (), (12,)),
        LinearNode("first", ("x",), (32,), "first.weight", None),
        ReluNode("relu", ("first",), (32,)),
        LinearNode("head", ("relu",), (5,), "head.weight", None),
        OutputNode("o", ("head",), (5,)),
    )
    generator = np.random.default_rng(1)
    shapes = {"first.weight": (32, 12), "head.weight": (5, 32)}
    parameters = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    graph = Graph(nodes, parameters)
    return replace(graph, ranges=calibrate(graph, samples))


def test_typical_error_is_the_median_of_the_largest_errors_over_the_median_range():
    exact = np.array([[0.0, 10.0], [0.0, 20.0], [0.0, 40.0]])
    integers = exact + np.array([[0.5, -0.1], [1.0, 0.0], [60.0, 0.0]])
    fidelity = compare_logits(exact, integers, source="noise")
    assert (fidelity.same_class_count, fidelity.sample_count) == (2, 3)
    assert (fidelity.logit_error, fidelity.logit_range) == (1.0, 20.0)
    assert fidelity.logit_error_pct == 5.0


def test_one_output_has_the_range_of_all_inputs():
    exact = np.array([[1.0], [3.0], [5.0]])
    assert compare_logits(exact, exact + 0.5, source="noise").logit_error_pct == 12.5


def test_both_parts_of_the_goal_must_be_met():
    assert FIDELITY.met
    assert not replace(FIDELITY, same_class_count=197).met
    assert not replace(FIDELITY, logit_error=0.21).met
    assert replace(FIDELITY, logit_error=0.21, goal=FidelityGoal(98.0)).met


def test_fewer_bits_have_less_fidelity(graph, samples):
    errors = [
        measure_fidelity(graph, CompileOptions(bits, bits), samples, source="noise").logit_error
        for bits in (5, 8, 12)
    ]
    assert errors[0] > 4 * errors[1] > 16 * errors[2] > 0


def test_without_rounding_the_integer_network_is_the_float_network(samples):
    nodes = InputNode("x", (), (12,)), ReluNode("r", ("x",), (12,)), OutputNode("o", ("r",), (12,))
    graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "r", "o"), 4.0))
    rounded = np.round(samples * 64) / 64
    fidelity = measure_fidelity(graph, CompileOptions(8, 12), rounded, source="noise")
    assert fidelity.same_class_count == len(samples)
    assert fidelity.logit_error <= 2**-9


def test_goal_beyond_the_possible_is_refused():
    with pytest.raises(UsageError, match=r"90 to 99\.99 % are possible"):
        FidelityGoal(100.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"sample_count": 0},
        {"sample_count": "200"},
        {"same_class_count": 201},
        {"logit_error": float("nan")},
        {"source": "hearsay"},
        {"goal_pct": 3},
        {"more": 1},
    ],
)
def test_damaged_notes_are_refused(changed):
    assert Fidelity.from_fields(FIDELITY.to_fields()) == FIDELITY
    with pytest.raises(ModelError, match="export the network again"):
        Fidelity.from_fields({**FIDELITY.to_fields(), **changed})


def test_nothing_to_measure_on_is_refused(graph, samples):
    with pytest.raises(InputError, match="at least one input"):
        measure_fidelity(graph, CompileOptions(), samples[:0], source="noise")
