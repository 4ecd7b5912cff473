"""Where costs come from: the cache of this machine and build, or a measurement. Nothing is timed here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pi_bench.costs import LINK_UNITS, Costs
from pi_bench.launch import cached_costs as costs_module
from pi_bench.launch import two_party_costs
from pi_bench.launch.cached_costs import describe_build, machine_costs, needed_units
from pi_bench.launch.two_party_costs import add_two_party_costs
from pi_bench.network.program import Program, element_count
from pi_bench.prediction.costs_file import cached_path, read_costs
from pi_bench.protocol import Party, ProtocolOptions
from pi_bench.protocol.script import PhaseScript, Purpose, RunScript
from pi_bench.registry import find_protocol

INFO = find_protocol("delphi")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Thread counts of the measurements that were made."""
    calls: list[int] = []

    def measure(info: object, threads: int, machine: dict[str, str], progress: object) -> Costs:
        calls.append(threads)
        return Costs(dict.fromkeys(needed_units(INFO, 1), float(len(calls))), threads, machine)

    monkeypatch.setattr(costs_module, "measure_costs", measure)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return calls


def quietly(what: str, done: int, total: int) -> None:
    del what, done, total


def test_costs_are_measured_once_and_kept(measured: list[int]) -> None:
    first, second = machine_costs(INFO, 1, quietly), machine_costs(INFO, 1, quietly)
    assert first == second
    assert measured == [1]
    assert read_costs(cached_path(describe_build(INFO), 1)) == first


def test_other_thread_counts_are_other_costs(measured: list[int]) -> None:
    machine_costs(INFO, 1, quietly)
    machine_costs(INFO, 2, quietly)
    assert measured == [1, 2]


def test_they_are_measured_again_when_asked_for(measured: list[int]) -> None:
    machine_costs(INFO, 1, quietly)
    again = machine_costs(INFO, 1, quietly, again=True)
    assert measured == [1, 1]
    assert machine_costs(INFO, 1, quietly) == again


def test_a_damaged_cache_is_measured_again(measured: list[int]) -> None:
    machine_costs(INFO, 1, quietly)
    cached_path(describe_build(INFO), 1).write_text("{")
    machine_costs(INFO, 1, quietly)
    assert measured == [1, 1]


def test_a_cache_that_cannot_be_written_is_no_failure(
    measured: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert machine_costs(INFO, 1, quietly).threads == 1


def test_a_build_names_its_code_and_protocol() -> None:
    build = describe_build(INFO)
    assert build["protocol"] == "delphi" and len(build["native"]) == 16
    assert set(build) == {
        *("cpu_model", "usable_core_count", "instruction_set", "pi-bench", "native", "protocol")
    }


def test_a_script_of_its_own_needs_no_unit_of_another_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ideal` computes no slice, exchange or garbled gadget: it used to end in a KeyError."""
    monkeypatch.setattr(two_party_costs, "_WIDE", ((8, 4, 4), 8, 3, 3))
    monkeypatch.setattr(two_party_costs, "_RUNS", 2)

    def script(program: Program, options: ProtocolOptions) -> RunScript:
        del options
        offline, online = PhaseScript("offline"), PhaseScript("online")
        for op in program.linear_ops:
            offline.message(Party.SERVER, op.id, "dealer", Purpose.OTHER, 4 * element_count(op.shape))
        ends = ((Party.CLIENT, program.input), (Party.SERVER, program.output))
        for sender, op in ends:
            online.message(sender, op.id, "", Purpose.OTHER, 4 * element_count(op.shape))
        return RunScript(offline, online)

    info = replace(find_protocol("ideal"), script=script)
    costs = add_two_party_costs(info, Costs(dict.fromkeys(LINK_UNITS, 0.0), 1, {}))
    assert costs.of("message") > 0 and set(costs.unit_s) == set(LINK_UNITS)
