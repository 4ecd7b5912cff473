"""A session in memory with all that it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pi_bench.network.program import Program, Weights
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions, ShareTrace
from pi_bench.testing.memory_session import MemorySession, SentMessage
from pi_bench.testing.two_parties import RECEIVE_TIMEOUT_S, TwoParties


@dataclass(slots=True)
class MemoryRun:
    """One inference of `run_in_memory`: the output, the shares and the messages of both parties."""

    output: np.ndarray
    traces: dict[Party, ShareTrace]
    transcript: list[SentMessage]  # of this inference
    set_up: list[SentMessage]  # of the session

    def value(self, name: str) -> np.ndarray:
        """Returns the sum of both shares, mod 2^32. `name`: as in `ShareTrace`."""
        total: np.ndarray = self.traces[Party.CLIENT].arrays[name] + self.traces[Party.SERVER].arrays[name]
        return total


def run_in_memory(
    info: ProtocolInfo,
    program: Program,
    weights: Weights,
    inputs: Sequence[np.ndarray],
    options: ProtocolOptions,
    *,
    timeout_s: float | None = RECEIVE_TIMEOUT_S,
    binding: bytes | None = None,
    change: Callable[[MemorySession], None] | None = None,
) -> list[MemoryRun]:
    """Runs one session with an inference for each encoded input, and returns what each left at both parties.

    `change`: called with each session before the set-up, such as to replace its `send` by one that fails.
    Others as in `TwoParties`.

    Raises the error of the party that failed first.
    """
    transcript: list[SentMessage] = []
    parties = TwoParties(
        info, program, weights, options, timeout_s=timeout_s, transcript=transcript, binding=binding
    )
    for session in parties.sessions.values():
        if change is not None:
            change(session)
    runs: list[MemoryRun] = []
    with parties:
        set_up = transcript[:]
        for encoded in inputs:
            traces = {party: ShareTrace() for party in Party}
            for party, session in parties.sessions.items():
                session.trace = traces[party]
            transcript.clear()
            output = parties.infer(parties.preprocess(), encoded)
            runs.append(MemoryRun(output, traces, transcript[:], set_up))
    return runs
