"""Measures inferences with a server on another machine: starts the client alone, and leads it.

The client learns the public program from the server, as the client of `pi-bench infer` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pi_bench.launch.connected_client import SERVER_SHARE
from pi_bench.launch.expected_logits import ExpectedLogits
from pi_bench.launch.measurement import LatencyOptions, Measurement, Run
from pi_bench.launch.party_records import ClientRun, ServerPhase, SetUpRecord, record_of
from pi_bench.launch.placement import Placement
from pi_bench.launch.processes import START_TIMEOUT_S, Parties
from pi_bench.launch.requests import ConnectRequest
from pi_bench.launch.stopping import Stopping
from pi_bench.launch.timed_runs import RunningSession
from pi_bench.launch.timelines import InferenceTimelines
from pi_bench.launch.verification import RunVerifier
from pi_bench.network.program import Program
from pi_bench.network.program.codec import program_from_bytes
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions
from pi_bench.registry import find_protocol


@dataclass(frozen=True, slots=True)
class Contact:
    """The answer of a server that was reached.

    Attributes:
        server: the fields of the `ServerDescription`, without the record of the set-up.

    ```python
    def words(contact: Contact) -> str:
        return f"{contact.program.name} on {contact.server['cpu_model']}"
    ```
    """

    program: Program
    digest: str
    info: ProtocolInfo
    options: ProtocolOptions
    server: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """The input of the runs, and the checks of each run.

    >>> Checked(np.zeros((1, 4))).verifier is None
    True
    """

    inputs: np.ndarray  # float, of the input's shape
    verifier: RunVerifier | None = None
    expected: ExpectedLogits | None = None


class ConnectedSession(RunningSession):
    """The client of a measurement as a process, and its session with a server on another machine.

    Args:
        prepare: makes the input and the checks for the program of the server. An error of it ends the session
            before the first run.
        waiting: called once if the server, which has one client at a time, does not answer at once.
        trace: as in `LatencyOptions`.

    ```python
    def run_once(request: ConnectRequest, inputs: np.ndarray) -> Run:
        place, once = Placement(1, (), ()), Stopping(runs=1)
        with ConnectedSession(request, place, once, lambda contact: Checked(inputs), print) as session:
            run = session.run()
            session.end()
        return run
    ```
    """

    keeps_runs_of_failures = True

    def __init__(
        self,
        request: ConnectRequest,
        placement: Placement,
        stopping: Stopping,
        prepare: Callable[[Contact], Checked],
        waiting: Callable[[], None],
        *,
        trace: bool = False,
    ) -> None:
        super().__init__(Parties(placement, request.timeout_s), stopping)
        self._request, self._placement = request, placement
        self._prepare, self._waiting, self._trace = prepare, waiting, trace
        self._contact: Contact | None = None
        self._checked: Checked | None = None

    @property
    def contact(self) -> Contact:
        """The answer of the server. It exists from the start of the context on."""
        assert self._contact is not None, "the context has not started"
        return self._contact

    @property
    def options(self) -> LatencyOptions:
        """The options of the measurement, which the server offers."""
        return LatencyOptions(self.contact.options, self.stopping, self._request.timeout_s, trace=self._trace)

    def end(self) -> None:
        """Ends the session with the server, and waits until both parties have compared their checksums."""
        self._parties.send(Party.CLIENT, "end", {})
        self._parties.receive(Party.CLIENT, "ended")

    def _start(self) -> Measurement:
        parties, started = self._parties, time.perf_counter()
        parties.start(Party.CLIENT)
        parties.receive(Party.CLIENT, "started", START_TIMEOUT_S)
        parties.send(Party.CLIENT, "connect", self._request.as_fields())
        found, arrays = parties.receive(Party.CLIENT, "contact")
        if found["busy"]:
            self._waiting()
            found, arrays = parties.receive(Party.CLIENT, "contact")
        start_s, set_up = time.perf_counter() - started, record_of(SetUpRecord, found["set_up"])
        self._contact = _contact(found, arrays, self._placement.threads)
        self._checked = self._prepare(self._contact)
        parties.send(Party.CLIENT, "input", {}, {"input": self._checked.inputs})
        probed, _ = parties.receive(Party.CLIENT, "probed")
        return Measurement(
            start_s=start_s,
            prepare_s=self._contact.server["prepare_s"],
            weight_cache_bytes=self._contact.server["weight_cache_bytes"],
            set_up_s=set_up.set_up_s,
            handshake_s=set_up.handshake_s,
            client_set_up=set_up.record,
            server_set_up=record_of(ServerPhase, found["server_set_up"]).record,
            placement=self._placement,
            probed_link=probed,
        )

    def _timelines(self) -> InferenceTimelines:
        self._parties.send(Party.CLIENT, "timelines", {})
        found, _ = self._parties.receive(Party.CLIENT, "timelines")
        return record_of(InferenceTimelines, found)

    def _run_once(self, fields: dict[str, Any]) -> tuple[Run, np.ndarray]:
        assert self._checked is not None
        self._parties.send(Party.CLIENT, "run", fields)
        done, arrays = self._parties.receive(Party.CLIENT, "done")
        logits, output = arrays.pop("logits"), arrays.pop("output")
        verifier, expected = self._checked.verifier, self._checked.expected
        error, failure = (None, None) if expected is None else expected.compare(logits)
        client = record_of(ClientRun, done)
        assert client.server is not None, "a server on another machine reports to its client"
        verdict = None if verifier is None else verifier.verify(*_shares(arrays), output)
        return Run(client, client.server, verdict, error, failure), logits


def _contact(found: dict[str, Any], arrays: dict[str, np.ndarray], threads: int) -> Contact:
    offer, server = found["offer"], found["description"]
    info = find_protocol(offer["protocol"])
    options = info.configure(
        offer["mode"],
        offer["options"],
        threads=threads,
        weight_cache_bytes=server["weight_cache_bytes"],
        ahead=offer["ahead"],
    )
    return Contact(
        program_from_bytes(arrays["program"].tobytes()), offer["digest"], info, options, dict(server)
    )


def _shares(arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns the shares of the client and of the server."""
    client = {name: share for name, share in arrays.items() if not name.startswith(SERVER_SHARE)}
    server = {name: share for name, share in arrays.items() if name.startswith(SERVER_SHARE)}
    return client, {name.removeprefix(SERVER_SHARE): share for name, share in server.items()}
