"""Both parties of a protocol in one process, phase by phase."""

from __future__ import annotations

from collections import deque
from typing import Self

import numpy as np

from pi_bench.network.program import Program, Weights
from pi_bench.protocol import Party, PartyProtocol, Preprocessing, ProtocolInfo, ProtocolOptions
from pi_bench.testing.memory_session import RECEIVE_TIMEOUT_S, SentMessage, memory_sessions
from pi_bench.testing.sub_protocol import party_threads, run_at_both


class TwoParties:
    """Runs both parties of a protocol on one session in memory.

    It is a context manager. Entering it runs the set-up. Leaving it burns unused material and wipes the
    protocol's secrets. `preprocess` and `infer` run both parties at once. With ``options.ahead`` above 1,
    every so many calls of `preprocess` run an offline phase. `prepared` is that of
    `PartyProtocol`. `timeout_s` bounds how long a party waits for a message. None sets no bound, as a
    debugger needs. Every message is appended to the list `transcript`. `binding` is random by default.

    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> with TwoParties(find_protocol("ideal"), program, weights, ProtocolOptions("exact")) as parties:
    ...     materials = parties.preprocess()
    ...     output = parties.infer(materials, np.zeros((1, 2), np.uint32))
    >>> output
    array([[0]], dtype=uint32)
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
        self.sessions = memory_sessions(binding=binding, transcript=transcript, timeout_s=timeout_s)
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
        self._ahead: deque[dict[Party, Preprocessing]] = deque()
        self._threads = party_threads()

    def __enter__(self) -> Self:
        try:
            run_at_both(self.sessions, self._threads, lambda party: self._sides[party].set_up())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the session, burns unused material and wipes the protocol's secrets."""
        for session in self.sessions.values():
            session.hang_up()
        for thread in self._threads.values():
            thread.shutdown()
        for material in self._materials:
            material.burn()
        for side in self._sides.values():
            side.close()

    def preprocess(self) -> dict[Party, Preprocessing]:
        """Returns the material of the next inference, after its offline phase if there is none yet."""
        if self._ahead:
            return self._ahead.popleft()
        number = self._inference_count

        def step(party: Party) -> list[Preprocessing]:
            materials = self._sides[party].preprocess_ahead(number)
            self._materials += materials
            return materials

        self._begin(f"offline {number}")
        made = run_at_both(self.sessions, self._threads, step)
        for client, server in zip(made[Party.CLIENT], made[Party.SERVER], strict=True):
            self._ahead.append({Party.CLIENT: client, Party.SERVER: server})
        self._inference_count += len(self._ahead)
        return self._ahead.popleft()

    def infer(self, materials: dict[Party, Preprocessing], encoded: np.ndarray) -> np.ndarray:
        """Runs the online phase and returns the client's output, uint32 of the output's shape.

        Raises:
            RuntimeError: a party did not claim its material.
        """
        self._begin(f"online {materials[Party.CLIENT].inference_id}")
        given = {Party.CLIENT: encoded, Party.SERVER: None}
        outputs = run_at_both(
            self.sessions,
            self._threads,
            lambda party: self._sides[party].infer(materials[party], given[party]),
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
