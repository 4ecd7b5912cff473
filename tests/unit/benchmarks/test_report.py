"""The report of the benchmarks: targets and measured values, in the target's unit."""

import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.targets import TARGETS


def stored(*targets: dict) -> dict:
    info = {"cpu_model": "a processor", "usable_core_count": 2, "commit": "c0ffee", "load_average": 0.2}
    entry = {"name": "test_x", "extra_info": {**info, "targets": list(targets)}}
    return {"datetime": "2026-01-02T03:04:05", "benchmarks": [{"name": "y", "extra_info": info}, entry]}


def row(title: str, *targets: dict) -> tuple[str, ...]:
    return next(row for row in report.target_rows(stored(*targets)) if row[0] == title)


def test_every_target_has_a_row() -> None:
    rows = report.target_rows(stored())
    assert [row[0] for row in rows] == [target.title for target in TARGETS.values()]
    assert len(set(row[0] for row in rows)) == len(rows)
    assert {row[2] for row in rows} == {"not measured"}


def test_values_are_in_the_targets_unit() -> None:
    title = "evaluate a ReLU, vaes512, 19 ANDs, 1 thread"
    found = row(title, {"key": "evaluate-19-1-vaes512", "value": 50e-9, "limit": 25e-9})
    assert found == (title, "≤ 100 ns", "50 ns", "0.50", "yes", "2.00")


def test_a_missed_target_says_so() -> None:
    title = "online, 557,056 ReLUs"
    found = row(title, {"key": "online-557056", "value": 0.3, "limit": None})
    assert found == (title, "≤ 150 ms", "300 ms", "2.00", "**no**", "")


@pytest.mark.parametrize(
    ("key", "limit", "unit"),
    [
        ("garble-11-1-vaes512", 75, "ns"),
        ("evaluate-11-2-aesni", 87.5, "ns"),
        ("offline-bytes-557056", 0.8, "GB"),
        ("online-bytes-chunk-3", 85, "B"),
        ("null-12288", 2, "ms"),
    ],
)
def test_targets_are_those_of_the_project(key: str, limit: float, unit: str) -> None:
    assert (TARGETS[key].limit, TARGETS[key].unit) == (limit, unit)


def test_the_newest_report_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert report.main([]) == 1
    assert "run `make bench`" in capsys.readouterr().err
    folder = tmp_path / ".benchmarks" / "machine"
    folder.mkdir(parents=True)
    (folder / "0001.json").write_text(json.dumps(stored()))
    assert report.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a processor, 2 cores, commit c0ffee, 2026-01-02T03:04"
    assert len(lines) == 2 + 2 + len(TARGETS)
    assert {line.count("|") for line in lines[2:]} == {7}


def test_a_busy_machine_is_said() -> None:
    busy = stored()
    assert "busy" not in report.render(busy)
    busy["benchmarks"][0]["extra_info"]["load_average"] = 3.14
    assert "busy when this began (load average 3.1)" in report.render(busy)
