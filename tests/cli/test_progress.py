import io
import re
import sys

import pytest

from pi_bench.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def as_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error as a terminal; no fixture, because pytest replaces the stream after the fixtures."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return terminal


def shown(terminal: Terminal) -> list[str]:
    """Each state of the line, without colors and movements of the cursor."""
    steps = terminal.getvalue().split("\r\x1b[2K")
    return [re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", step).strip() for step in steps]


def test_bar_on_a_terminal_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    with Progress() as progress:
        progress("run", 1, 4)
    assert any(re.fullmatch(r"━+╺━+ 1/4 run", step) for step in shown(terminal))
    assert terminal.getvalue().endswith("\x1b[2K")  # the line is erased


def test_a_cleared_bar_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    with Progress() as progress:
        progress("run", 1, 4)
        progress.clear()
        print("a line", file=sys.stderr)
        progress("run", 2, 4)
    assert "\x1b[1A\x1b[2Ka line\n" in terminal.getvalue()  # in the place of the erased bar
    steps = shown(terminal)
    assert any(step.endswith("2/4 run") for step in steps)


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_terminals_without_color_or_cursor(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = as_terminal(monkeypatch)
    with Progress() as progress:
        progress("run", 1, 4)
    assert re.search(r"\x1b\[[\d;]+m", terminal.getvalue())
    terminal.truncate(0)
    monkeypatch.setenv(variable, value)
    with Progress() as progress:
        progress("run", 1, 4)
    assert not re.search(r"\x1b\[(3|9)\d", terminal.getvalue())
    assert ("1/4 run" in terminal.getvalue()) == (variable == "NO_COLOR")
    if variable == "TERM":
        assert "\x1b" not in terminal.getvalue()


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


def test_jobs_that_take_turns_have_one_line_per_step(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with Progress(lines=True) as progress:
        for epoch in (1, 2):
            for _ in range(3):
                for job in ("60", "90"):
                    progress(f"{job}: epoch {epoch}", epoch, 2)
    assert file.getvalue() == "60: epoch 1\n90: epoch 1\n60: epoch 2\n90: epoch 2\n"


def test_a_silent_one_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    with Progress(lines=True, silent=True) as progress:
        progress("run", 1, 4)
    assert terminal.getvalue() == ""


def test_the_bar_tells_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    now = 100.0
    monkeypatch.setattr("pi_bench.cli.progress.time.monotonic", lambda: now)
    with Progress() as progress:
        progress("epoch", 40, 100)  # a resumed run: its first 40 took no time
        for later_s, done in ((1, 41), (10, 50), (20, 60)):
            now = 100.0 + later_s
            progress("epoch", done, 100)
        last = shown(terminal)[-1]
        progress("check", 0, 10)
        progress("check with a text that is longer than the terminal is wide, so that it is cut", 5, 10)
    assert last.endswith("60/100 epoch 0:40 left")
    steps = shown(terminal)
    assert not any("left" in step for step in steps if "check" in step or "41/100" in step)
    assert max(map(len, steps)) <= 70
