"""`pi-bench report` writes a page and files of plots, or refuses in one line and leaves everything whole."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pi_bench.cli import main
from pi_bench.history import History
from tests.unit.page.stored_runs import several, variant


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    for number, fields in enumerate(several()[:2]):
        (folder / f"{number}.json").write_text(json.dumps(fields))
    return folder


def test_a_folder_becomes_a_page_and_files_of_its_plots(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / "plan.json").write_text('{"cells": 3}')
    page, figures = tmp_path / "report.html", tmp_path / "new" / "figures"
    assert main(["report", str(results), "-o", str(page), "--figures", str(figures)]) == 0
    out, err = capsys.readouterr()
    assert f"wrote {page}: 2 results, 22 plots," in out
    assert err.startswith("warning: passed over: ") and "plan.json" in err
    text = page.read_text()
    assert ">Private inference of resnet18-cifar100-12288: 2 results</h1>" in text
    assert "<dt>threads</dt> <dd>1 thread per party</dd>" in text  # under the title
    names = {path.name for path in figures.iterdir()}
    assert {
        "online-1.svg",
        "online-1.pdf",
        "online-1.png",
        "layers-2.svg",
        "accuracy-relus-cifar100.pdf",
    } <= names
    assert len(names) == 3 * 22


def test_results_that_were_measured_now_become_a_page(model_file: Path, tmp_path: Path) -> None:
    history = ["--history", str(tmp_path / "history.db")]
    measure = ["latency", str(model_file), "--protocol", "null", "--runs", "1", "--warmup", "0", *history]
    assert main(measure) == 0
    assert main(["report", "last", "-o", str(tmp_path / "report.html"), *history]) == 0
    assert "verified" in (tmp_path / "report.html").read_text()


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_read(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "no-such-run", "-o", str(tmp_path / "none" / "report.html")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    first = results / "0.json"
    before = first.read_bytes()
    assert main(["report", str(first), "-o", str(first)]) == 2
    assert "it is an input of this command" in capsys.readouterr().err
    assert first.read_bytes() == before
    assert main(["report", str(results), "--figures", str(first)]) == 2
    err = capsys.readouterr().err
    assert f"cannot use {first} as the output folder: it is a file, and no folder\n" in err
    assert err.count("\n") == 1
    assert main(["report", str(results)]) == 2
    assert "nothing to write" in capsys.readouterr().err


def test_a_run_has_one_exit_code_whether_it_or_its_history_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    History(tmp_path / "empty.db").close()
    for history in ("none.db", "empty.db"):
        assert main(["report", "last", "-o", "-", "--history", str(tmp_path / history)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_an_older_page_stays_whole_if_a_result_cannot_be_read(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    page.write_text("older")
    (newer := tmp_path / "9.json").write_text(json.dumps({**variant(), "schema_version": 9}))
    assert main(["report", str(results), str(newer), "-o", str(page)]) == 4
    assert capsys.readouterr().err.startswith("error: ")
    assert page.read_text() == "older"
    assert sorted(os.listdir(tmp_path)) == ["9.json", "report.html", "results"]
