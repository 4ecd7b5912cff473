"""Bits by layer: cheap where a layer matters little, the same on every run, and as faithful as was asked."""

from dataclasses import replace

import numpy as np
import pytest

from pi_bench.errors import ModelError, UsageError
from pi_bench.fidelity import BitChoice, FidelityGoal, bit_choice, choose_bits, with_chosen_bits
from pi_bench.fidelity.allocation import allocate, noise_bound
from pi_bench.fidelity.chosen_bits import bits_to_fields
from pi_bench.fidelity.fidelity import HELD_OUT, NOISE
from pi_bench.fidelity.fidelity_warning import warning_text
from pi_bench.fidelity.logits import integer_logits
from pi_bench.fidelity.noise import layers_of
from pi_bench.fidelity.sensitivity import sensitivities
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.graph import (
    AddNode,
    Graph,
    InputNode,
    LinearNode,
    Node,
    OutputNode,
    ReluNode,
    ScaleNode,
)
from pi_bench.network.graph.float_run import calibrate, outputs

GENERATOR = np.random.default_rng(0)
SAMPLES = GENERATOR.normal(size=(96, 12)).astype(np.float32)


def branches(part: float = 0.01, samples: np.ndarray = SAMPLES) -> Graph:
    """Two branches of 64 ReLUs: the wide one adds `part` of its values to those of the other."""
    nodes: tuple[Node, ...] = (
        InputNode("x", (), (12,)),
        LinearNode("left", ("x",), (64,), "left.weight", None),
        ReluNode("strong", ("left",), (64,)),
        LinearNode("right", ("x",), (64,), "right.weight", None),
        ReluNode("faint", ("right",), (64,)),
        ScaleNode("scaled", ("faint",), (64,), part, 0.0),
        AddNode("sum", ("strong", "scaled"), (64,)),
        LinearNode("head", ("sum",), (5,), "head.weight", None),
        OutputNode("o", ("head",), (5,)),
    )
    generator = np.random.default_rng(1)
    shapes = {"left.weight": (64, 12), "right.weight": (64, 12), "head.weight": (5, 64)}
    parameters = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    graph = Graph(nodes, parameters)
    return replace(graph, ranges=calibrate(graph, samples))


def test_a_layer_that_matters_little_gets_fewer_bits() -> None:
    bits = allocate(
        branches(), SAMPLES, FidelityGoal(), source="calibration inputs"
    ).options.layer_activation_bits
    assert bits["strong"] >= bits["faint"] + 4
    alike = allocate(branches(part=1.0), SAMPLES, FidelityGoal(), source="calibration inputs")
    equal = alike.options.layer_activation_bits
    assert abs(equal["strong"] - equal["faint"]) <= 1


def test_equal_files_give_equal_bits() -> None:
    first, second = (choose_bits(branches(), SAMPLES, BitChoice()) for _ in range(2))
    assert first == second
    assert first.options.layer_activation_bits


@pytest.mark.parametrize("pct", [95.0, 99.0, 99.9])
def test_fidelity_is_reached_on_inputs_that_did_not_choose_the_bits(pct: float) -> None:
    chosen = choose_bits(branches(), SAMPLES, BitChoice(FidelityGoal(pct)))
    assert chosen.fidelity.source == HELD_OUT and chosen.fidelity.sample_count == 48
    assert chosen.fidelity.met and chosen.limits == ()


def test_a_higher_fidelity_costs_more_bits() -> None:
    totals = [
        sum(
            choose_bits(
                branches(), SAMPLES, BitChoice(FidelityGoal(pct))
            ).options.layer_activation_bits.values()
        )
        for pct in (90.0, 99.0, 99.9)
    ]
    assert totals[0] < totals[1] < totals[2]


def test_a_network_that_32_bits_do_not_hold_is_told_with_its_layer() -> None:
    """Two values of 10^6 cancel to about 1, so that the rounding of 32 bits is as large as the rest."""
    graph = branches(part=-1.0)
    large = 1e6 * graph.parameters["left.weight"]
    parameters = {
        "left.weight": large,
        "right.weight": large + graph.parameters["right.weight"],
        "head.weight": graph.parameters["head.weight"],
    }
    graph = replace(graph, parameters=parameters)
    graph = replace(graph, ranges=calibrate(graph, SAMPLES))
    chosen = choose_bits(graph, SAMPLES, BitChoice())
    assert not chosen.fidelity.met and chosen.limits[0] in ("strong", "faint", "x")
    (line,) = warning_text(graph, chosen)
    assert "32 bits do not hold a fidelity of 99 %" in line and repr(chosen.limits[0]) in line


def test_noise_is_predicted_within_a_factor() -> None:
    """Prediction and measurement of the mean square error, for bits that are rough and bits that are fine."""
    graph = branches(part=0.5)
    names = ["x", "strong", "faint"]
    values = {"x": SAMPLES, **_values(graph)}
    powers = {name: float(np.mean(values[name] ** 2)) for name in names}
    reference = CompileOptions(10, 6)
    found = sensitivities(graph, SAMPLES[:8], names)
    layers = layers_of(compile_graph(graph, reference)[0], found, powers, 24)
    exact = outputs(graph, SAMPLES)
    for weights, bits in ((8, 12), (14, 6), (10, 9)):
        predicted = sum(layer.noise(weights, bits, 10, 6) for layer in layers)
        measured = np.mean((integer_logits(graph, CompileOptions(weights, bits), SAMPLES) - exact) ** 2)
        assert 1 / 3 < predicted / measured < 3


def _values(graph: Graph) -> dict[str, np.ndarray]:
    x = SAMPLES
    left, right = (np.maximum(x @ graph.parameters[f"{side}.weight"].T, 0) for side in ("left", "right"))
    return {"strong": left, "faint": right}


def test_errors_must_be_small_beside_the_margins_of_classes() -> None:
    wide = np.array([[0.0, 10.0], [10.0, 0.0]] * 20)
    narrow = wide.copy()
    narrow[:8] = [9.99, 10.0]
    assert noise_bound(narrow, FidelityGoal()) < noise_bound(wide, FidelityGoal()) / 100


def test_classes_of_noise_do_not_count() -> None:
    narrow = np.array([[9.99, 10.0], [10.0, 0.0]] * 20)
    errors = [noise_bound(narrow, FidelityGoal(), of_noise=of_noise) for of_noise in (False, True)]
    assert errors[0] < errors[1] / 100
    fidelity = choose_bits(branches(), SAMPLES, BitChoice(), source=NOISE).fidelity
    assert fidelity.source == NOISE and fidelity.met
    assert replace(fidelity, same_class_count=0).met
    assert not replace(fidelity, logit_error=fidelity.logit_range).met


def test_bits_by_hand_are_measured_and_kept() -> None:
    chosen = choose_bits(branches(), SAMPLES, bit_choice(None, None, 4))
    assert (chosen.options.weight_bits, chosen.options.activation_bits) == (10, 4)
    assert chosen.fidelity.goal is None and chosen.fidelity.sample_count == len(SAMPLES)
    (line,) = warning_text(branches(), chosen)
    assert "give more bits" in line


def test_a_file_keeps_its_bits_and_a_user_may_overrule_each_kind() -> None:
    options = CompileOptions(12, 11, layer_activation_bits={"strong": 9})
    graph = replace(branches(), meta={"bits": bits_to_fields(options)})
    assert with_chosen_bits(graph, CompileOptions()) == options
    by_hand = with_chosen_bits(graph, CompileOptions(activation_bits=8), activations=False)
    assert by_hand == CompileOptions(12, 8)
    wide = with_chosen_bits(graph, CompileOptions(headroom_bits=8.0))
    assert wide.layer_activation_bits == {"strong": 9}
    assert with_chosen_bits(branches(), CompileOptions(9, 9)) == CompileOptions(9, 9)


@pytest.mark.parametrize(
    "changed",
    [
        {"weights": 99},
        {"weights": True},
        {"layer_activations": {"strong": "9"}},
        {"layer_weights": []},
        {"x": 1},
    ],
)
def test_damaged_bits_are_refused(changed: dict[str, object]) -> None:
    fields = {**bits_to_fields(CompileOptions(12, 11)), **changed}
    with pytest.raises(ModelError, match="export the network again"):
        with_chosen_bits(replace(branches(), meta={"bits": fields}), CompileOptions())


def test_a_fidelity_and_bits_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="give either a fidelity"):
        bit_choice(99.0, 12, None)


def test_few_inputs_are_exceeded_by_others_within_their_goal() -> None:
    """With bits of a dozen inputs, the largest error of 96 is at most half of the typical error allowed."""
    for part in (0.01, 1.0):
        graph = branches(part)
        options = choose_bits(graph, SAMPLES[:12], BitChoice()).options
        exact = outputs(graph, SAMPLES)
        errors = np.abs(exact - integer_logits(graph, options, SAMPLES))
        assert errors.max() <= 0.01 * np.abs(exact).max()


def test_equal_calibration_inputs_are_told() -> None:
    equal = np.repeat(SAMPLES[:1], 40, axis=0)
    graph = branches(samples=equal)
    assert "all equal" in warning_text(graph, choose_bits(graph, equal, BitChoice()))[-1]
