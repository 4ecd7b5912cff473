"""Measures several sides in turns, so that all of them meet the same state of the machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from pi_bench.comparison.ratios import narrow
from pi_bench.comparison.sides import side_of_result
from pi_bench.errors import VerificationError, interruption_code
from pi_bench.launch.latency import MeasuringSession
from pi_bench.progress import Progress, silent
from pi_bench.report.documents.comparison import SessionTimes, Side
from pi_bench.tasks import PreparedTask


def measure_sides(
    tasks: Mapping[str, PreparedTask],
    *,
    rounds: int,
    runs: int,
    most_rounds: int | None = None,
    progress: Progress = silent,
) -> tuple[list[Side], int | None]:
    """Measures every side in `rounds` rounds, each with new processes and `runs` runs per side.

    With `most_rounds` it adds rounds up to that number until the online times of every side give a narrow
    interval of the ratio to those of the first side.

    Within a round the runs of the sides alternate: A B A B. The order changes from round to round. Returns
    the sides, and the exit code of an interruption if Ctrl-C left out rounds. Rounds that are not whole are
    left out.

    Raises:
        VerificationError: an answer was wrong.
        PiBenchError: a party failed.
        KeyboardInterrupt: no round is whole.

    ```python
    def compare(first: PreparedTask, second: PreparedTask) -> list[Side]:
        return measure_sides({"first": first, "second": second}, rounds=10, runs=5)[0]
    ```
    """
    whole: list[dict[str, MeasuringSession]] = []
    interruption = None
    try:
        for number in range(max(rounds, most_rounds or 0)):
            if number >= rounds and _all_narrow(whole):
                break
            progress(f"round {number + 1}", number, max(rounds, number + 1))
            whole.append(_round(tasks, runs, number))
        progress("done", len(whole), len(whole))
    except KeyboardInterrupt as error:
        if not whole:
            raise
        interruption = interruption_code(error)
    return [_side(name, task, [each[name] for each in whole]) for name, task in tasks.items()], interruption


def _all_narrow(whole: Sequence[Mapping[str, MeasuringSession]]) -> bool:
    # Each round has its own order of the sides; the first round has that of the tasks.
    base, *others = (
        [np.array([run.latency_s for run in each[name].measurement.runs]) for each in whole]
        for name in whole[0]
    )
    return all(narrow(each, base) for each in others)


def _round(tasks: Mapping[str, PreparedTask], runs: int, number: int) -> dict[str, MeasuringSession]:
    names = list(tasks)
    order = names[number % len(names) :] + names[: number % len(names)]
    with contextlib.ExitStack() as stack:
        sessions = {name: stack.enter_context(tasks[name].session()) for name in order}
        for name, session in sessions.items():
            if not session.warm_up(silent):
                _refuse(name, session)
        for _ in range(runs):
            for name, session in sessions.items():
                if not session.run().passed:
                    _refuse(name, session)
        for session in sessions.values():
            session.end()
    return sessions


def _refuse(name: str, session: MeasuringSession) -> None:
    failure = session.measurement.runs[-1].failures[0]
    raise VerificationError(f"verification of {name} failed: {failure}")


def _side(name: str, task: PreparedTask, sessions: list[MeasuringSession]) -> Side:
    side = side_of_result(task.result(sessions[0].measurement), name)
    return replace(
        side,
        source="measured",
        sessions=[
            SessionTimes(
                online_s=[run.latency_s for run in session.measurement.runs],
                offline_s=[run.offline_s for run in session.measurement.runs],
            )
            for session in sessions
        ],
    )
