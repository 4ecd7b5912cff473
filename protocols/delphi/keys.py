"""Set-up, once a connection: the HE public key and the base OTs of the reverse direction.

    client                                   server
      HE public key  ----------------------->
                     <-------  base-OT message of the OT sender
      base-OT reply  ----------------------->
                     <-------  GGM tree corrections

The client is the *sender* of the reverse OT extension and so the *receiver* of its base OTs, with
the complement of its own delta as choice bits. The label direction needs no base OTs of its own:
128 OTs of the reverse extension seed a fresh instance, with a fresh delta, for every inference
(docs/threat-model.md, oblivious transfer).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pi_bench.crypto.base_ot import BASE_OT_MESSAGE_BYTES, BaseOtReceiver, BaseOtSender, base_ot_reply_bytes
from pi_bench.crypto.he import PUBLIC_KEY_BYTES, HeClient, HeServer
from pi_bench.crypto.ot_extension import TREE_MESSAGE_BYTES, CotReceiver, CotSender
from pi_bench.crypto.secret import SecretBytes
from pi_bench.protocol import SessionLike
from pi_bench.protocol.work_plan import KAPPA


@dataclass(slots=True)
class ClientKeys:
    he: HeClient
    reverse: CotSender

    def close(self) -> None:
        self.he.close()
        self.reverse.close()


@dataclass(slots=True)
class ServerKeys:
    he: HeServer
    reverse: CotReceiver

    def close(self) -> None:
        self.reverse.close()


def client_set_up(session: SessionLike) -> ClientKeys:
    """Sends the HE public key and receives the base OTs."""
    with session.step(-1, "he"):
        he = HeClient()
        session.send(he.public_key)
    with session.step(-1, "ot"):
        delta = SecretBytes.random(KAPPA // 8)
        choices = np.unpackbits(~delta.view(), bitorder="little")
        receiver = BaseOtReceiver(_context(session), session.receive(BASE_OT_MESSAGE_BYTES), choices)
        session.send(receiver.reply)
        corrections = session.receive(TREE_MESSAGE_BYTES)
        reverse = CotSender(delta, receiver.keys, corrections)
    return ClientKeys(he, reverse)


def server_set_up(session: SessionLike) -> ServerKeys:
    """Receives the HE public key and sends the base OTs."""
    with session.step(-1, "he"):
        he = HeServer(session.receive(PUBLIC_KEY_BYTES))
    with session.step(-1, "ot"):
        sender = BaseOtSender(_context(session))
        session.send(sender.message)
        reverse = CotReceiver(sender.keys(session.receive(base_ot_reply_bytes(KAPPA))))
        session.send(reverse.tree_message)
    return ServerKeys(he, reverse)


def _context(session: SessionLike) -> bytes:
    """Binds the base-OT keys to protocol, direction and session."""
    return b"pi-bench/delphi/reverse/" + session.context
