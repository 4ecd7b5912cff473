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
