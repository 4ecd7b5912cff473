"""`--layers` and `--columns` of the commands that print a table by layer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pi_bench.cli import main
from tests.unit.report.screens import FOLDER

COMMANDS = {"latency": (), "inspect": (), "accuracy": ("--data", "digits")}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_column_is_refused_before_the_model_is_read(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, "no-such-model.pt", *COMMANDS[command], "--columns", "operatr"]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "there is no column 'operatr'; did you mean operator" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_lists_the_columns(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "operator (kind of computation)" in text and "bits between" in text


def test_wrong_numbers_of_layers_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("0", "some", "-1"):
        with pytest.raises(SystemExit) as left:
            main(["inspect", "model.pt", f"--layers={wrong}"])
        assert left.value.code == 2
        assert "--layers" in capsys.readouterr().err


def test_a_kept_run_is_shown_with_other_layers_and_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = ["--history", str(tmp_path / "history.db")]
    assert main(["history", "import", str(FOLDER / "latency.json"), *history]) == 0
    capsys.readouterr()
    assert main(["history", "show", "last", "--layers", "2", "--columns", "rounds,time", *history]) == 0
    text = capsys.readouterr().out
    assert "the 2 of 37 layers that take most time" in text
    assert "35 other layers" in text
    header = next(line for line in text.splitlines() if line.startswith("layer "))
    assert header.split() == ["layer", "rounds", "time", "ms"]


def test_help_loads_nothing_that_is_slow() -> None:
    program = (
        "import sys; from pi_bench.cli.parser import make_parser; make_parser().format_help(); "
        "print({'numpy', 'rich', 'msgspec', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
