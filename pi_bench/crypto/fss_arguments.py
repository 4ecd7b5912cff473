"""Holds the arguments of the FSS gadget's steps: one record per step, and `FssCall`, which most steps take.

Buffers are C-contiguous.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pi_bench.crypto.fss_spec import FssSpec
from pi_bench.crypto.gadget_arguments import Buffer, OutBuffer
from pi_bench.crypto.postponed_ots import ReceiverOts, SenderOts


@dataclass(frozen=True, slots=True)
class FssCall:
    """Holds the gadget of a step, its groups, and the way in which they are computed.

    Attributes:
        gadget: the gadget's number, 0 to 2^24 - 1, unique among the gadgets of an inference.
        first_group: the number of the first group of the buffers, 0 to 2^32 - 1.
        threads: how many threads the step may use.
        isa: one of the names of `symmetric.require_isa`, or "" for the selected one.

    >>> FssCall(FssSpec("relu", 12, 23, False, 4095, 1), gadget=3, first_group=64).threads
    1
    """

    spec: FssSpec
    gadget: int
    first_group: int
    threads: int = 1
    isa: str = ""


# No record of buffers has a repr: it would print keys. Those of the online round are made between two
# messages, and a frozen record takes twice as long to make.


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RequestArguments:
    """Holds the buffers of `request`, the client's first step: its share and bits, its OTs, and four outputs.

    Labels are in buffers, or the step makes all of them by SoftSpoken (`CotSender.postpone`,
    `CotReceiver.extend_within`).

    >>> spec, empty = FssSpec("relu", 12, 13, False, 4095, 1), bytearray()
    >>> v, bits = np.zeros(32, np.uint32), np.zeros(1, np.uint32)
    >>> corrections = bytearray(spec.correction_group_bytes)
    >>> zero, active = np.zeros((1, 2, 32, 16), np.uint8), np.zeros((1, 1, 32, 16), np.uint8)
    >>> arguments = RequestArguments(
    ...     bytes(16), bytes(16), v, bits, zero, active, corrections, bytearray(648), empty, empty)
    >>> "bytearray" in repr(arguments)  # the repr shows no buffer
    False
    """

    delta: Buffer  # 16 bytes, of the reverse OTs; its lowest bit is 0
    hash_seed: Buffer  # 16 bytes, of the inference; both parties have the same
    v: np.ndarray  # uint32 (groups * 32,), the client's share
    bits: np.ndarray  # uint32 (groups * client_bits,), of `draw_bits`
    choice_labels: np.ndarray | SenderOts  # uint8 (groups, choice_ots, 32, 16), zero labels of reverse OTs
    request_labels: np.ndarray | ReceiverOts  # uint8 (groups, request_ots, 32, 16), active label-OT labels
    out_corrections: OutBuffer  # groups * correction_group_bytes, for the server
    out_state: OutBuffer  # groups * client_state_group_bytes
    out_scratch: OutBuffer  # groups * scratch_group_bytes
    out_bundle: OutBuffer  # groups * bundle_group_bytes(1), for the server; empty without a tree


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AnswerArguments:
    """Holds the buffers of `answer`, the server's first step: its choices, its OTs, and four outputs.

    The labels of the label OTs are in a buffer, or the step makes them by SoftSpoken (`CotSender.postpone`).

    >>> choices, none = np.zeros(2, np.uint32), np.zeros(0, np.uint32)
    >>> active, zero = np.zeros((1, 2, 32, 16), np.uint8), np.zeros((1, 1, 32, 16), np.uint8)
    >>> empty = bytearray()
    >>> AnswerArguments(
    ...     b"\\x01" + bytes(15), bytes(16), choices, none, active, zero, bytes(376),
    ...     empty, bytearray(648), empty, empty).choices.size
    2
    """

    delta: Buffer  # 16 bytes, of the label OTs; its lowest bit is 1
    hash_seed: Buffer  # 16 bytes, of the inference; both parties have the same
    choices: np.ndarray  # uint32 (groups * choice_ots,), of `draw_choices`
    bits: np.ndarray  # uint32 (groups * server_bits,), of `draw_bits`
    choice_labels: np.ndarray  # uint8 (groups, choice_ots, 32, 16), the active labels of the reverse OTs
    request_labels: np.ndarray | SenderOts  # uint8 (groups, request_ots, 32, 16), zero labels of label OTs
    corrections: Buffer  # of `request`
    out_opening: OutBuffer  # groups * opening_group_bytes, for the client; empty for a ReLU
    out_state: OutBuffer  # groups * server_state_group_bytes
    out_scratch: OutBuffer  # groups * scratch_group_bytes
    out_bundle: OutBuffer  # groups * bundle_group_bytes(1), for the client; empty without a tree


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GrowArguments:
    """Holds the buffers of `grow`, with which either party adds levels to its trees.

    >>> state, scratch, bundle = bytearray(1), bytearray(1), bytearray()
    >>> GrowArguments("client", bytes(16), bytes(16), 3, bytes(512), state, scratch, bundle).level
    3
    """

    party: Literal["server", "client"]
    delta: Buffer  # 16 bytes, the party's own
    hash_seed: Buffer  # 16 bytes, of the inference
    level: int  # 1 to bundle_count
    received: Buffer  # groups * bundle_group_bytes(level), the other party's bundle
    state: OutBuffer  # the party's state, changed in place
    scratch: OutBuffer  # the party's scratch, changed in place; all zeros after the last level
    out_bundle: OutBuffer  # bundle level + 1, for the other party; empty at the last level


@dataclass(slots=True, eq=False, repr=False)
class FssEncodeArguments:
    """Holds the buffers of `encode`, the server's first step of the online phase.

    >>> u = np.zeros(32, np.uint32)
    >>> FssEncodeArguments(bytes(16), bytes(16), bytearray(1), u, bytearray(1), bytearray(1)).u.size
    32
    """

    delta: Buffer  # as in `AnswerArguments`
    hash_seed: Buffer
    state: OutBuffer  # as the last `grow` left it, or `answer` without a tree; spent by the step
    u: np.ndarray  # uint32 (groups * 32,), the server's share, without the offset
    out_message: OutBuffer  # groups * online_group_bytes, for the client
    out_kept: OutBuffer  # groups * kept_group_bytes, for `finish` and for products


@dataclass(slots=True, eq=False, repr=False)
class FssEvaluateArguments:
    """Holds the buffers of `evaluate`, the client's only step of the online phase.

    >>> r, z, answer = np.zeros(32, np.uint32), np.empty(32, np.uint32), np.empty(1, np.uint32)
    >>> FssEvaluateArguments(bytes(16), bytes(16), bytearray(1), bytes(1), r, z, answer).out_z.size
    32
    """

    delta: Buffer  # as in `RequestArguments`
    hash_seed: Buffer
    state: OutBuffer  # as the last `grow` left it, or `request` without a tree; spent by the step
    message: Buffer  # `out_message` of `encode`
    next_mask: np.ndarray  # uint32 (groups * 32,), r', the client's share of the result
    out_z: np.ndarray  # uint32 (groups * 32,), the answer to the server
    out_answer: np.ndarray  # uint32 (groups * answer_group_bytes / 4,), its bits, which go with z


@dataclass(slots=True, eq=False, repr=False)
class FinishArguments:
    """Holds the buffers of `finish`, the server's last step of the online phase.

    >>> z, answer, share = np.zeros(32, np.uint32), np.zeros(1, np.uint32), np.empty(32, np.uint32)
    >>> FinishArguments(bytes(256), z, answer, share).answer.size
    1
    """

    kept: Buffer  # `out_kept` of `encode`
    z: np.ndarray  # uint32 (groups * 32,), any words in lanes without an element
    answer: np.ndarray  # uint32 (groups * answer_group_bytes / 4,)
    out_share: np.ndarray  # uint32 (groups * 32,), y - r'
