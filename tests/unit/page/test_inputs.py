"""Results are read from files, folders and the history, and what cannot be read is named in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pi_bench.errors import InputError, UsageError
from pi_bench.history import History
from pi_bench.page.inputs import read_inputs
from tests.unit.page.stored_runs import accuracy_fields, variant


def write(path: Path, fields: Any) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(fields))
    return str(path)


def test_a_folder_gives_its_results_and_names_the_files_it_passes_over(tmp_path: Path) -> None:
    write(tmp_path / "b.json", variant(name="second"))
    write(tmp_path / "a" / "first.json", variant(name="first"))
    write(tmp_path / "c.json", accuracy_fields())
    write(tmp_path / "plan.json", {"cells": 2})
    (tmp_path / "half.json").write_text('{"network": ')
    found = read_inputs([str(tmp_path)], None)
    assert [each.result.network.name for each in found.results] == ["first", "second"]
    assert len(found.accuracies) == 1 and len(found.documents) == 3
    assert sorted(text.split(":")[0].rpartition("/")[2].split()[0] for text in found.passed_over) == [
        "half.json",
        "plan.json",
    ]


def test_a_run_of_the_history_is_found_by_number_tag_and_last_and_shown_once(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with History(path) as history:
        history.tag(history.add(variant(name="old")), "baseline")
        history.add(variant(name="new"))
    found = read_inputs(["baseline", "2", "last"], path)
    assert [(each.name, each.result.network.name) for each in found.results] == [
        ("baseline", "old"),
        ("2", "new"),
    ]
    with pytest.raises(
        UsageError, match="'baselin' is neither a file, a folder nor a run; did you mean baseline"
    ):
        read_inputs(["baselin"], path)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({**variant(), "schema_version": 3}, "schema version 3, and this pi-bench reads version 2"),
        ({**variant(), "unheard_of": 1}, "written by another version of pi-bench"),
        ({"sides": [], "ratios": [], "environment": {"time": ""}}, "a result of `pi-bench compare`"),
        ({"network": {}}, "no result of pi-bench"),
    ],
)
def test_a_file_that_cannot_be_shown_is_refused(tmp_path: Path, fields: Any, words: str) -> None:
    name = write(tmp_path / "given.json", fields)
    with pytest.raises(InputError, match=words) as caught:
        read_inputs([name], None)
    assert "given.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_with_a_result_of_another_version_is_refused_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path / "good.json", variant())
    write(tmp_path / "new.json", {**variant(), "schema_version": 3})
    with pytest.raises(InputError, match="new has the schema version 3"):
        read_inputs([str(tmp_path)], None)


def test_an_empty_folder_and_a_mistyped_file_are_refused_with_help(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no result"):
        read_inputs([str(tmp_path)], None)
    write(tmp_path / "result.json", variant())
    with pytest.raises(UsageError, match=r"no file .*reslt\.json; did you mean result\.json\?"):
        read_inputs([str(tmp_path / "reslt.json")], None)
