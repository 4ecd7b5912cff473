"""Compares what was sent with what arrived, before a party returns or reports anything.

    client                                     server
      checksums of its sent, received  ---->
                                       <----   checksums of its sent, received

After an inference both send at once, so no round trip is added: the server's message follows its last
one. At the end of the session the server compares before it sends, so that its message tells the client
that all is well. That this last message arrived whole is told by how the client closes the connection:
without a word, or with the reason why it gives up.

A checksum finds faults of the network, of memory and of drivers. Somebody who changes messages on purpose
sees the handshake that its key is made from; see docs/threat-model.md.
"""

from __future__ import annotations

from pi_bench.errors import PeerError
from pi_bench.session.session import Session


def compare_checksums(session: Session, *, answering: bool = False) -> None:
    """Sends this party's checksums and compares them with those of the other party.

    Both parties must have received everything that was sent before, and be outside a phase. With
    `answering` this party compares first and sends only if nothing differs.

    ```python
    def finish(session: Session) -> None:
        compare_checksums(session)
    ```

    Raises:
        PeerError: a message arrived otherwise than it was sent.
        ConnectionFailedError: the other party is gone or silent.
    """
    sent, received = session.channel.digests()
    if not answering:
        session.send(sent, received)
    theirs = bytes(session.receive(len(sent) + len(received)))
    if theirs != received + sent:
        raise PeerError(
            "the connection changed what was sent: the checksums of the two parties differ, so no result is "
            "given; run again, and if it happens again test the network and the memory of both machines"
        )
    if answering:
        session.send(sent, received)
