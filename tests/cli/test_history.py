"""`pi-bench history` over the runs that real commands keep."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pi_bench.cli import main
from pi_bench.history import History


@pytest.fixture(scope="module")
def kept(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of two runs, one of them named, and the JSON of the first."""
    folder = tmp_path_factory.mktemp("kept")
    common = ["--runs", "1", "--warmup", "0", "--protocol", "null", "--history", str(folder / "history.db")]
    assert main(["latency", str(model_file), *common, "--json", str(folder / "first.json")]) == 0
    assert main(["latency", str(model_file), *common, "--link", "lan"]) == 0
    assert main(["history", "tag", "1", "baseline", "--history", str(folder / "history.db")]) == 0
    return folder


@pytest.fixture
def history(kept: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["history", *words, "--history", str(kept / "history.db")])
        return code, *capsys.readouterr()

    return run


def test_the_list_has_what_was_measured(kept: Path, history: Callable[..., tuple[int, str, str]]) -> None:
    code, text, _ = history()
    assert code == 0
    lines = text.splitlines()
    assert lines[-1] == "2 runs"
    assert [line.split()[0] for line in lines[2:4]] == ["2", "1"]
    assert "baseline" in lines[3]
    first = json.loads((kept / "first.json").read_text())
    rows = list(csv.DictReader(io.StringIO(history("--csv", "-", "--link", "loopback")[1])))
    assert [row["id"] for row in rows] == ["1"]
    assert float(rows[0]["online_s"]) == first["online"]["latency_s"]["median"]
    (listed,) = json.loads(history("--json", "-", "--link", "l?n")[1])
    assert (listed["id"], listed["link"]) == (2, "lan")


def test_last_is_narrowed_by_kind_and_says_what_it_named(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def tag(*words: str) -> str:
        main(["history", "tag", "last", *words, "--history", str(copy)])
        return "".join(capsys.readouterr())

    copy = tmp_path / "history.db"
    copy.write_bytes((kept / "history.db").read_bytes())
    with History(copy) as database:
        document = json.loads((kept / "first.json").read_text())
        accuracy = {"network": document["network"], "float": {}, "integer": {}, "data": {"image_count": 8}}
        same = {name: document[name] for name in ("protocol", "mode", "interrupted", "environment")}
        number = database.add({**accuracy, **same, "private": None})
    network = document["network"]["name"]
    assert tag("any") == f"run {number} (accuracy of {network}) is tagged any\n"
    assert tag("lan", "--kind", "latency") == f"run 2 (latency of {network}) is tagged lan\n"
    assert tag("none", "--kind", "comparison").startswith("error: ")


def test_a_kept_run_is_shown_as_it_was_printed(
    kept: Path, history: Callable[..., tuple[int, str, str]]
) -> None:
    code, text, _ = history("show", "baseline")
    assert code == 0
    assert text.startswith("run 1 of ")
    assert "online latency" in text
    assert json.loads(history("show", "1", "--json", "-")[1]) == json.loads((kept / "first.json").read_text())


def test_results_move_between_machines(
    kept: Path,
    tmp_path: Path,
    history: Callable[..., tuple[int, str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, text, _ = history("export", str(tmp_path / "all.jsonl"))
    assert (code, text) == (0, f"2 runs written to {tmp_path / 'all.jsonl'}\n")
    (tmp_path / "broken.json").write_text("{")
    there = ["--history", str(tmp_path / "there.db")]
    files = [str(tmp_path / name) for name in ("broken.json", "all.jsonl")] + [str(kept / "first.json")]
    assert main(["history", "import", *files, *there]) == 4
    out, err = capsys.readouterr()
    assert out == "2 runs added, 1 was there already\n"
    assert "broken.json holds no results" in err
    assert main(["history", "show", "baseline", *there]) == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["show", "bseline"], 2, "did you mean baseline?"),
        (["--network", "nothing"], 2, "there is no run with network 'nothing'"),
        (["--since", "noon"], 2, "is no time"),
        (["tag", "1"], 2, "give RUN and NAME"),
        (["tag", "1", "7"], 2, "would be taken for a run"),
        (["tag", "nobody", "--remove"], 2, "there is no run 'nobody'"),
        (["export", "/no/such/folder/all.jsonl"], 2, "cannot write"),
        (["import", "/no/such/file"], 4, "cannot read"),
    ],
)
def test_wrong_words_are_one_line(
    words: list[str], code: int, says: str, history: Callable[..., tuple[int, str, str]]
) -> None:
    found, _, err = history(*words)
    assert (found, err.count("\n")) == (code, 1)
    assert says in err


def test_a_history_that_cannot_be_used_loses_no_measurement(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.db").write_text("no database at all, of more than sixteen bytes")
    words = ["latency", str(model_file), "--runs", "1", "--warmup", "0", "--protocol", "null"]
    assert main([*words, "--json", str(tmp_path / "r.json"), "--history", str(tmp_path / "broken.db")]) == 0
    out, err = capsys.readouterr()
    assert "online latency" in out
    assert "warning: this run is not kept: the history" in err
    assert json.loads((tmp_path / "r.json").read_text())["runs"] == 1
    assert main([*words, "--no-history", "--history", "x.db"]) == 2
    mistyped = tmp_path / "mistyped" / "h.db"
    capsys.readouterr()
    assert main([*words, "--history", str(mistyped)]) == 2
    assert (
        capsys.readouterr().err == f"error: cannot write {mistyped}: there is no folder {mistyped.parent}\n"
    )
    monkeypatch.setenv("PI_BENCH_HISTORY", str(mistyped))
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "online latency" in out
    assert f"warning: this run is not kept: there is no folder {mistyped.parent}" in err
    assert not mistyped.parent.exists()
    assert main(["history", "--history", str(tmp_path / "none.db")]) == 2


def test_an_export_does_not_replace_the_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with History(tmp_path / "h.db"):
        pass
    before = (tmp_path / "h.db").read_bytes()
    for words in (("export", str(tmp_path / "h.db")), ("--csv", str(tmp_path / "h.db"))):
        assert main(["history", "--history", str(tmp_path / "h.db"), *words]) == 2
        assert "is an input of this command" in capsys.readouterr().err
    assert (tmp_path / "h.db").read_bytes() == before
