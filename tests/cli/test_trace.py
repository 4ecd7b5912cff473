"""`pi-bench latency --trace`: one more inference is drawn, and no figure changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pi_bench.cli import main
from pi_bench.errors import PeerError
from tests.schemas import require_valid
from tests.trace_law import require_lawful


def layers(trace: dict[str, Any], process: int) -> set[str]:
    return {
        event["name"]
        for event in trace["traceEvents"]
        if event["ph"] == "X" and event["pid"] == process and event["cat"] == "layer"
    }


@pytest.mark.parametrize("flags", [("delphi",), ("null", "--link", "lan")], ids="-".join)
def test_a_trace_holds_both_parties_on_one_clock(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...]
) -> None:
    result_file, trace_file = tmp_path / "result.json", tmp_path / "trace.json"
    words = ("--runs", "2", "--warmup", "0", "--no-limits", "--json", str(result_file))
    assert main(["latency", str(model_file), *words, "--protocol", *flags, "--trace", str(trace_file)]) == 0
    result, trace = (json.loads(file.read_text()) for file in (result_file, trace_file))
    require_valid(result, "result")
    require_lawful(trace)
    # Both parties have this machine's clock, so its offset is known: it is none.
    assert abs(result["trace"]["clock_offset_s"]) <= result["trace"]["clock_uncertainty_s"] < 0.1
    assert trace["otherData"]["summary"] == result["trace"]
    assert result["runs"] == len(result["online"]["latency_s"]["samples"]) == 2
    named = {layer["name"] for layer in result["online"]["layers"]}
    assert layers(trace, 1) <= named and layers(trace, 2) == named
    counts = [result["trace"][phase]["message_count"] for phase in ("offline", "online")]
    assert sum(event["ph"] == "f" for event in trace["traceEvents"]) == sum(counts) > 4
    for phase in ("offline", "online"):
        assert all(part < 0.03 for part in result["trace"][phase]["unaccounted"].values())
    _require_times(trace, result["trace"])
    shown = capsys.readouterr().out
    assert f"{trace_file}, to open in https://ui.perfetto.dev" in shown
    assert "are on the client's clock within" in shown


def _require_times(trace: dict[str, Any], summary: dict[str, Any]) -> None:
    """The phases of the client are as long as its figures say, and hold all that it did."""
    client = [event for event in trace["traceEvents"] if event["ph"] == "X" and event["pid"] == 1]
    phases = [event for event in client if event["cat"] == "phase"]
    assert [event["name"] for event in phases] == ["offline phase", "online phase"]
    for event, name in zip(phases, ("offline", "online"), strict=True):
        inside_us = sum(
            each["dur"]
            for each in client
            if each["cat"] in ("compute", "send", "wait")
            and event["ts"] <= each["ts"] < event["ts"] + event["dur"]
        )
        assert 0.97 * event["dur"] <= inside_us <= event["dur"] + 1
        if name == "online":  # the end of the offline phase is a message that belongs to no phase
            assert summary[name]["time_s"] <= event["dur"] / 1e6 + 1e-6


def test_bad_files_are_refused_before_the_measurement(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags, words in (
        (("--trace", str(tmp_path / "none" / "t.json")), "there is no folder"),
        (("--trace", str(tmp_path)), "it is a folder"),
        (("--trace", str(model_file)), "it is an input of this command"),
        (("--trace", "-"), "--trace writes to a file, not to standard output"),
        (("--trace", "a.json", "--json", "./a.json"), "--trace and --json name the same file"),
    ):
        assert main(["latency", str(model_file), *flags]) != 0
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and words in line


def test_runs_are_kept_if_the_trace_fails(
    model_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pi_bench.launch.latency import MeasuringSession

    def lose(session: MeasuringSession) -> None:
        raise PeerError("the server left")

    monkeypatch.setattr(MeasuringSession, "trace", lose)
    files = tmp_path / "result.json", tmp_path / "trace.json"
    words = ("--runs", "2", "--warmup", "0", "--no-limits", "--protocol", "null")
    code = main(["latency", str(model_file), *words, "--json", str(files[0]), "--trace", str(files[1])])
    assert code == PeerError.exit_code
    assert json.loads(files[0].read_text())["runs"] == 2 and not files[1].exists()
    (found,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
    assert found == "error: the server left; the result holds 2 finished runs"
