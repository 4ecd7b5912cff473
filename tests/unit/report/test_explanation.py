"""Explanations on made-up costs: which causes come first, and the settings against them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pi_bench.channel.link import Link
from pi_bench.costs import Costs
from pi_bench.hybrid.fixed_steps import FIXED_UNITS
from pi_bench.launch import weight_cache
from pi_bench.launch.alternatives import Alternative, AlternativeKind, alternatives
from pi_bench.launch.model import LoadedModel
from pi_bench.network.clamps import with_relus
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.fusion import fuse_linear
from pi_bench.network.graph import Graph
from pi_bench.prediction.causes import RunCosts, scaled
from pi_bench.prediction.simulated_run import Setting, predict_run
from pi_bench.primitives.built_in import UNITS
from pi_bench.protocol import ProtocolOptions
from pi_bench.protocol.script import Purpose
from pi_bench.registry import find_protocol
from pi_bench.report.documents.predicted import Explanation
from pi_bench.report.explanation import explain, explanation_lines
from pi_bench.report.quantities import seconds
from tests.clamped_graph import relu6_graph
from tests.unit.network.fusion.fusion_graphs import culled_graph

INFO = find_protocol("delphi")
WAN = Link.parse("wan")
CHEAP_S = 1e-12


def model_of(graph: Graph, *, fuse: bool = False) -> LoadedModel:
    fusion = None
    if fuse:
        graph, fusion = fuse_linear(graph, 10)
    program, weights = compile_graph(graph)
    return LoadedModel(graph, program, weights, "", 0.0, fusion)


def explained(model: LoadedModel, setting: Setting, options: ProtocolOptions | None = None) -> Explanation:
    options = options or ProtocolOptions("windowed", weight_cache_bytes=1 << 40)
    assert INFO.script is not None
    script = INFO.script(model.program, options)
    others = alternatives(model, CompileOptions(), INFO, options, setting)
    return explain(model.program, script, predict_run(script, setting), RunCosts.of(script, setting), others)


def costs(**unit_s: float) -> Costs:
    return Costs(
        {
            **dict.fromkeys((*UNITS, *FIXED_UNITS), CHEAP_S),
            **{k.replace("_", " "): v for k, v in unit_s.items()},
        },
        1,
        {},
    )


@pytest.mark.parametrize(
    ("unit_s", "cause", "words"),
    [
        ({"evaluate_relu": 1e-6}, "relus", "ReLUs cost"),
        ({"evaluate_truncation": 1e-6}, "truncations", "truncations without ReLU cost"),
        ({"ring_output": 1e-6}, "linear", "multiply-accumulates cost"),
        ({"message": 1e-4}, "rounds", "rounds, and the steps between, cost"),
        ({"client_slice": 1e-4}, "rounds", "rounds, and the steps between, cost"),
    ],
)
def test_what_is_dear_comes_first(
    tiny_graph: Graph, unit_s: dict[str, float], cause: str, words: str
) -> None:
    fields = explained(model_of(tiny_graph), Setting(costs(**unit_s)))
    online = fields.online
    assert online.causes[0].cause == cause
    assert online.causes[0].fraction > 0.9
    assert words in online.lines[0]
    assert len(online.lines) <= 3
    order = [found.cost_s for found in online.causes]
    assert order == sorted(order, reverse=True)


def test_the_three_dearest_are_told_in_their_order(tiny_graph: Graph) -> None:
    setting = Setting(costs(evaluate_relu=4e-6, message=3e-5, ring_output=3e-7, evaluate_truncation=1e-9))
    lines = explained(model_of(tiny_graph), setting).online.lines
    assert ["ReLUs" in lines[0], "rounds" in lines[1], "multiply-accumulates" in lines[2]] == [True] * 3


def test_the_busiest_layer_is_named_with_its_relus(tiny_graph: Graph) -> None:
    fields = explained(model_of(tiny_graph), Setting(costs(evaluate_relu=1e-6)))
    busiest = fields.online.causes[0].layers[0]
    assert busiest.name == "sum.relu"  # all of its elements have a ReLU, of the stem's a half
    assert "sum.relu (144 ReLUs)" in fields.online.lines[0]


def test_the_layers_of_a_cause_add_up_to_no_more_than_its_cost(tiny_graph: Graph) -> None:
    """Parties and link are busy at the same time: their busy times together exceed the cost."""
    setting = Setting(costs(evaluate_relu=4e-6, garble_relu=4e-6, ring_output=3e-7), Link.parse("1Mbit,0ms"))
    explanation = explained(model_of(tiny_graph), setting)
    exceeded = 0
    for phase in (explanation.online, explanation.offline):
        for cause in phase.causes:
            assert cause.cost_s <= phase.time_s
            parts_s = [layer.cost_s for layer in cause.layers]
            assert sum(part_s for part_s in parts_s if part_s is not None) <= max(0.0, cause.cost_s) * (
                1 + 1e-9
            )
            exceeded += any(layer.busy_s > cause.cost_s for layer in cause.layers)
    assert exceeded, "the example has no overlap to take off"
    first, *_ = explanation_lines(explanation, {"online": 0.5, "offline": 1.0})
    words = (
        f"largest costs online, of {seconds(explanation.online.time_s)} predicted (500 ms measured); each is"
    )
    assert first.startswith(words)


def test_far_apart_the_rounds_count_and_fusion_is_named() -> None:
    model = model_of(culled_graph())
    fields = explained(model, Setting(costs(), WAN))
    first = fields.online.causes[0]
    rounds = len(model.program.activation_ops) + 1
    assert first.cause == "rounds"
    assert first.cost_s == pytest.approx(rounds * WAN.rtt_s, rel=0.05)
    fused = next(row for row in fields.alternatives if row.change == "--fuse online:wan")
    assert fused.comm_round_count < rounds
    assert f"the {rounds} rounds" in fields.online.lines[0]
    assert f"`--fuse online:wan` would leave {fused.comm_round_count:g} rounds" in fields.online.lines[0]


def test_a_fused_network_is_not_told_to_fuse() -> None:
    fields = explained(model_of(culled_graph(), fuse=True), Setting(costs(), WAN))
    assert all("--fuse" not in row.change for row in fields.alternatives)
    assert "--fuse" not in fields.online.lines[0]


def test_it_says_whether_fewer_relus_help(tiny_graph: Graph) -> None:
    dear, cheap = (
        explained(model_of(tiny_graph), Setting(costs(**unit_s))).relus
        for unit_s in ({"evaluate_relu": 1e-6}, {"message": 1e-3})
    )
    assert dear.fraction > 0.9 and "so fewer ReLUs help" in dear.line
    assert cheap.fraction < 0.1 and "fewer ReLUs alone help little" in cheap.line
    assert "most of it for the" in cheap.line and "rounds" in cheap.line


def test_weights_that_do_not_fit_the_cache_are_told(tiny_graph: Graph) -> None:
    setting = Setting(costs(transform=1e-3, transform_of_runs=1e-3))
    fields = explained(model_of(tiny_graph), setting, ProtocolOptions("windowed", weight_cache_bytes=0))
    assert "`--weight-cache" in fields.offline.lines[0]
    cached = explained(model_of(tiny_graph), setting)
    assert not any("--weight-cache" in line for line in cached.offline.lines)


def test_no_weight_cache_is_named_that_the_memory_does_not_allow(
    tiny_graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_cache, "available_memory_bytes", lambda: 4_000)
    setting = Setting(costs(transform=1e-3, transform_of_runs=1e-3))
    fields = explained(model_of(tiny_graph), setting, ProtocolOptions("windowed", weight_cache_bytes=0))
    assert not any("--weight-cache" in row.change for row in fields.alternatives)


def test_a_narrow_link_calls_for_chunks_of_labels(tiny_graph: Graph) -> None:
    setting = Setting(costs(), Link("x", 0.0, 1e6, 1e6))
    fields = explained(model_of(tiny_graph), setting)
    (line,) = [line for line in fields.online.lines if "ReLUs cost" in line]
    assert "`--label-chunk" in line


def test_text_has_measured_times_where_there_are_any(tiny_graph: Graph) -> None:
    fields = explained(model_of(tiny_graph), Setting(costs()))
    assert "measured" not in "\n".join(explanation_lines(fields))
    text = "\n".join(explanation_lines(fields, {"online": 0.002, "offline": 1.5}))
    assert "(2.00 ms measured)" in text and "(1.50 s measured)" in text


def test_a_protocol_says_what_it_makes_offline_and_what_helps(tiny_graph: Graph) -> None:
    model, setting = model_of(tiny_graph), Setting(costs(garble_relu=1e-6))
    options = ProtocolOptions("windowed")
    assert INFO.script is not None
    script = replace(INFO.script(model.program, options), offline_text={Purpose.RELU: "keys"})
    run = predict_run(script, setting)
    faster = predict_run(replace(script, offline=scaled(script.offline, Purpose.RELU, 0.5)), setting)
    others = [
        Alternative(AlternativeKind.HALF_RELUS, "half", faster, 0),
        Alternative(AlternativeKind.PROTOCOL_OPTION, "--short-keys", faster, 0, helps=(Purpose.RELU,)),
        Alternative(AlternativeKind.PROTOCOL_OPTION, "--other", faster, 0, helps=(Purpose.LINEAR,)),
        Alternative(AlternativeKind.PROTOCOL_OPTION, "--new", faster, 0, (Purpose.RELU,), experimental=True),
    ]
    fields = explain(model.program, script, run, RunCosts.of(script, setting), others)
    line = next(line for line in fields.offline.lines if "ReLUs cost" in line)
    assert line.startswith("keys of the ") and "`--short-keys` would leave" in line and "--other" not in line
    assert "`--new` (experimental) would leave" in line


def test_a_protocol_says_which_settings_are_experimental(tiny_graph: Graph) -> None:
    explanation = explained(model_of(tiny_graph), Setting(costs()))
    assert {row.change for row in explanation.alternatives if row.experimental} == {"--ot ferret"}


def test_relu_in_place_of_relu6_saves_its_second_relus(tiny_graph: Graph) -> None:
    clamped = relu6_graph(tiny_graph)
    setting = Setting(costs(evaluate_relu=1e-6))
    fields, plain = (explained(model_of(graph), setting) for graph in (clamped, with_relus(clamped)))
    row = next(row for row in fields.alternatives if row.change == "ReLU in place of ReLU6")
    assert row.online_s == pytest.approx(plain.online.time_s)
    saved = seconds(fields.online.time_s - plain.online.time_s)
    assert (
        f"ReLU in place of ReLU6, in training too, would leave {seconds(row.online_s)} (saves {saved})"
        in (fields.online.lines[0])
    )
    assert not any("ReLU6" in line for line in plain.online.lines)


def test_a_network_without_relus_is_not_told_to_halve_them(tiny_graph: Graph) -> None:
    plain = replace(tiny_graph, masks={"stem.mask": np.zeros((4, 6, 6), np.bool_)})
    kept = tuple(node for node in plain.nodes if node.name != "sum.relu")
    nodes = tuple(replace(node, inputs=("sum",)) if node.name == "pool" else node for node in kept)
    line = explained(model_of(replace(plain, nodes=nodes)), Setting(costs(message=1e-4))).relus.line
    assert line.startswith("The network has no ReLUs: most of the online latency is for the ")
