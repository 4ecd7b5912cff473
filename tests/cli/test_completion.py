"""`pi-bench completion`: what a shell offers after the script was read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pi_bench.cli import main

pytest.importorskip("shtab")

ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_pi_bench; echo "${COMPREPLY[*]}"
"""


def offered(script: Path, *words: str) -> list[str]:
    """The words that bash offers for the last of `words`."""
    command = ["bash", "-c", ASK, "bash", str(script), "pi-bench", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=script.parent).stdout.split()


def test_bash_completes_commands_options_choices_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "script.bash"
    script.write_text(capsys.readouterr().out)
    (tmp_path / "folder").mkdir()
    assert offered(script, "la") == ["latency"]
    assert offered(script, "latency", "--warm") == ["--warmup"]
    assert offered(script, "latency", "--scales", "per-t") == ["per-tensor"]
    assert offered(script, "reduce", "sn") == ["snl"]
    assert offered(script, "inspect", "scr") == ["script.bash"]
    assert offered(script, "export", "--recipe", "a", "--weights", "scr") == ["script.bash"]
    assert offered(script, "train", "--output", "") == ["folder"]


@pytest.mark.parametrize(("shell", "start"), [("zsh", "#compdef pi-bench"), ("fish", "complete ")])
def test_other_shells_have_a_script(shell: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert start in script and "latency" in script and "warmup" in script


def test_a_missing_library_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 7
    assert 'pip install "pi-bench[completion]"' in capsys.readouterr().err
