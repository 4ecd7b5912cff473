"""Connects a client to a server, and agrees on protocol, options and program before any secret is made."""

from __future__ import annotations

from collections.abc import Callable

from pi_bench.channel import Address, Channel, connect
from pi_bench.channel.link import Pace
from pi_bench.channel.tcp import CONNECT_TIMEOUT_S
from pi_bench.errors import PeerError, UsageError
from pi_bench.network.program.codec import program_digest, program_from_bytes
from pi_bench.protocol import Party, ProtocolInfo
from pi_bench.registry import find_protocol
from pi_bench.session import Session
from pi_bench.session.handshake import Agreement, ClientRequirements, greet_as_client


def agree_with_server(
    address: Address,
    requirements: ClientRequirements,
    *,
    timeout_s: float,
    waiting: Callable[[], None] | None = None,
    poll_s: float = 0.0,
    pace: Pace | None = None,
) -> tuple[Session, Agreement, ProtocolInfo]:
    """Returns a session with the server, the offer that was agreed on, and the protocol of the offer.

    `waiting`, `poll_s` and `pace` are those of `Client.connect`.

    Raises:
        ConnectionFailedError: the server cannot be reached, or does not answer in time.
        PeerError: the server does not meet the requirements, or breaks the protocol.

    ```python
    def protocol_at(address: str) -> str:
        where, requirements = Address.parse(address), ClientRequirements()
        session, _, info = agree_with_server(where, requirements, timeout_s=5.0)
        session.close()
        return info.title
    ```
    """
    channel = Channel(
        connect(address, min(CONNECT_TIMEOUT_S, timeout_s)),
        timeout_s=timeout_s,
        poll_s=poll_s,
        pace=pace,
    )
    try:
        agreement = greet_as_client(
            channel, requirements, lambda data: program_digest(program_from_bytes(data)), waiting
        )
        try:
            info = find_protocol(agreement.offer.protocol)
        except UsageError as error:
            raise PeerError(f"the server offers a protocol that is not installed here: {error}") from error
        session = Session(channel, Party.CLIENT, session_id=agreement.session_id, binding=agreement.binding)
        return session, agreement, info
    except BaseException:
        channel.close()
        raise
