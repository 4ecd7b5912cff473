"""`pi-bench compare` over models and over kept runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pi_bench.cli import main

QUICK = ["--rounds", "4", "--runs", "1"]


@pytest.fixture(scope="module")
def kept(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a history of two runs, and the JSON of the first."""
    folder = tmp_path_factory.mktemp("kept")
    common = ["--runs", "6", "--warmup", "0", "--history", str(folder / "history.db")]
    words = ["latency", str(model_file), "--protocol", "null", *common]
    assert main([*words, "--json", str(folder / "first.json")]) == 0
    assert main([*words, "--link", "100Mbit,60ms"]) == 0
    return folder


def test_protocols_are_measured_in_turns(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written, history = tmp_path / "c.json", ["--history", str(tmp_path / "h.db")]
    words = ["compare", str(model_file), "--protocol", "ideal,null", *QUICK, *history]
    assert main([*words, "--json", str(written)]) == 0
    text = capsys.readouterr().out
    assert "null against ideal: " in text
    result = json.loads(written.read_text())
    assert [each["protocol"] for each in result["sides"]] == ["ideal", "null"]
    assert all(len(each["sessions"]) == 4 for each in result["sides"])
    assert all(each["interval"] is not None for each in result["ratios"])
    assert all(each["online_floor_s"] > 0 for each in result["sides"])
    assert main(["history", "show", "last", *history]) == 0
    assert "null against ideal: " in capsys.readouterr().out


def test_kept_runs_are_compared_with_what_differs_said_first(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = ["--history", str(kept / "history.db")]
    assert main(["compare", str(kept / "first.json"), "2", *history]) == 0
    text = capsys.readouterr().out
    assert text.startswith("differs: link: loopback / 100Mbit,60ms")
    assert "2 against first.json: slower" in text
    assert main(["compare", "1", "2", "--fail-if-slower", "5%", *history]) == 10
    assert "--fail-if-slower allows 1.05 times" in capsys.readouterr().err
    assert main(["compare", "2", "1", "--fail-if-slower", "5%", *history]) == 0


def test_what_cannot_be_compared_fails_closed(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", str(model_file), "--link", "loopback,lan", "--protocol", "null", "--no-history"]
    assert main([*words, "--rounds", "2", "--runs", "1", "--fail-if-slower", "50%"]) == 10
    assert "could not be compared" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["MODEL"], "nothing to compare with"),
        (["last"], "one kept run is nothing to compare"),
        (["MODEL", "last"], "cannot be compared with each other"),
        (["MODEL", "MODEL", "--link", "lan,wan"], "one model with several values of --link"),
        (["1", "2", "--runs", "3"], "--runs is for model files"),
        (["1", "9"], "'9' is neither a file nor a run; `pi-bench history` lists all runs"),
        (["MODEL", "--protocol", "null,nul"], "there is no protocol 'nul'"),
        (["MODEL", "--threads", "1,1"], "given twice"),
        (["1", "2", "--fail-if-slower", "5"], "is no percentage"),
        (["MODEL", "--no-limits", "--relative-to-floor"], "leave out --no-limits"),
    ],
)
def test_wrong_words_are_one_line(
    words: list[str], says: str, model_file: Path, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(model_file) if word == "MODEL" else word for word in words]
    try:
        code = main(["compare", *given, "--history", str(kept / "history.db")])
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    err = capsys.readouterr().err
    assert (code, says in err) == (2, True), err


def test_a_run_is_judged_by_a_baseline(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = ["--history", str(kept / "history.db")]
    assert main(["history", "tag", "1", "release", *history]) == 0
    capsys.readouterr()
    assert main(["regress", "--baseline", "release", *history]) == 10
    assert "cannot be judged: they differ in link" in capsys.readouterr().err
    result = json.loads((kept / "first.json").read_text())
    for name, factor, spread in (("steady", 1.0, 0.01), ("slow", 1.5, 0.01), ("erratic", 1.0, 20.0)):
        samples = [factor * 0.010 * (1 + spread * number) for number in range(6)]
        result["online"]["latency_s"]["samples"] = samples
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
        assert main(["history", "import", str(tmp_path / f"{name}.json"), *history]) == 0
        assert main(["history", "tag", "last", name, *history]) == 0
    judge = ["regress", "slow", "--baseline", "steady", *history]
    assert main([*judge, "--max-slowdown", "60%"]) == 0
    capsys.readouterr()
    assert main(judge) == 10
    assert "--max-slowdown allows 1.1 times" in capsys.readouterr().err
    assert main(["regress", "steady", "--baseline", "slow", *history]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("passed: run steady is not shown to be slower")
    assert main(["regress", "erratic", "--baseline", "steady", "--max-slowdown", "50%", *history]) == 10
    err = capsys.readouterr().err
    assert err.startswith("error: undecided: run ") and err.endswith("; use more runs\n"), err
    assert main(["compare", "steady", "erratic", "--fail-if-slower", "50%", *history]) == 10
    assert "error: undecided: erratic against steady has the 99 % interval" in capsys.readouterr().err
    assert main(["regress", "--baseline", "rele-ase", *history]) == 2
    assert "did you mean release" in capsys.readouterr().err


def test_runs_of_a_slower_machine_are_judged_by_their_floors(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine of half the speed has twice the floor and twice the time. Without a floor nothing passes."""
    history = ["--history", str(tmp_path / "h.db")]
    result = json.loads((kept / "first.json").read_text())
    for name, slowness in (("new", 1.0), ("old", 2.0), ("none", 1.0)):
        samples = [slowness * (0.010 + 0.0001 * number) for number in range(6)]
        result["online"]["latency_s"].update(samples=samples, median=samples[3])
        result["floor"]["online"]["time_s"] = 0.002 * slowness
        result["environment"]["cpu_model"] = name
        if name == "none":
            result["floor"] = None
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
        assert main(["history", "import", str(tmp_path / f"{name}.json"), *history]) == 0
        assert main(["history", "tag", "last", name, *history]) == 0
    judge = ["regress", "--baseline", "new", *history]
    assert main([*judge, "old"]) == 10  # another processor
    assert main([*judge, "old", "--relative-to-floor"]) == 0
    assert (
        "online relative to the floor   run old against baseline new: no difference"
        in capsys.readouterr().out
    )
    assert main([*judge, "none", "--relative-to-floor"]) == 10
    assert "one of them has no floor" in capsys.readouterr().err
    assert main(["history", *history]) == 0
    listed = capsys.readouterr().out
    assert "floor" in listed and listed.count("5.2 x") == 2


def test_a_measurement_is_repeated_with_its_options(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = (tmp_path / name for name in ("first.json", "other.json"))
    monkeypatch.setenv("PI_BENCH_HISTORY", str(tmp_path / "h.db"))
    words = ["latency", str(model_file), "--no-history"]
    options = ["--protocol", "null", "--runs", "2", "--warmup", "0", "--link", "rtt=1ms,up=1Gbit,down=2Gbit"]
    options += ["--weight-bits", "9", "--seed", "3", "--precision", "90%", "--max-time", "0.1"]
    assert main(["latency", str(model_file), *options, "--json", str(first)]) == 0
    result = json.loads(first.read_text())
    assert main(["latency", str(model_file), "--like", "last", "--json", str(other)]) == 0
    again = json.loads(other.read_text())
    assert (again["arguments"], again["outputs"]) == (result["arguments"], result["outputs"])
    assert main([*words, "--like", str(first), "--seed", "4", "--json", str(other)]) == 0
    assert json.loads(other.read_text())["arguments"] == {**result["arguments"], "seed": 4}
    (tmp_path / "none.json").write_text("{}")
    assert main([*words, "--like", str(tmp_path / "none.json")]) == 4
    assert main([*words, "--like", str(tmp_path / "no-such.json")]) == 4
