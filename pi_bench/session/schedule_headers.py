"""Writes the headers of a whole schedule before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pi_bench.channel.frame import NO_STEP, OWN_BYTES, own_part
from pi_bench.channel.schedule import Item, SendItem, WorkItem
from pi_bench.protocol.script import NO_OP


def schedule_headers(
    items: Iterable[Item],
    sent_numbers: Mapping[int, int],
    received_numbers: Mapping[int, int],
    depth_sent: int,
    depth_received: int,
) -> bytes:
    """Returns the own part of the header of each item, one after the other. Work has zeros.

    The depth of a received message is the likely one: one more than that of the last message sent. Where it
    differs, the headers after that message are of no use.

    Args:
        sent_numbers, received_numbers: the number of the next message, by the step of its frame.
        depth_sent, depth_received: the depth of the deepest message so far.

    >>> from pi_bench.channel.schedule import ReceiveItem
    >>> items = (SendItem(3, "", (memoryview(b"four"),)), ReceiveItem(3, "", memoryview(bytearray(2))))
    >>> headers = schedule_headers(items, {}, {3: 5}, depth_sent=0, depth_received=0)
    >>> headers == own_part(3, 0, 1, 4) + own_part(3, 5, 2, 2)
    True
    """
    numbers = {True: dict(sent_numbers), False: dict(received_numbers)}
    parts = []
    for item in items:
        if isinstance(item, WorkItem):
            parts.append(bytes(OWN_BYTES))
            continue
        sends = isinstance(item, SendItem)
        if sends:
            depth = depth_received + 1
            depth_sent = max(depth_sent, depth)
        else:
            depth = depth_sent + 1
            depth_received = max(depth_received, depth)
        step = frame_step(item.step)
        number = numbers[sends].get(step, 0)
        numbers[sends][step] = following_number(number)
        parts.append(own_part(step, number, depth, item.byte_count))
    return b"".join(parts)


def frame_step(op_id: int) -> int:
    """Returns the step of a frame for an operator, or for none.

    >>> frame_step(NO_OP) == NO_STEP
    True
    """
    return NO_STEP if op_id == NO_OP else op_id


def following_number(number: int) -> int:
    """Returns the number of the message after this one, within a step and direction.

    >>> following_number(0xFFFF)
    0
    """
    return (number + 1) & 0xFFFF
