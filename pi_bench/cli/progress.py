"""Shows the progress of a command on a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from pi_bench.launch.logs import verbosity

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_BAR_WIDTH = 24
_PACE_AFTER_S = 3.0
_REFRESH_S = 0.1  # a training reports every batch, and drawing must not slow it down


class Progress:
    """Progress bar on standard error, which disappears when it ends.

    If standard error is no terminal, nothing is shown or, with `lines`, one line per step. A dumb terminal
    (TERM=dumb) counts as none. NO_COLOR is respected.

    >>> with Progress(silent=True) as progress:
    ...     progress("run", 0, 5)
    """

    def __init__(
        self,
        *,
        lines: bool = False,
        silent: bool = False,
        left_s: Callable[[], float | None] | None = None,
    ) -> None:
        """Chooses between bar, lines and silence.

        Args:
            lines: print a line for each new step if standard error is no terminal.
            silent: show nothing anywhere.
            left_s: estimates the seconds that are left; None estimates them from the pace so far.
        """
        self._left_s = left_s
        terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._bar = terminal and not silent and not verbosity()  # log messages would break the bar
        self._lines = lines and not terminal and not silent
        self._what = ""
        self._said: dict[str, str] = {}
        self._shown: RichProgress | None = None
        self._task: Any = None
        self._done = 0
        self._drawn_s = 0.0

    @property
    def is_bar(self) -> bool:
        """Whether a bar shows every step."""
        return self._bar

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Clears the bar, so that a line of text can be printed. The next call draws the bar again."""
        if self._shown is not None:
            self._shown.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Shows that `done` of `total` pieces of the step `what` are finished."""
        if self._lines:
            self._say(what)
        if self._bar:
            self._draw(what, done, total)
        self._what = what

    def _say(self, what: str) -> None:
        """Prints a step that is new. Jobs that run at once take turns, and each has steps of its own."""
        job, separator, _ = what.partition(": ")
        job = job if separator else ""
        if self._said.get(job) != what:
            print(what, file=sys.stderr, flush=True)
            self._said[job] = what

    def _draw(self, what: str, done: int, total: int) -> None:
        if self._shown is None:
            self._shown = _rich_progress(self._left_s)
            self._task = self._shown.add_task(what, total=total, completed=done)
        elif done < self._done:  # another thing: its pace is its own
            self._shown.reset(self._task, total=total, completed=done, description=what)
        else:
            self._shown.update(self._task, total=total, completed=done, description=what)
        self._done = done
        if not self._shown.live.is_started:
            self._shown.start()
        elif what == self._what and time.monotonic() - self._drawn_s < _REFRESH_S:
            return
        self._shown.refresh()
        self._drawn_s = time.monotonic()


def clock_text(seconds: float) -> str:
    """Writes a duration as hours, minutes and seconds.

    >>> clock_text(59.9), clock_text(3723)
    ('0:59', '1:02:03')
    """
    hours, minutes = int(seconds) // 3600, int(seconds) // 60 % 60
    return f"{f'{hours}:{minutes:02}' if hours else minutes}:{int(seconds) % 60:02}"


def _rich_progress(left_s: Callable[[], float | None] | None) -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column
    from rich.text import Text

    class Left(ProgressColumn):
        """The time that is left at the pace so far; nothing until there is one."""

        def render(self, task: Any) -> Text:
            seconds = task.time_remaining if left_s is None else left_s()
            if seconds is None or task.finished or task.elapsed is None or task.elapsed < _PACE_AFTER_S:
                return Text("")
            return Text(f"{clock_text(seconds)} left")

    whole = Column(no_wrap=True, overflow="ellipsis")  # a line that wraps could not be taken back
    return RichProgress(
        BarColumn(_BAR_WIDTH),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False, table_column=whole),
        Left(),
        console=Console(file=sys.stderr, highlight=False),
        get_time=lambda: time.monotonic(),
        transient=True,
        auto_refresh=False,  # no thread may run while the parties do
        redirect_stdout=False,
        redirect_stderr=False,
    )
