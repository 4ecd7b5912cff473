import json
from pathlib import Path
from typing import Any

import pytest

from pi_bench.costs import CONTENTION, Costs, CostUnits
from pi_bench.errors import InputError
from pi_bench.prediction.costs_file import cached_path, costs_to_json, read_costs, write_costs

UNITS = ("word", "message", "a unit of another version")


@pytest.fixture
def costs() -> Costs:
    return Costs({name: float(i + 1) for i, name in enumerate(UNITS)}, 2, {"cpu_model": "x"})


def test_work_is_priced_unit_by_unit(costs: Costs) -> None:
    work = CostUnits({UNITS[0]: 2.0, UNITS[1]: 1.0}) + CostUnits({UNITS[1]: 3.0})
    assert work.units == {UNITS[0]: 2.0, UNITS[1]: 4.0}
    assert costs.seconds(work) == 2 * 1 + 4 * 2
    assert costs.without([UNITS[1]]).seconds(work) == 2
    assert costs.seconds(work) == 10


def test_a_file_holds_all_of_it(costs: Costs, tmp_path: Path) -> None:
    path = tmp_path / "new" / "costs.json"
    write_costs(costs, path)
    assert read_costs(path) == costs
    assert [file.name for file in path.parent.iterdir()] == ["costs.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 2}, "format version 2, and this pi-bench reads version 1"),
        ({"schema_version": None}, "has no schema_version"),
        ({"threads": 0}, "missing or of another type"),
        ({"threads": True}, "missing or of another type"),
        ({"machine": {"cpu_model": 1}}, "missing or of another type"),
        ({"unit_s": []}, "missing or of another type"),
        ({"unit_s": {"word": "1"}}, "missing or of another type"),
        ({"contention": {}}, "lack contention 'client offline'"),
        ({"contention": {**dict.fromkeys(CONTENTION, 1.0), "x": 1.0}}, "unknown contention 'x'"),
        (
            {"contention": {**dict.fromkeys(CONTENTION, 1.0), "client online": 0.5}},
            "'client online' is 0.5; it must be from 1",
        ),
    ],
)
def test_what_is_no_costs_is_named(costs: Costs, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "costs.json"
    path.write_text(json.dumps({**costs_to_json(costs), **change}))
    with pytest.raises(InputError, match=words) as caught:
        read_costs(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("value", ["-1.0", "1e4", "NaN", "Infinity"])
def test_impossible_seconds_are_refused(costs: Costs, tmp_path: Path, value: str) -> None:
    path = tmp_path / "costs.json"
    fields = costs_to_json(costs)
    fields["unit_s"]["word"] = float(value)
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match=r"'word' takes .* s per unit; it must be from 0"):
        read_costs(path)


def test_a_unit_that_was_not_measured_is_named(costs: Costs) -> None:
    """A file of another version may lack units; it serves every protocol that does not need them."""
    costs.require(UNITS)
    words = "lack the unit 'gate', which this protocol needs; measure them again"
    for use in (
        lambda: costs.require(("word", "gate")),
        lambda: costs.of("gate"),
        lambda: costs.seconds(CostUnits({"gate": 1.0})),
    ):
        with pytest.raises(InputError, match=words):
            use()


@pytest.mark.parametrize("text", ["", "{", "[1]", "nonsense", "[" * 100_000])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "costs.json"
    path.write_text(text)
    with pytest.raises(InputError, match="holds no costs"):
        read_costs(path)


def test_a_missing_or_endless_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_costs(tmp_path / "none.json")
    (tmp_path / "large.json").write_bytes(bytes(1 << 21))
    with pytest.raises(InputError, match="too large"):
        read_costs(tmp_path / "large.json")


def test_each_machine_build_and_thread_count_has_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    paths = {
        cached_path(machine, threads)
        for machine in ({"cpu_model": "x"}, {"cpu_model": "y"}, {"cpu_model": "x", "native": "1"})
        for threads in (1, 2)
    }
    assert len(paths) == 6
    assert all(path.parent == Path("/cache/pi-bench") for path in paths)
