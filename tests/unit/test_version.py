"""Checks that the installed package and its native code have the version of pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import pi_bench
from pi_bench import _native
from pi_bench.cli.parser import make_parser
from pi_bench.metrics import environment

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def test_the_package_and_its_native_code_say_the_version_of_the_project() -> None:
    version = tomllib.loads(PYPROJECT.read_text())["project"]["version"]
    assert {pi_bench.__version__, _native.__version__} == {version}, "reinstall with `make setup`"


def test_version_names_the_commit_where_git_knows_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for commit, words in (("0123abcd4567", " (commit 0123abcd4567)"), (None, "")):
        monkeypatch.setattr(environment, "commit_of_checkout", lambda commit=commit: commit)
        with pytest.raises(SystemExit) as exit_:
            make_parser().parse_args(["--version"])
        assert exit_.value.code == 0
        assert capsys.readouterr().out == f"pi-bench {pi_bench.__version__}{words}\n"
