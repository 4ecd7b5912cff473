"""Sends the server's timelines of one inference to the client, as typed messages between the phases.

    client                                server
      TRACE, inference       ->           keeps the timelines of this inference, which is the next one
      ...                                 (offline and online phase)
      TIMELINES, inference   ->
                             <-           the timeline of the offline phase
                             <-           the timeline of the online phase

Timelines are JSON of bounded size, and the receiver checks every field. Their times are those of the server's
clock. `pi_bench.session.clock` converts them, and nothing else compares them with times of the client.
"""

from __future__ import annotations

from collections.abc import Mapping

from pi_bench.errors import PeerError
from pi_bench.metrics.timeline import PhaseTimeline
from pi_bench.network.program import Program
from pi_bench.session.phase_record import Phase
from pi_bench.session.server_figures import receive_document, send_document
from pi_bench.session.session import Session

PHASES = (Phase.OFFLINE, Phase.ONLINE)


def send_timelines(session: Session, timelines: Mapping[Phase, PhaseTimeline]) -> None:
    """Sends the timelines of one inference, which has both phases.

    ```python
    def answer(session: Session) -> None:
        send_timelines(session, session.timelines or {})
    ```

    Raises:
        PeerError: a phase has not run, or its timeline is too large.
    """
    missing = [phase for phase in PHASES if phase not in timelines]
    if missing:
        raise PeerError(f"the client asks for the timeline of the {missing[0]} phase, which is not there")
    for phase in PHASES:
        send_document(session, timelines[phase], "intervals")


def receive_timelines(session: Session, program: Program) -> dict[Phase, PhaseTimeline]:
    """Receives what `send_timelines` sends.

    Raises:
        PeerError: a timeline is malformed, not in order of time, or belongs to another program.
        ConnectionFailedError: the server is silent, or the connection was lost.

    ```python
    def online_intervals(session: Session, program: Program) -> int:
        return len(receive_timelines(session, program)[Phase.ONLINE].intervals)
    ```
    """
    known = {-1, *(op.id for op in program.ops)}
    found = {}
    for phase in PHASES:
        found[phase] = receive_document(session, PhaseTimeline)
        _require_order(found[phase], known)
    return found


def _require_order(timeline: PhaseTimeline, known: set[int]) -> None:
    time_ns = timeline.start_ns
    for interval in timeline.intervals:
        if interval.op_id not in known:
            raise PeerError("the server's timeline names an operator that its program does not have")
        if not interval.part.isprintable():
            raise PeerError("the server's timeline has a text with control characters")
        if not time_ns <= interval.start_ns <= interval.end_ns:
            raise PeerError("the server's timeline is not in order of time")
        time_ns = interval.end_ns
    if time_ns > timeline.end_ns:
        raise PeerError("the server's timeline is not in order of time")
