"""Every command that reads a result refuses one of a newer schema version in one line with both versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pi_bench.cli import main
from tests.unit.page.stored_runs import variant

VERSIONS = "this result has the schema version 999, and this pi-bench reads version 2; measure it again"


@pytest.mark.parametrize(
    "words",
    [
        "history import {newer}",
        "latency {known} --like {newer}",
        "compare {known} {newer}",
        "report {newer} -o {page}",
    ],
)
def test_a_result_of_a_newer_version_is_refused_with_both_versions(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {name: str(tmp_path / f"{name}.json") for name in ("known", "newer", "page", "history")}
    Path(names["known"]).write_text(json.dumps(variant()))
    Path(names["newer"]).write_text(json.dumps({**variant(), "schema_version": 999}))
    assert main(words.format(**names).split()) == 4
    err = capsys.readouterr().err
    assert f"{names['newer']}: {VERSIONS}" in err and err.count("\n") == 1
    assert not Path(names["page"]).exists()


def test_nan_in_a_result_is_named_by_its_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = variant()
    fields["online"]["latency_s"]["samples"][1] = float("inf")
    (path := tmp_path / "given.json").write_text(json.dumps(fields))
    assert main(["history", "import", str(path)]) == 4
    assert "the field online.latency_s.samples[1] of this result is inf" in capsys.readouterr().err
