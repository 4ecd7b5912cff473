"""Carries out a schedule by the other methods of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pi_bench.channel.schedule import Item, ReceiveItem, SendItem, WorkItem

if TYPE_CHECKING:
    from pi_bench.protocol.session import SessionLike


def carry_out_item(session: SessionLike, item: Item) -> None:
    """Sends, receives or computes what an item of a schedule says, within its step.

    >>> from pi_bench.protocol import Party
    >>> from pi_bench.testing import memory_sessions
    >>> sessions, buffer = memory_sessions(), bytearray(4)
    >>> carry_out_item(sessions[Party.CLIENT], SendItem(2, "", (memoryview(b"f"), memoryview(b"our"))))
    >>> carry_out_item(sessions[Party.SERVER], ReceiveItem(2, "", memoryview(buffer)))
    >>> buffer
    bytearray(b'four')

    Raises what `SessionLike.send`, `SessionLike.receive_into` or the work raises.
    """
    with session.step(item.step, item.part):
        match item:
            case SendItem():
                session.send(*item.buffers)
            case ReceiveItem():
                session.receive_into(item.buffer)
            case WorkItem():
                item.work()
