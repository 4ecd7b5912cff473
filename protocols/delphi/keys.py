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

import contextlib
from dataclasses import dataclass

from pi_bench.crypto.base_ot import MESSAGE_BYTES, BaseOtReceiver, BaseOtSender, ot_context, reply_bytes
from pi_bench.crypto.he import PUBLIC_KEY_BYTES, HeClient, HeServer
from pi_bench.crypto.ot_extension import (
    COT_BITS,
    TREE_MESSAGE_BYTES,
    CotReceiver,
    CotSender,
    base_choice_bits,
    random_delta,
)
from pi_bench.crypto.secret import wipe
from pi_bench.protocol import SessionLike


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
    with contextlib.ExitStack() as on_failure:
        with session.step(-1, "he"):
            he = on_failure.enter_context(HeClient())
            session.send(he.public_key)
        with session.step(-1, "ot"), random_delta(label=False) as delta:
            message = session.receive(MESSAGE_BYTES)
            receiver = BaseOtReceiver(_context(session), message, base_choice_bits(delta))
            session.send(receiver.reply)
            reverse = CotSender(delta, receiver.keys, session.receive(TREE_MESSAGE_BYTES))
            wipe(receiver.keys)
        on_failure.pop_all()
        return ClientKeys(he, reverse)


def server_set_up(session: SessionLike) -> ServerKeys:
    """Receives the HE public key and sends the base OTs."""
    with session.step(-1, "he"):
        he = HeServer(session.receive(PUBLIC_KEY_BYTES))
    with session.step(-1, "ot"):
        sender = BaseOtSender(_context(session))
        session.send(sender.message)
        keys = sender.keys(session.receive(reply_bytes(COT_BITS)))
        with contextlib.ExitStack() as on_failure:
            reverse = on_failure.enter_context(CotReceiver(keys))
            wipe(keys)
            session.send(reverse.tree_message)
            on_failure.pop_all()
    return ServerKeys(he, reverse)


def _context(session: SessionLike) -> bytes:
    """Binds the base-OT keys to protocol, direction and session."""
    return ot_context(session.binding, "delphi reverse")
