"""A primitive that a protocol declares is timed, kept in the cost file and predicted like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pi_bench.cli import main
from pi_bench.costs import LINK_UNITS, Costs, CostUnits
from pi_bench.errors import UsageError
from pi_bench.launch import cached_costs as costs_module
from pi_bench.launch import two_party_costs
from pi_bench.launch.cached_costs import describe_build, machine_costs, measure_costs
from pi_bench.metrics import micro as micro_module
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph import Graph
from pi_bench.network.program import Program, element_count
from pi_bench.prediction.costs_file import cached_path, write_costs
from pi_bench.prediction.simulated_run import Setting, predict_run
from pi_bench.primitives import Case, CaseSettings, MinimalWork, Primitive, TimedCase
from pi_bench.primitives.channel import CHANNEL
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions
from pi_bench.protocol.script import FixedStep, PhaseScript, Purpose, RunScript
from pi_bench.registry import find_protocol

UNIT, STEP = "looked-up byte", "greeting"


def look_ups(settings: CaseSettings) -> Iterator[Case]:
    table, indices = bytes(range(256)), bytes(settings.count)
    work = MinimalWork(memory_bytes=2)
    yield Case("look bytes up", "byte", settings.count, 1, work, lambda: indices.translate(table))


def timed_look_ups(settings: CaseSettings) -> Iterator[TimedCase]:
    for case in look_ups(settings):
        yield TimedCase(CostUnits({UNIT: float(case.unit_count)}), case)


LOOK_UPS = Primitive("look-ups", (UNIT,), {"lookup": look_ups}, timed_look_ups)


def script(program: Program, options: ProtocolOptions) -> RunScript:
    """The client looks its output up; greeting the server costs the same whatever the network."""
    del options
    first, last = program.input, program.output
    offline = PhaseScript("offline")
    greeting = FixedStep(STEP, Party.CLIENT, frozenset({(first.id, "")}))
    online = PhaseScript("online", fixed_steps=(greeting,))
    for op in program.linear_ops:
        offline.message(Party.SERVER, op.id, "dealer", Purpose.OTHER, 4 * element_count(op.shape))
    online.client.compute(first.id, "", Purpose.OTHER, CostUnits({STEP: 1.0}))
    online.message(Party.CLIENT, first.id, "", Purpose.OTHER, 4 * element_count(first.shape))
    online.message(Party.SERVER, last.id, "", Purpose.OTHER, 4 * element_count(last.shape))
    online.client.compute(last.id, "", Purpose.OTHER, CostUnits({UNIT: 1e6}))
    return RunScript(offline, online)


@pytest.fixture
def info(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ProtocolInfo:
    """A protocol with a primitive of its own, which runs the messages of `ideal`."""
    found = replace(find_protocol("ideal"), script=script, primitives=(LOOK_UPS,))
    monkeypatch.setattr(micro_module, "loadable_protocols", lambda: (found, found))  # two may share it
    monkeypatch.setattr(costs_module, "BUILT_IN", (CHANNEL,))  # the others take seconds
    monkeypatch.setattr(two_party_costs, "_WIDE", ((8, 4, 4), 8, 3, 3))
    monkeypatch.setattr(two_party_costs, "_RUNS", 2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return found


def quietly(what: str, done: int, total: int) -> None:
    del what, done, total


def test_micro_times_it(info: ProtocolInfo, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["micro", "lookup", "--count", "64", "--repetitions", "1", "--json", "-"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["results"]
    assert (row["primitive"], row["case"], row["unit_count"]) == ("lookup", "look bytes up", 64)
    with pytest.raises(SystemExit):
        main(["micro", "--help"])
    assert "channel, lookup (default: all)" in capsys.readouterr().out


def test_its_costs_are_measured_kept_and_predicted(info: ProtocolInfo, tiny_graph: Graph) -> None:
    run = script(compile_graph(tiny_graph)[0], ProtocolOptions("windowed"))
    costs = machine_costs(info, 1, quietly)
    path = cached_path(describe_build(info), 1)
    assert path is not None
    kept = json.loads(path.read_text())["unit_s"]
    assert set(kept) == {*LINK_UNITS, UNIT, STEP}  # and no step of another protocol
    assert kept[UNIT] > 0 and kept[STEP] > 0
    whole_s, free_s = (
        predict_run(run, Setting(known)).online.time_s for known in (costs, costs.without([UNIT]))
    )
    slowdown = costs.contention["client online"]
    assert whole_s - free_s == pytest.approx(1e6 * costs.of(UNIT) * slowdown)


def test_a_cache_without_its_units_is_measured_again(
    info: ProtocolInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cached_path(describe_build(info), 1)
    assert path is not None
    old = Costs(dict.fromkeys(LINK_UNITS, 1.0), 1, {})
    new = replace(old, unit_s={**old.unit_s, UNIT: 2.0, STEP: 2.0})
    write_costs(old, path)
    monkeypatch.setattr(costs_module, "measure_costs", lambda *arguments: new)
    assert machine_costs(info, 1, quietly) == new
    monkeypatch.setattr(costs_module, "measure_costs", lambda *arguments: pytest.fail("measured twice"))
    assert machine_costs(info, 1, quietly) == new


def test_a_unit_without_a_case_is_refused(info: ProtocolInfo) -> None:
    lazy = replace(info, primitives=(LOOK_UPS, Primitive("lazy ones", ("a unit",))))
    with pytest.raises(UsageError, match="'lazy ones' of protocol ideal declares the cost unit 'a unit'"):
        measure_costs(lazy, 1, {}, quietly)


def test_a_unit_that_nothing_declares_is_refused(info: ProtocolInfo) -> None:
    bare = replace(info, primitives=())
    with pytest.raises(UsageError, match="counts the cost unit 'looked-up byte', which no primitive"):
        measure_costs(bare, 1, {}, quietly)
