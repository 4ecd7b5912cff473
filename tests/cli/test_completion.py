"""`pi-bench completion`: the words that a shell offers after it has read the script."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
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


def script_of(shell: str, folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> Path:
    """Writes the script of a shell into a folder that has a folder of its own."""
    capsys.readouterr()
    assert main(["completion", shell]) == 0
    script = folder / name
    script.write_text(capsys.readouterr().out)
    (folder / "folder").mkdir()
    return script


def test_bash_completes_commands_options_choices_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = script_of("bash", tmp_path, "script.bash", capsys)
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


def fish_offers(script: Path, line: str) -> list[str]:
    """The words that fish offers for the last word of `line`, without their descriptions."""
    command = ["fish", "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"', str(script), line]
    home = {**os.environ, "HOME": str(script.parent)}
    found = subprocess.run(command, capture_output=True, text=True, cwd=script.parent, env=home, check=True)
    return [row.partition("\t")[0] for row in found.stdout.splitlines()]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_commands_options_and_choices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = script_of("fish", tmp_path, "script.fish", capsys)
    assert fish_offers(script, "pi-bench la") == ["latency"]
    assert fish_offers(script, "pi-bench latency --warm") == ["--warmup"]
    assert fish_offers(script, "pi-bench latency --scales per-t") == ["per-tensor"]
    assert fish_offers(script, "pi-bench reduce sn") == ["snl"]
    assert "script.fish" in fish_offers(script, "pi-bench inspect scr")


def zsh_completes(folder: Path, line: str) -> str:
    """The line that zsh has after it completed `line`: a terminal types it, Tab, and a command around it."""
    terminal, side = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "HOME": str(folder)}
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=side, stdout=side, stderr=side, cwd=folder, env=environment
    )
    os.close(side)

    def answer(typed: str, pattern: str) -> str:
        os.write(terminal, typed.encode())
        said, end = "", time.monotonic() + 60
        while (found := re.search(pattern, said)) is None:
            assert time.monotonic() < end, said
            if select.select([terminal], [], [], 1)[0]:
                said += os.read(terminal, 1 << 16).decode(errors="replace")
        return found[1]

    try:
        begin = "PS1=; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; print REA''DY"
        answer(f"{begin}\n", r"(READY)\r\n")
        home, end = "\x01", "\x05"  # keys that move to the ends of the line
        return answer(f"{line}\t{home}print -r -- '<{end}>'\r", r"\n<([^<>\r\n]*)>\r\n")
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_commands_options_choices_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script_of("zsh", tmp_path, "_pi-bench", capsys)
    assert zsh_completes(tmp_path, "pi-bench la") == "pi-bench latency"
    assert zsh_completes(tmp_path, "pi-bench latency --warm") == "pi-bench latency --warmup"
    assert (
        zsh_completes(tmp_path, "pi-bench latency --scales per-t") == "pi-bench latency --scales per-tensor"
    )
    assert zsh_completes(tmp_path, "pi-bench reduce sn") == "pi-bench reduce snl"
    assert zsh_completes(tmp_path, "pi-bench inspect _p") == "pi-bench inspect _pi-bench"


def test_a_missing_library_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 7
    assert 'pip install "pi-bench[completion]"' in capsys.readouterr().err
