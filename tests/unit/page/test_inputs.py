"""Results are read from files, folders and the history, and what cannot be read is named in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pi_bench.errors import InputError, UsageError
from pi_bench.history import History
from pi_bench.page import sections_of
from pi_bench.page.inputs import read_inputs
from pi_bench.report.documents.latency import Result
from pi_bench.sweep.cells import Network, SweepCell
from pi_bench.sweep.definition import Sweep
from pi_bench.sweep.folder import SweepFolder
from tests.unit.page.stored_runs import accuracy_fields, variant

COMPARISON = {
    "schema_version": 1,
    "sides": [{"name": "one", "sessions": []}],
    "ratios": [],
    "environment": {"time": ""},
}


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
        ({**variant(), "unheard_of": 1}, "another version of pi-bench wrote"),
        (COMPARISON, "a result of `pi-bench compare`"),
        ({"network": {}}, "no result of pi-bench"),
    ],
)
def test_a_file_that_cannot_be_shown_is_refused(tmp_path: Path, fields: Any, words: str) -> None:
    name = write(tmp_path / "given.json", fields)
    with pytest.raises(InputError, match=words) as caught:
        read_inputs([name], None)
    assert "given.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_and_a_file_of_several_pass_over_other_versions_and_comparisons(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write(folder / "good.json", variant(name="first"))
    newer = write(folder / "new.json", {**variant(), "schema_version": 999, "runs": "many"})
    lines = folder / "all.jsonl"
    results = (variant(name="second"), {**variant(), "schema_version": 1}, COMPARISON)
    lines.write_text("\n\n".join(json.dumps({"tags": [], "result": each}) for each in results))
    found = read_inputs([str(folder)], None)
    assert [each.result.network.name for each in found.results] == ["second", "first"]
    versions = "and this pi-bench reads version 2; measure it again, or use the pi-bench that wrote it"
    assert found.passed_over == [
        f"line 3 of {lines}: this result has the schema version 1, {versions}",
        f"line 5 of {lines}: this is a result of `pi-bench compare`; a page shows results of latency and "
        "accuracy",
        f"{newer}: this result has the schema version 999, {versions}",
    ]
    (folder / "good.json").unlink()
    lines.unlink()
    with pytest.raises(InputError, match=r"no result that a page shows; .*new\.json: .* version 999"):
        read_inputs([str(folder)], None)


def test_a_value_that_no_result_has_is_named_by_its_field(tmp_path: Path) -> None:
    for value, words in ((float("nan"), "is nan, which is no finite number"), (-1.0, "has a value that no")):
        fields = variant()
        fields["online"]["latency_s"]["median"] = value
        with pytest.raises(InputError, match=rf"the field online\.latency_s\.median of this result {words}"):
            read_inputs([write(tmp_path / "given.json", fields)], None)


def test_the_page_of_a_sweep_names_the_cells_without_a_result(tmp_path: Path) -> None:
    cells = tuple(SweepCell(at, Network(name, "0"), "fss", None, 1) for at, name in enumerate("abc", start=1))
    with SweepFolder(tmp_path, Sweep(cells, {"runs": 5})) as folder:
        folder.keep(cells[0], msgspec.convert(variant(), Result))
        folder.keep_failure(cells[1], "b.pt is damaged")
    inputs = read_inputs([str(tmp_path)], None)
    lines = ["b, fss, loopback, 1 thread: b.pt is damaged", "c, fss, loopback, 1 thread: not measured yet"]
    assert inputs.unmeasured == lines and len(inputs.results) == 1
    (words,) = sections_of(inputs)[0].missing
    assert words.startswith("The page is not complete: 2 cells of the sweep have no result. b, fss,")
    with SweepFolder(tmp_path, Sweep(cells, {"runs": 5})) as folder:
        for cell in cells[1:]:
            folder.keep(cell, msgspec.convert(variant(name=cell.network.name), Result))
    assert not sections_of(read_inputs([str(tmp_path)], None))[0].missing


def test_an_empty_folder_and_a_mistyped_file_are_refused_with_help(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no result .*; write one with"):
        read_inputs([str(tmp_path)], None)
    cell = SweepCell(1, Network("a", "0123"), "fss", None, 2)
    with SweepFolder(tmp_path / "sweep", Sweep((cell,), {"runs": 5})) as folder:
        folder.keep_failure(cell, "no memory")
    with pytest.raises(
        InputError, match=r"no cell of the sweep in .*sweep is finished yet; the command that"
    ):
        read_inputs([str(tmp_path / "sweep")], None)
    write(tmp_path / "result.json", variant())
    with pytest.raises(UsageError, match=r"no file .*reslt\.json; did you mean result\.json\?"):
        read_inputs([str(tmp_path / "reslt.json")], None)
