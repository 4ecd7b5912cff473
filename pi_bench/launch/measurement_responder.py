"""Answers a client that measures: describes this machine, and sends the records of its inferences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pi_bench.errors import PeerError
from pi_bench.metrics.environment import describe_environment
from pi_bench.network.program import Program
from pi_bench.session import Phase, PhaseRecord, Session
from pi_bench.session.server_figures import send_description, send_insecure_shares, send_records, share_names

VERIFY = 1


@dataclass(frozen=True, slots=True)
class MeasuringTerms:
    """Lists the data that a server sends to clients that measure.

    Attributes:
        insecure_verify: whether it sends its shares, which reveal its weights.

    >>> MeasuringTerms().insecure_verify
    False
    """

    insecure_verify: bool = False


class MeasurementResponder:
    """Keeps the records of the last inference of one client, and answers the client's questions.

    Args:
        terms: None refuses every question.
        facts: threads, bytes of the weight cache and seconds of preparation, for the description.

    ```python
    def refuses(session: Session, program: Program) -> bool:
        client = MeasurementResponder(session, program, None, {})
        try:
            client.begin(0)
        except PeerError:
            return True
        return False
    ```
    """

    def __init__(
        self, session: Session, program: Program, terms: MeasuringTerms | None, facts: Mapping[str, float]
    ) -> None:
        self._session, self._program, self._terms, self._facts = session, program, terms, facts
        self._records: dict[Phase, PhaseRecord] = {}
        self._storage_bytes = 0
        self._shares: dict[str, np.ndarray] | None = None
        self.active = False
        self.wants_shares = False

    def keep(self, record: PhaseRecord, storage_bytes: int, shares: dict[str, np.ndarray] | None) -> None:
        """Keeps the record of a phase, and with it the size of the preprocessing or the shares."""
        if self._terms is None:
            return
        self._records[record.phase] = record
        if record.phase is Phase.OFFLINE:
            self._storage_bytes = storage_bytes
        self._shares = shares

    def begin(self, flags: int) -> None:
        """Answers the command MEASURE.

        Raises:
            PeerError: this server does not measure, or does not give its shares.
        """
        if self._terms is None:
            raise PeerError(
                "this server does not answer `pi-bench latency --connect`; start it with `pi-bench serve "
                "--measure`"
            )
        if flags not in (0, VERIFY):
            raise PeerError(f"the client asks to measure with the unknown flags {flags}")
        if flags == VERIFY and not self._terms.insecure_verify:
            raise PeerError(
                "the client asks with --insecure-verify for the shares of this server, which gives them only "
                "if it was started with --insecure-verify too"
            )
        self.active, self.wants_shares = True, flags == VERIFY
        send_description(
            self._session, {**describe_environment(), **self._facts}, self._records[Phase.SET_UP]
        )

    def send_records(self, inference_id: int) -> None:
        """Answers the command RECORDS. Raises: PeerError."""
        records = [self._records.get(phase) for phase in (Phase.OFFLINE, Phase.ONLINE)]
        offline, online = records
        if offline is None or online is None or {offline.inference_id, online.inference_id} != {inference_id}:
            raise PeerError(
                f"the client asks for the records of inference {inference_id}, which are not there"
            )
        send_records(self._session, offline, online, self._storage_bytes)

    def send_shares(self, inference_id: int) -> None:
        """Answers the command SHARES. Raises: PeerError."""
        shares, self._shares = self._shares, None
        if (
            not self.wants_shares
            or shares is None
            or self._records[Phase.ONLINE].inference_id != inference_id
        ):
            raise PeerError(
                f"the client asks for the shares of inference {inference_id}, which are not there"
            )
        missing = [name for name in share_names(self._program) if name not in shares]
        if missing:
            raise PeerError(f"this protocol keeps no share {missing[0]}, so its runs cannot be verified")
        send_insecure_shares(self._session, self._program, shares)
