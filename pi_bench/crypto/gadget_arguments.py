"""Holds the arguments of the gadgets' steps: one record per step, and `GadgetCall`, which all steps take.

Buffers are C-contiguous.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pi_bench.crypto.gadget_spec import GadgetSpec

Buffer = bytes | bytearray | memoryview | np.ndarray
OutBuffer = bytearray | memoryview | np.ndarray


@dataclass(frozen=True, slots=True)
class GadgetCall:
    """Holds the gadget of a step, its groups, and the way in which they are computed.

    Attributes:
        gadget: the gadget's number, 0 to 2^24 - 1, unique among the gadgets of an inference.
        first_group: the number of the first group of the buffers, 0 to 2^32 - 1.
        threads: how many threads the step may use.
        isa: one of the names of `symmetric.require_isa`, or "" for the selected one.

    >>> GadgetCall(GadgetSpec("relu", 12, 23, False, 4095), gadget=3, first_group=64).threads
    1
    """

    spec: GadgetSpec
    gadget: int
    first_group: int
    threads: int = 1
    isa: str = ""


# No record of buffers has a repr: it would print keys.


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GarbleArguments:
    """Holds the buffers of `garble`, the garbler's offline step: its secrets, its OTs, and two outputs.

    >>> spec = GadgetSpec("truncate", 12, 31, False, 4095)
    >>> seed, labels = bytes(16), np.zeros((1, spec.label_ots, 32, 16), np.uint8)
    >>> tables, state = bytearray(spec.garbled_group_bytes), bytearray(spec.state_group_bytes)
    >>> arguments = GarbleArguments(b"\\x01" + bytes(15), seed, seed, labels, None, None, tables, state)
    >>> "x01" in repr(arguments)  # the repr shows no buffer
    False
    """

    delta: Buffer  # 16 bytes, its lowest bit is 1; fresh for every inference
    hash_seed: Buffer  # 16 bytes, fresh for every inference
    label_seed: Buffer  # 16 bytes, fresh for every inference
    zero_labels: np.ndarray  # uint8 (groups, label_ots, 32, 16), of the evaluator's bits
    select_bits: np.ndarray | None  # uint8 (groups * 32,), 0 or 1; None for a truncation
    alpha: np.ndarray | None  # uint32 (groups * 32,), share of the reverse OT; None for a truncation
    out_garbled: OutBuffer  # groups * garbled_group_bytes, for the evaluator
    out_state: OutBuffer  # groups * state_group_bytes, for `encode`


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AcceptArguments:
    """Holds the buffers of `accept`, the evaluator's offline step.

    >>> v, labels = np.zeros(32, np.uint32), np.zeros((1, 1, 32, 16), np.uint8)
    >>> len(AcceptArguments(bytes(16), v, labels, garbled=bytearray(128)).garbled)
    128
    """

    hash_seed: Buffer  # 16 bytes, the garbler's
    v: np.ndarray  # uint32 (groups * 32,), the evaluator's share
    active_labels: np.ndarray  # uint8 (groups, label_ots, 32, 16)
    garbled: OutBuffer  # groups * garbled_group_bytes, changed in place


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EncodeArguments:
    """Holds the buffers of `encode`, the garbler's step of the online phase.

    >>> u, mask = np.zeros(32, np.uint32), np.empty(32, np.uint32)
    >>> EncodeArguments(b"\\x01" + bytes(15), bytes(16), bytes(132), u, bytearray(4), mask).u.size
    32
    """

    delta: Buffer  # as in `GarbleArguments`
    label_seed: Buffer  # as in `GarbleArguments`
    state: Buffer  # `out_state` of `garble`
    u: np.ndarray  # uint32 (groups * 32,), the garbler's share, without the offset
    out_message: OutBuffer  # groups * online_group_bytes, for the evaluator
    out_mask: np.ndarray  # uint32 (groups * 32,)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EvaluateArguments:
    """Holds the buffers of `evaluate`, the evaluator's step of the online phase.

    >>> v, labels, z = np.zeros(32, np.uint32), np.zeros((1, 1, 32, 16), np.uint8), np.empty(32, np.uint32)
    >>> EvaluateArguments(bytes(16), v, None, labels, bytes(128), bytes(4), v, z).beta is None
    True
    """

    hash_seed: Buffer  # 16 bytes, the garbler's
    v: np.ndarray  # uint32 (groups * 32,), the evaluator's share
    beta: np.ndarray | None  # uint32 (groups * 32,), share of the reverse OT; None for a truncation
    active_labels: np.ndarray  # uint8 (groups, label_ots, 32, 16)
    garbled: Buffer  # as `accept` left it
    message: Buffer  # `out_message` of `encode`
    next_mask: np.ndarray  # uint32 (groups * 32,), r', the evaluator's share of the result
    out_z: np.ndarray  # uint32 (groups * 32,)
