"""Traces one inference: the client asks the server for its timelines, and compares both clocks.

The traced inference comes after the timed ones and counts for nothing, so that tracing changes no figure.

    client                                server
      CLOCK                  ->  <-       the first reading of the clock
      TRACE, inference       ->
      PREPROCESS, INFER      ->  <-       as in every inference
      CLOCK                  ->  <-       the second reading
      TIMELINES, inference   ->  <-       the server's timelines
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from pi_bench.launch.client import Client
from pi_bench.metrics.timeline import Interval, PhaseTimeline
from pi_bench.protocol import Party
from pi_bench.session import Phase
from pi_bench.session.clock import ClockComparison, ClockReading, read_clock_as_client
from pi_bench.session.commands import Command, send_command
from pi_bench.session.timeline_messages import receive_timelines


class InferenceTimelines(msgspec.Struct, frozen=True, kw_only=True):
    """Holds the timelines of both parties in one inference, each on its own clock: the message ``timelines``.

    >>> reading = ClockReading(server_ns=1_000, offset_ns=400, uncertainty_ns=20)
    >>> phase = PhaseTimeline(start_ns=1_000, end_ns=2_000, intervals=[])
    >>> both = InferenceTimelines(
    ...     clock=ClockComparison(reading, reading), client={}, server={Phase.ONLINE: phase}
    ... )
    >>> both.on_client_clock(Party.SERVER, Phase.ONLINE).start_ns
    600
    """

    clock: ClockComparison
    client: dict[Phase, PhaseTimeline]
    server: dict[Phase, PhaseTimeline]

    def on_client_clock(self, party: Party, phase: Phase) -> PhaseTimeline:
        """Returns the timeline of one party in one phase, with its times on the client's clock."""
        if party is Party.CLIENT:
            return self.client[phase]
        timeline, to_client = self.server[phase], self.clock.to_client
        return PhaseTimeline(
            start_ns=to_client(timeline.start_ns),
            end_ns=to_client(timeline.end_ns),
            intervals=[_moved(interval, self.clock) for interval in timeline.intervals],
            lost_count=timeline.lost_count,
        )


def _moved(interval: Interval, clock: ClockComparison) -> Interval:
    return msgspec.structs.replace(
        interval, start_ns=clock.to_client(interval.start_ns), end_ns=clock.to_client(interval.end_ns)
    )


@dataclass(frozen=True, slots=True)
class Tracing:
    """Traces the next inference of a client.

    ```python
    import numpy as np

    def traced(client: Client, inputs: np.ndarray) -> InferenceTimelines:
        tracing = Tracing.begin(client)
        client.preprocess()
        client.infer(inputs)
        return tracing.end()
    ```
    """

    client: Client
    before: ClockReading

    @classmethod
    def begin(cls, client: Client) -> Tracing:
        """Reads the clock, and lets both parties keep the timelines of the next inference.

        Raises:
            PeerError: the server does not measure, or breaks the protocol.
            ConnectionFailedError: the server is lost or silent.
        """
        before = read_clock_as_client(client.session)
        send_command(client.session, Command.TRACE, client.preprocessed_count + 1)
        client.session.timelines = {}
        return cls(client, before)

    def end(self) -> InferenceTimelines:
        """Reads the clock again, and receives the timelines of the server. Raises as `begin` does."""
        session = self.client.session
        own, session.timelines = session.timelines, None
        after = read_clock_as_client(session)
        send_command(session, Command.TIMELINES, self.client.inference_id)
        found = receive_timelines(session, self.client.program)
        return InferenceTimelines(clock=ClockComparison(self.before, after), client=own or {}, server=found)
