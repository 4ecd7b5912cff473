"""Predictions of real programs: bytes and rounds are those of the work plan, times follow their causes."""

from dataclasses import replace

import pytest

from pi_bench.channel.link import Link
from pi_bench.costs import Costs
from pi_bench.hybrid.fixed_steps import FIXED_UNITS
from pi_bench.hybrid.script import hybrid_script, predict_hybrid
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph import Graph
from pi_bench.network.program import Program
from pi_bench.prediction.causes import Cause, costs_of_causes, scaled, without_rounds
from pi_bench.prediction.predicted_phase import PredictedPhase
from pi_bench.prediction.simulated_run import PredictedRun, Setting, predict_run
from pi_bench.primitives.built_in import UNITS as PRIMITIVE_UNITS
from pi_bench.protocol import Party, ProtocolOptions
from pi_bench.protocol.script import Purpose
from tests.contract.term_program import term_program
from tests.unit.network.fusion.fusion_graphs import culled_graph

UNITS = (*PRIMITIVE_UNITS, *FIXED_UNITS)
# In this order: scheduling has anomalies, and with costs in another order a dearer unit can save time.
LATER = "join polynomial", "copy polynomial"
ORDERED = sorted(UNITS, key=lambda unit: ("three-halves" in unit, unit in LATER or "silent" in unit))
COSTS = Costs({name: 1e-7 * (1 + i % 7) for i, name in enumerate(ORDERED)}, 1, {})
WAN = Link.parse("wan")
OPTIONS = {
    "windowed": ProtocolOptions("windowed"),
    "exact": ProtocolOptions("exact", weight_cache_bytes=1 << 30),
    "chunks": ProtocolOptions("windowed", values={"label_chunk": 3}),
    "three halves": ProtocolOptions("exact", values={"garbling": "three-halves"}),
    "truncated-sign": ProtocolOptions("truncated-sign", values={"sign_drop": 3}),
    "ahead": ProtocolOptions("windowed", ahead=3),
}


@pytest.fixture(params=["tiny", "culled", "every operator"])
def program(request: pytest.FixtureRequest, tiny_graph: Graph) -> Program:
    if request.param == "every operator":
        return term_program()[0]
    graph = tiny_graph if request.param == "tiny" else culled_graph()
    return compile_graph(graph)[0]


def predicted(
    program: Program, setting: Setting, options: ProtocolOptions = OPTIONS["windowed"]
) -> PredictedRun:
    return predict_run(hybrid_script(program, options), setting)


def sent(phase: PredictedPhase, party: Party) -> int:
    return sum(span.sent_bytes for span in phase.spans[party].values())


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_bytes_are_those_of_the_work_plan(program: Program, options: ProtocolOptions) -> None:
    run, expected = predicted(program, Setting(COSTS), options), predict_hybrid(program, options)
    for party in Party:
        assert sent(run.offline, party) == expected.offline[party]
        assert sent(run.online, party) == expected.online[party]
        for op in program.ops:
            own = sum(span.sent_bytes for span in run.online.of_step(party, op.id))
            assert own == expected.online_ops.get(op.id, {}).get(party, 0), op.name
        for part, both in expected.offline_parts.items():
            assert sum(span.sent_bytes for span in run.offline.of_part(party, part)) == both.get(party, 0)


def test_every_activation_is_a_round(program: Program) -> None:
    assert predicted(program, Setting(COSTS)).online.depth == 2 * (len(program.activation_ops) + 1)


def test_nothing_gets_faster_where_a_unit_gets_dearer(program: Program) -> None:
    script = hybrid_script(program, OPTIONS["windowed"])
    before = predict_run(script, Setting(COSTS))
    for unit in UNITS:
        dearer = Costs({**COSTS.unit_s, unit: 10 * COSTS.unit_s[unit]}, 1, {})
        after = predict_run(script, Setting(dearer))
        assert after.online.time_s >= before.online.time_s, unit
        assert after.offline.time_s >= before.offline.time_s, unit


def test_slower_links_take_longer(program: Program) -> None:
    links = [
        None,
        *(
            Link(f"{rtt}", rtt, bits, bits)
            for rtt, bits in ((1e-4, 1e10), (1e-2, 1e10), (1e-2, 1e8), (0.1, 1e7))
        ),
    ]
    times = [predicted(program, Setting(COSTS, link, polls=False)) for link in links]
    for phase in ("online", "offline"):
        seconds = [getattr(run, phase).time_s for run in times]
        assert seconds == sorted(seconds), phase


def test_rounds_and_bytes_bound_the_time_over_a_link(program: Program) -> None:
    run = predicted(program, Setting(COSTS, WAN))
    rounds, bytes_down = run.online.depth / 2, sent(run.online, Party.SERVER)
    assert run.online.time_s >= rounds * WAN.rtt_s
    assert run.online.time_s >= 8 * bytes_down / WAN.down_bits_per_s


def test_fewer_relus_never_take_longer(program: Program) -> None:
    script = hybrid_script(program, OPTIONS["windowed"])
    for setting in (Setting(COSTS), Setting(COSTS, WAN)):
        for phase in (script.online, script.offline):
            times = [
                predict_run(
                    replace(script, online=scaled(phase, Purpose.RELU, factor)), setting
                ).online.time_s
                for factor in (0.0, 0.25, 0.5, 1.0)
            ]
            assert times == sorted(times)


def test_scaling_touches_one_purpose(program: Program) -> None:
    script = hybrid_script(program, OPTIONS["windowed"]).online
    halved = scaled(script, Purpose.RELU, 0.5)
    for party in Party:
        for before, after in zip(script.roles[party].actions, halved.roles[party].actions, strict=True):
            if before.purpose is Purpose.RELU:
                assert after.byte_count == round(0.5 * before.byte_count)
            else:
                assert after == before


def test_what_a_cause_costs_is_what_its_absence_saves(program: Program) -> None:
    """Where one cause has all of the cost, it has all of the time, and comes first."""
    units = {
        Cause.RELUS: ("garble relu", "evaluate relu"),
        Cause.TRUNCATIONS: ("garble truncation", "evaluate truncation"),
        Cause.LINEAR: ("ring multiply-add", "ring plane multiply-add", "product", "product of runs"),
        Cause.ROUNDS: ("hop", "message"),
    }
    for cause, names in units.items():
        setting = Setting(Costs({**dict.fromkeys(UNITS, 0.0), **dict.fromkeys(names, 1e-6)}, 1, {}))
        script = hybrid_script(program, OPTIONS["windowed"]).online
        whole_s = predict_run(replace(hybrid_script(program, OPTIONS["windowed"]), offline=script), setting)
        found = costs_of_causes(script, setting)
        if whole_s.online.time_s > 0:
            assert found[0].cause is cause
            assert found[0].cost_s == pytest.approx(whole_s.online.time_s)
            assert all(one.cost_s == pytest.approx(0) for one in found[1:])


def test_without_rounds_a_distance_does_not_matter(program: Program) -> None:
    script = hybrid_script(program, OPTIONS["windowed"]).online
    near, far = (without_rounds(script, Setting(COSTS, Link("x", rtt_s, 1e9, 1e9))) for rtt_s in (1e-4, 1.0))
    assert predicted(program, near).online.time_s == predicted(program, far).online.time_s


def test_cached_weights_are_not_transformed_again(program: Program) -> None:
    setting = Setting(Costs({**dict.fromkeys(UNITS, 0.0), "transform": 1.0, "transform of runs": 1.0}, 1, {}))
    cold = predicted(program, setting, ProtocolOptions("windowed", weight_cache_bytes=0)).offline.time_s
    warm = predicted(program, setting, ProtocolOptions("windowed", weight_cache_bytes=1 << 40)).offline.time_s
    assert warm == 0 < cold
