"""The set-up, once per connection: the HE public key and the base OTs of the reverse direction.

    client                                   server
      HE public key  ----------------------->
                     <-------  base-OT message of the OT sender
      base-OT reply  ----------------------->
                     <-------  GGM tree corrections

The client is the *sender* of the reverse OT extension, and so the *receiver* of its base OTs, with the
complement of its own delta as choice bits. The label direction needs no base OTs of its own. For every
inference, 128 OTs of the reverse extension seed a fresh instance with a fresh delta (docs/threat-model.md,
oblivious transfer).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from pi_bench.crypto.base_ot import MESSAGE_BYTES, BaseOtReceiver, BaseOtSender, ot_context, reply_bytes
from pi_bench.crypto.he import HeClient, HeServer, public_key_bytes
from pi_bench.crypto.ot_extension import (
    COT_BITS,
    TREE_MESSAGE_BYTES,
    CotReceiver,
    CotSender,
    base_choice_bits,
    random_delta,
)
from pi_bench.crypto.secret import wipe
from pi_bench.hybrid.parts import HE, OT
from pi_bench.protocol import SessionLike
from pi_bench.protocol.script import NO_OP


@dataclass(slots=True)
class ClientKeys:
    """Holds the client's HE key pair and its half of the reverse OT extension, for one connection.

    Attributes:
        protocol: the name of the protocol that uses the keys. It enters every key that is derived later.

    >>> from pi_bench.testing import run_sub_protocol
    >>> client, server = run_sub_protocol(client_set_up, server_set_up)
    >>> len(client.he.public_key) == public_key_bytes(copy_keys=True)
    True
    >>> client.close()
    >>> server.close()
    """

    protocol: str
    he: HeClient
    reverse: CotSender

    def close(self) -> None:
        """Wipes the keys."""
        self.he.close()
        self.reverse.close()


@dataclass(slots=True)
class ServerKeys:
    """Holds the client's HE public key and the server's half of the reverse OT extension.

    >>> from pi_bench.testing import run_sub_protocol
    >>> client, server = run_sub_protocol(client_set_up, server_set_up)
    >>> len(server.reverse.tree_message) == TREE_MESSAGE_BYTES
    True
    >>> client.close()
    >>> server.close()
    """

    protocol: str
    he: HeServer
    reverse: CotReceiver

    def close(self) -> None:
        """Wipes the keys."""
        self.reverse.close()


def client_set_up(
    session: SessionLike, protocol: str = "hybrid", *, even: bool = False, copy_keys: bool = True
) -> ClientKeys:
    """Sends the HE public key and receives the base OTs.

    `protocol` is its name, the same at both parties. With `even`, the lowest bit of delta is 0, as gadgets
    with tables need it. `copy_keys` is that of `HeClient`, the same at both parties.

    The OTs agree with those of the server:

    >>> import numpy as np
    >>> from pi_bench.crypto.ot_extension import LABEL_BYTES
    >>> from pi_bench.testing import run_sub_protocol
    >>> client, server = run_sub_protocol(client_set_up, server_set_up)
    >>> zero_labels, active_labels = (np.empty((128, LABEL_BYTES), np.uint8) for _ in range(2))
    >>> message = server.reverse.extend(bytes(16), 128, active_labels, threads=1)  # every choice is 0
    >>> client.reverse.extend(message, 128, zero_labels, threads=1)
    >>> np.array_equal(zero_labels, active_labels)
    True
    >>> client.close()
    >>> server.close()

    Raises:
        PeerError: the server's message is not valid.
        ConnectionFailedError: no message came in time, or the connection was lost.
    """
    with contextlib.ExitStack() as on_failure:
        with session.step(NO_OP, HE):
            he = on_failure.enter_context(HeClient(copy_keys=copy_keys))
            session.send(he.public_key)
        with session.step(NO_OP, OT), random_delta(label=False, even=even) as delta:
            message = session.receive(MESSAGE_BYTES)
            receiver = BaseOtReceiver(_context(session, protocol), message, base_choice_bits(delta))
            session.send(receiver.reply)
            reverse = CotSender(delta, receiver.keys, session.receive(TREE_MESSAGE_BYTES))
            wipe(receiver.keys)
        on_failure.pop_all()
        return ClientKeys(protocol, he, reverse)


def server_set_up(session: SessionLike, protocol: str = "hybrid", *, copy_keys: bool = True) -> ServerKeys:
    """Receives the HE public key and sends the base OTs. `client_set_up` runs the other party.

    >>> from pi_bench.testing import run_sub_protocol
    >>> _, keys = run_sub_protocol(lambda session: client_set_up(session).close(), server_set_up)
    >>> keys.close()

    Raises:
        PeerError: the client's key or message is not valid.
        ConnectionFailedError: no message came in time, or the connection was lost.
    """
    with session.step(NO_OP, HE):
        he = HeServer(session.receive(public_key_bytes(copy_keys=copy_keys)), copy_keys=copy_keys)
    with session.step(NO_OP, OT):
        sender = BaseOtSender(_context(session, protocol))
        session.send(sender.message)
        keys = sender.keys(session.receive(reply_bytes(COT_BITS)))
        with contextlib.ExitStack() as on_failure:
            reverse = on_failure.enter_context(CotReceiver(keys))
            wipe(keys)
            session.send(reverse.tree_message)
            on_failure.pop_all()
    return ServerKeys(protocol, he, reverse)


def _context(session: SessionLike, protocol: str) -> bytes:
    """Binds the base-OT keys to protocol, direction and session."""
    return ot_context(session.binding, f"{protocol} reverse")
