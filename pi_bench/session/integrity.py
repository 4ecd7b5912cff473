"""Compares checksums of the sent and the received messages, before a party returns or reports anything.

    client                                     server
      checksums of its sent, received  ---->
                                       <----   checksums of its sent, received

After an inference both parties send at once, right after their last messages. So no round trip is added. At
the end of the session the server compares before it sends, so that its message confirms the comparison to the
client. The client checks this last message too. Then it closes the connection, without a message if the check
passed and with the reason if it failed.

A checksum finds faults of the network, of memory and of drivers. It does not stop an attacker, who sees the
handshake from which its key is made (docs/threat-model.md).
"""

from __future__ import annotations

from pi_bench.errors import PeerError
from pi_bench.session.session import Session


def compare_checksums(session: Session, *, answering: bool = False) -> None:
    """Sends this party's checksums and compares them with those of the other party.

    Both parties must be outside a phase and have received every earlier message. With `answering` this party
    compares first and sends only if nothing differs.

    ```python
    def finish(session: Session) -> None:
        compare_checksums(session)
    ```

    Raises:
        PeerError: a message was changed on its way.
        ConnectionFailedError: the other party is silent, or the connection was lost.
    """
    sent, received = session.channel.digests()
    if not answering:
        session.send(sent, received)
    theirs = bytes(session.receive(len(sent) + len(received)))
    if theirs != received + sent:
        raise PeerError(
            "the connection changed bytes on their way: the checksums of the two parties differ, so no "
            "result is given; run again, and if it happens again test the network and both machines' memory"
        )
    if answering:
        session.send(sent, received)
