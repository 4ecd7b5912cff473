"""A session in memory, with its outputs, shares and messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pi_bench.network.program import Program, Weights
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions, ShareTrace
from pi_bench.testing.memory_session import RECEIVE_TIMEOUT_S, MemorySession, SentMessage
from pi_bench.testing.small_network import small_network
from pi_bench.testing.two_parties import TwoParties


@dataclass(slots=True)
class MemoryRun:
    """Holds one inference of `run_in_memory`: the output, the shares and the messages of both parties.

    >>> client, server = ShareTrace(), ShareTrace()
    >>> client.keep_linear(1, np.array([5], np.uint32))
    >>> server.keep_linear(1, np.array([2], np.uint32))
    >>> traces = {Party.CLIENT: client, Party.SERVER: server}
    >>> MemoryRun(np.zeros(1, np.uint32), traces, [], []).value("x:1")
    array([7], dtype=uint32)
    """

    output: np.ndarray
    traces: dict[Party, ShareTrace]
    transcript: list[SentMessage]  # of this inference
    set_up: list[SentMessage]  # of the session

    def value(self, name: str) -> np.ndarray:
        """Returns the sum of both shares of a value, mod 2^32. `name` is that of `ShareTrace`."""
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
    """Runs one session with one inference per encoded input, and returns them.

    The transcript of an inference has an offline phase only if that began with it (``options.ahead``).

    `change` is called with each party's session before the set-up. It may replace a method, such as `send` by
    one that fails. The other arguments are those of `TwoParties`.

    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> inputs = [np.zeros((1, 2), np.uint32)]
    >>> runs = run_in_memory(find_protocol("delphi"), program, weights, inputs, ProtocolOptions("exact"))
    >>> runs[0].output
    array([[0]], dtype=uint32)
    >>> [(str(message.sender), message.op_id) for message in runs[0].transcript if "online" in message.phase]
    [('client', 0), ('server', 2), ('client', 2), ('server', 4)]

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
            materials = parties.preprocess()
            for party, session in parties.sessions.items():
                session.trace = traces[party] = materials[party].trace or traces[party]
            output = parties.infer(materials, encoded)
            runs.append(MemoryRun(output, traces, transcript[:], set_up))
    return runs


def run_small_network(info: ProtocolInfo, mode: str) -> MemoryRun:
    """Runs one inference of `small_network` on the encoded input (100, 200).

    >>> from pi_bench.registry import find_protocol
    >>> run = run_small_network(find_protocol("ideal"), "exact")
    >>> run.output.shape
    (1, 1)
    """
    program, weights = small_network()
    (run,) = run_in_memory(info, program, weights, [np.array([[100, 200]], np.uint32)], ProtocolOptions(mode))
    return run
