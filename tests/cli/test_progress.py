import io
import sys

import pytest

from pi_bench.cli.output import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_on_a_terminal_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress() as progress:
        progress("run", 1, 4)
    written = terminal.getvalue()
    assert "[######..................] 1/4 run" in written
    assert written.endswith("\r\x1b[2K")


def test_no_bar_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with Progress() as progress:
        progress("run", 0, 1)
    assert file.getvalue() == ""


def test_lines_elsewhere_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with Progress(lines=True) as progress:
        for done in range(1, 5):
            progress(f"epoch {(done + 1) // 2}", done, 4)
    assert file.getvalue() == "epoch 1\nepoch 2\n"


def test_a_silent_one_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(lines=True, silent=True) as progress:
        progress("run", 1, 4)
    assert terminal.getvalue() == ""


def test_the_bar_tells_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "70")
    moments = iter([100.0, 101.0, 110.0, 200.0, 300.0])
    monkeypatch.setattr("pi_bench.cli.output.time.monotonic", lambda: next(moments))
    with Progress() as progress:
        progress("epoch", 40, 100)  # a resumed run: its first 40 took no time
        progress("epoch", 41, 100)
        progress("epoch", 50, 100)
        progress("check", 0, 10)
        progress("check with a text that is longer than the terminal is wide", 5, 10)
    steps = terminal.getvalue().split("\r\x1b[2K")
    assert [step.endswith("left") for step in steps] == [False, False, False, True, False, False, False]
    assert steps[3].endswith("50/100 epoch, 0:50 left")
    assert len(steps[5]) == 69
