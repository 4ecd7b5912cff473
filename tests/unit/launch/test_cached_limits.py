"""Limits are measured once in some minutes and kept with those that the machine showed before.

No measurement depends on the cache.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pi_bench.costs import LIMIT_NAMES
from pi_bench.errors import InputError
from pi_bench.launch import cached_limits as limits_module
from pi_bench.launch.cached_limits import cache_bytes, machine_limits
from pi_bench.launch.placement import Placement, place
from pi_bench.prediction.limits_file import KEPT, read_limits
from pi_bench.progress import silent

ALONE = Placement(1, (), ())


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The rates that were measured: each is twice as slow as the one before."""
    done: list[float] = []

    def measure(threads: int, cores: object, peer_cores: object) -> dict[str, float]:
        done.append(1e-9 * 2 ** len(done))
        return dict.fromkeys(LIMIT_NAMES, done[-1])

    monkeypatch.setattr(limits_module, "measure_limits", measure)
    return done


def test_they_are_measured_again_only_after_some_minutes(
    tmp_path: Path, measurements: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "limits.json"
    first = machine_limits(ALONE, silent, cache=path)
    assert machine_limits(ALONE, silent, cache=path).unit_s == first.unit_s
    assert len(measurements) == 1
    monkeypatch.setattr(limits_module, "FRESH_S", 0.0)
    second = machine_limits(ALONE, silent, cache=path)
    assert len(measurements) == 2
    assert second.far_below_usual() == dict.fromkeys(LIMIT_NAMES, 0.5)
    for _ in range(KEPT + 3):
        last = machine_limits(ALONE, silent, cache=path)
    assert len(last.earlier) == KEPT == len(read_limits(path).earlier)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema_version": 2}', "null", '{"schema_version": 1}'])
def test_a_damaged_cache_is_replaced(tmp_path: Path, measurements: list[float], damage: str) -> None:
    path = tmp_path / "limits.json"
    path.write_text(damage)
    with pytest.raises(InputError, match="holds no limits"):
        read_limits(path)
    assert machine_limits(ALONE, silent, cache=path).unit_s == read_limits(path).unit_s


@pytest.mark.parametrize("value", ["true", '"1e-9"', "0", "-1", "NaN", "1e9"])
def test_a_limit_that_is_no_time_is_refused(tmp_path: Path, measurements: list[float], value: str) -> None:
    path = tmp_path / "limits.json"
    machine_limits(ALONE, silent, cache=path)
    path.write_text(path.read_text().replace('"aes": 1e-09', f'"aes": {value}'))
    with pytest.raises(InputError, match="holds no limits"):
        read_limits(path)


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path, measurements: list[float]) -> None:
    (tmp_path / "file").write_text("")
    assert machine_limits(ALONE, silent, cache=tmp_path / "file" / "limits.json").threads == 1


def test_a_time_to_come_is_not_fresh(tmp_path: Path, measurements: list[float]) -> None:
    path = tmp_path / "limits.json"
    machine_limits(ALONE, silent, cache=path)
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "time": "2999-01-01T00:00:00+00:00"}))
    machine_limits(ALONE, silent, cache=path)
    assert len(measurements) == 2


def test_each_cache_counts_once(tmp_path: Path) -> None:
    for core in (0, 1, 2):
        for level, size, shared in (("1", "32K", core), ("2", "1024K", core), ("3", "32768K", "0-2")):
            folder = tmp_path / f"devices/system/cpu/cpu{core}/cache/index{level}"
            folder.mkdir(parents=True)
            for name, text in (("level", level), ("size", size), ("shared_cpu_list", str(shared))):
                (folder / name).write_text(text + "\n")
    assert cache_bytes((0, 1), tmp_path) == 1024 * (2 * 1024 + 32768)
    assert cache_bytes((), tmp_path) == 1024 * (3 * 1024 + 32768)


def test_a_real_measurement_has_every_limit(tmp_path: Path) -> None:
    found = machine_limits(place(1), silent, cache=tmp_path / "limits.json")
    assert set(found.unit_s) == set(LIMIT_NAMES)
    assert found.unit_s["cache"] < 1e-6 and found.unit_s["round_trip"] > found.unit_s["socket"]
