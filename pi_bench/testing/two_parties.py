"""Both parties of a protocol in one process, led phase by phase."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

import numpy as np

from pi_bench.network.program import Program, Weights
from pi_bench.protocol import Party, PartyProtocol, Preprocessing, ProtocolInfo, ProtocolOptions
from pi_bench.testing.memory_session import MemorySession, Sent, SentMessage

RECEIVE_TIMEOUT_S = 60.0
_Result = TypeVar("_Result")


class TwoParties:
    """Both parties of a protocol on one session in memory: a context manager, which begins with the set-up.

    `preprocess` and `infer` run both parties at once. Leaving the context burns unused material and wipes
    the protocol's secrets. `prepared`: as in `PartyProtocol`. `timeout_s`: how long a party waits for a
    message; None waits for ever, as a debugger needs. `transcript`: a list that gets every message.
    """

    def __init__(
        self,
        info: ProtocolInfo,
        program: Program,
        weights: Weights,
        options: ProtocolOptions,
        *,
        prepared: object = None,
        timeout_s: float | None = RECEIVE_TIMEOUT_S,
        transcript: list[SentMessage] | None = None,
        binding: bytes | None = None,
    ) -> None:
        binding = os.urandom(32) if binding is None else binding
        queues: dict[Party, queue.Queue[Sent]] = {party: queue.Queue() for party in Party}  # by receiver
        self.sessions = {
            party: MemorySession(party, binding, queues[party], queues[other], transcript, timeout_s)
            for party, other in ((Party.CLIENT, Party.SERVER), (Party.SERVER, Party.CLIENT))
        }
        client, server = self.sessions[Party.CLIENT], self.sessions[Party.SERVER]
        self._sides: dict[Party, PartyProtocol] = {
            Party.CLIENT: info.client(client, program, options, None),
            Party.SERVER: (
                info.server(server, program, options, weights)
                if prepared is None
                else info.server(server, program, options, weights, prepared)
            ),
        }
        self._name = info.name
        self._inference_count = 0
        self._materials: list[Preprocessing] = []
        self._threads = {
            party: ThreadPoolExecutor(1, initializer=_name_thread, initargs=(party.value,)) for party in Party
        }

    def __enter__(self) -> Self:
        try:
            self._both(lambda _, side: side.set_up())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for session in self.sessions.values():
            session.hang_up()
        for thread in self._threads.values():
            thread.shutdown()
        for material in self._materials:
            material.burn()
        for side in self._sides.values():
            side.close()

    def preprocess(self) -> dict[Party, Preprocessing]:
        """Runs the offline phase of the next inference."""
        number, self._inference_count = self._inference_count, self._inference_count + 1

        def step(_: Party, side: PartyProtocol) -> Preprocessing:
            material = side.preprocess(number)
            self._materials.append(material)
            return material

        self._begin(f"offline {number}")
        return self._both(step)

    def infer(self, materials: dict[Party, Preprocessing], encoded: np.ndarray) -> np.ndarray:
        """Runs the online phase and returns the client's output, uint32 of the output's shape.

        Raises:
            RuntimeError: a party did not claim its material.
        """
        self._begin(f"online {materials[Party.CLIENT].inference_id}")
        outputs = self._both(
            lambda party, side: side.infer(materials[party], encoded if party is Party.CLIENT else None)
        )
        for party, material in materials.items():
            if not material.spent:
                raise RuntimeError(
                    f"the {party} of {self._name} did not claim its material; call claim() first"
                )
            self._materials.remove(material)
        output = outputs[Party.CLIENT]
        assert output is not None
        return output

    def _begin(self, phase: str) -> None:
        for session in self.sessions.values():
            session.phase = phase

    def _both(self, call: Callable[[Party, PartyProtocol], _Result]) -> dict[Party, _Result]:
        """Calls both parties at once. Raises the error of the party that failed first."""
        failures: list[BaseException] = []

        def play(party: Party) -> _Result | None:
            try:
                return call(party, self._sides[party])
            except BaseException as error:
                failures.append(error)
                self.sessions[party].hang_up()
                return None

        running = {party: self._threads[party].submit(play, party) for party in Party}
        results = {party: future.result() for party, future in running.items()}
        if failures:
            raise failures[0]
        return results  # type: ignore[return-value]  # None stands for a failure alone


def _name_thread(name: str) -> None:
    threading.current_thread().name = name
