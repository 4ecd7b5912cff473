"""The client party: connects, learns the public program, preprocesses, infers.

It is given an address and an input, never a model. `latency` and `infer` run the same code.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import msgspec
import numpy as np

from pi_bench.channel import Address
from pi_bench.channel.link import Pace
from pi_bench.errors import InputError, PeerError, PiBenchError, UsageError
from pi_bench.launch.agreement import agree_with_server
from pi_bench.network.program.codec import program_from_bytes
from pi_bench.network.program.fixed_point import decode_output, encode_input
from pi_bench.protocol import Preprocessing, ProtocolInfo, ShareTrace
from pi_bench.session import Phase, PhaseRecord, Session
from pi_bench.session.commands import Command, receive_ready, send_command
from pi_bench.session.handshake import Agreement, ClientRequirements
from pi_bench.session.integrity import compare_checksums


class OfflineReport(msgspec.Struct, frozen=True):
    """Reports the offline phase at the client, per inference.

    Attributes:
        time_s: time until both parties have finished, divided by the number of inferences.
        record: that of the phase, per inference.
        storage_bytes: size of the preprocessing that the client keeps for one inference.
        ahead: the number of inferences that the phase has prepared.

    ```python
    def offline_s(client: Client) -> float:
        return client.preprocess().time_s
    ```
    """

    time_s: float
    record: PhaseRecord
    storage_bytes: int
    ahead: int = 1

    @property
    def phase_s(self) -> float:
        """The time of the whole phase."""
        return self.time_s * self.ahead


class OnlineReport(msgspec.Struct, frozen=True):
    """Reports the online phase of one inference at the client.

    Attributes:
        material_load_s: time from the request for the online phase until both parties have their material.
        latency_s: time from the float input in memory to the float logits in memory, without
            `material_load_s`.

    ```python
    def online_s(client: Client, inputs: np.ndarray) -> float:
        client.preprocess()
        return client.infer(inputs).report.latency_s
    ```
    """

    material_load_s: float
    latency_s: float
    record: PhaseRecord


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """Holds the network's answer to one input, and the report of the online phase that computed it.

    ```python
    def class_id(client: Client, inputs: np.ndarray) -> int:
        client.preprocess()
        return int(client.infer(inputs).logits.argmax())
    ```
    """

    report: OnlineReport
    output: np.ndarray  # uint32, the output's shape
    logits: np.ndarray  # float64, the output's shape
    shares: Mapping[str, np.ndarray]  # those of a `ShareTrace`; empty unless they were asked for


class Client:
    """Client of one connection. Errors and `close` burn preprocessing that was not used.

    Raises:
        PeerError: the server offers options that its protocol does not have.

    ```python
    def ask(address: str, inputs: np.ndarray) -> np.ndarray:
        where, requirements = Address.parse(address), ClientRequirements()
        with Client.connect(where, requirements, threads=1, timeout_s=120.0) as client:
            client.set_up()
            client.preprocess()
            logits = client.infer(inputs).logits
            client.end()
        return logits
    ```
    """

    def __init__(self, session: Session, agreement: Agreement, info: ProtocolInfo, threads: int) -> None:
        self.session = session
        self.agreement = agreement
        self.info = info
        offer = agreement.offer
        self.program = program_from_bytes(offer.program)
        try:
            options = info.configure(offer.mode, offer.options, threads=threads, ahead=offer.ahead)
            info.require(self.program, options)
        except UsageError as error:
            raise PeerError(f"the server offers options that do not fit: {error}") from error
        if options.values != offer.options:
            raise PeerError("the server leaves out an option; install the same version at both parties")
        _require_constants(dict(info.constants), offer.constants)
        self.notes = info.notes_of(self.program, options)
        self._protocol = info.client(session, self.program, options, None)
        self._materials: deque[Preprocessing] = deque()
        self._preprocessed_count = 0
        self._inference_id = 0

    @classmethod
    def connect(
        cls,
        address: Address,
        requirements: ClientRequirements,
        *,
        threads: int,
        timeout_s: float,
        waiting: Callable[[], None] | None = None,
        poll_s: float = 0.0,
        pace: Pace | None = None,
    ) -> Client:
        """Connects and agrees with the server on the protocol, its options and the program.

        Args:
            waiting: called once if the server, which has one client at a time, does not answer at once.
            poll_s: as in `Channel`.
            pace: as in `Channel`.

        Raises:
            ConnectionFailedError: the server cannot be reached, or does not answer in time.
            PeerError: the server does not meet the requirements, or breaks the protocol.
        """
        session, agreement, info = agree_with_server(
            address, requirements, timeout_s=timeout_s, waiting=waiting, poll_s=poll_s, pace=pace
        )
        try:
            return cls(session, agreement, info, threads)
        except BaseException:
            session.close()
            raise

    @property
    def inference_id(self) -> int:
        """The number of the last inference that was run or dropped, or 0."""
        return self._inference_id

    @property
    def preprocessed_count(self) -> int:
        """The number of inferences that were preprocessed in this session, used or not."""
        return self._preprocessed_count

    @property
    def ready_count(self) -> int:
        """The number of inferences that are preprocessed and not used yet."""
        return len(self._materials)

    def set_up(self) -> PhaseRecord:
        """Makes keys and base OTs with the server."""
        with self.session.phase(Phase.SET_UP, 0) as records:
            self._protocol.set_up()
            self.session.flush()
        return records[0]

    def require_input(self, inputs: np.ndarray) -> None:
        """Refuses an input that does not fit, before any work. Raises: InputError."""
        encode_input(self.program, inputs)

    def preprocess(self, trace: ShareTrace | None = None) -> OfflineReport:
        """Runs the offline phase of the next inferences, as many as both parties agreed on (`ahead`).

        Both parties burn preprocessing that was not used.

        Args:
            trace: gets the client's shares of the first of these inferences. Those of the others are kept,
                too, and `infer` returns them.
        """
        self._burn()
        first_id = self._preprocessed_count + 1
        self.session.trace = trace
        started = time.perf_counter()
        send_command(self.session, Command.PREPROCESS, first_id)
        with self.session.phase(Phase.OFFLINE, first_id) as records:
            self._materials.extend(self._protocol.preprocess_ahead(first_id))
            self.session.flush()
        self._preprocessed_count += len(self._materials)
        receive_ready(self.session)
        time_s = time.perf_counter() - started
        count = len(self._materials)
        record = records[0].per_inference(count)
        return OfflineReport(time_s / count, record, self._materials[0].storage_bytes, count)

    def drop(self) -> None:
        """Burns the preprocessing of the next inference, and leaves that of the inferences after it.

        The server burns its part when the next inference runs.
        """
        if not self._materials:
            raise RuntimeError("no inference is preprocessed")
        material = self._materials.popleft()
        self._inference_id = material.inference_id
        material.burn()

    def infer(self, inputs: np.ndarray) -> Inference:
        """Runs the online phase on the preprocessing of the next inference, which is used up by it.

        The answer is returned only after both parties have compared their checksums, which the latency does
        not include.

        Args:
            inputs: float, of the program's input shape.

        Raises:
            InputError: the input does not fit. Nothing was sent.
            PeerError: the server breaks the protocol, or the connection changed a message.
            ConnectionFailedError: the server is lost or silent.
        """
        if not self._materials:
            raise RuntimeError("preprocess comes before infer")
        self.require_input(inputs)  # refused before anything is used up
        material = self._materials.popleft()
        self._inference_id = material.inference_id
        self.session.trace = material.trace or self.session.trace
        try:
            asked = time.perf_counter()
            send_command(self.session, Command.INFER, self._inference_id)
            receive_ready(self.session)
            material_load_s = time.perf_counter() - asked
            with self.session.phase(Phase.ONLINE, self._inference_id) as records:
                started = time.perf_counter()
                with self.session.step(self.program.input.id):
                    encoded = encode_input(self.program, inputs)
                output = self._protocol.infer(material, encoded)
                assert output is not None
                with self.session.step(self.program.output.id):
                    logits = decode_output(self.program, output)
                latency_s = time.perf_counter() - started
                self.session.flush()
        finally:
            material.burn()
        compare_checksums(self.session)
        shares = {} if self.session.trace is None else self.session.trace.arrays
        return Inference(OnlineReport(material_load_s, latency_s, records[0]), output, logits, shares)

    def end(self) -> None:
        """Ends the session, after both parties have checked that every message arrived as it was sent.

        Raises:
            PeerError: a message was changed, or the server breaks the protocol.
            ConnectionFailedError: the server is lost or silent.
        """
        send_command(self.session, Command.END, self._preprocessed_count)
        compare_checksums(self.session)
        self.session.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PiBenchError):
            self.session.abort(_text_for_the_server(error))
        self.close()

    def close(self) -> None:
        """Burns preprocessing that was not used, wipes the secrets of the protocol and closes the
        connection.
        """
        self._burn()
        self._protocol.close()
        self.session.close()

    def _burn(self) -> None:
        while self._materials:
            self._materials.popleft().burn()


def _require_constants(own: Mapping[str, str], offered: Mapping[str, str]) -> None:
    for name in sorted(own.keys() | offered.keys()):
        here, there = own.get(name, "none"), offered.get(name, "none")
        if here != there:
            raise PeerError(
                f"the {name} are {there} at the server and {here} at this client, so their messages would "
                "differ; install the same build of pi-bench at both parties"
            )


def _text_for_the_server(error: PiBenchError) -> str:
    """Says why the client leaves, never in the error's own text, which may quote the input."""
    if isinstance(error, InputError):
        return "the client's input does not fit this network (its shape, type or range)"
    if isinstance(error, PeerError):
        return "the client found the server's messages against the protocol"
    return "the client failed"
