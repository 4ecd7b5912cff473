"""Runs the ReLU and truncation gadgets: one garbled circuit for the sign or the carry, one message each way.

    offline   garbler                                evaluator
              garble    -- garbled (bulk) ------->   accept
    online    encode    -- labels, words, bits -->   evaluate
              y - r' = z - out_mask   <-- z ------

The parties share x = u + v mod 2^32; the garbler holds u and the evaluator holds v. The derivation in
docs/threat-model.md says which party knows what and where each pad is used. Elements are handled in
groups of `LANES` = 32, which share hash keys; callers pad arrays to whole groups with random words. All
buffers are group-major, so a slice of groups is a contiguous part of each of them. Labels are ordered
[group][position][lane][16 bytes], which is the order of the correlated OTs.

Each step takes a `GadgetCall`, which names the gadget and its groups, and a record of the step's
buffers. A buffer has the buffer protocol and is C-contiguous. The steps raise ValueError or TypeError
for a buffer of another size or item type, and BufferError for an output that is read-only.

Sources: half-gates of Zahur, Rosulek and Evans (EUROCRYPT 2015) under the hash of Guo, Katz, Wang and Yu
(IEEE S&P 2020), or three halves of Rosulek and Roy (CRYPTO 2021). The arithmetic outside the circuit is this
project's.
"""

from __future__ import annotations

import numpy as np

from pi_bench import _native
from pi_bench.crypto.gadget_arguments import (
    AcceptArguments,
    EncodeArguments,
    EvaluateArguments,
    GadgetCall,
    GarbleArguments,
)
from pi_bench.crypto.gadget_spec import GadgetSpec, group_count
from pi_bench.crypto.kernel_arguments import as_keywords
from pi_bench.crypto.symmetric import LANES

__all__ = [
    "AcceptArguments",
    "EncodeArguments",
    "EvaluateArguments",
    "GadgetCall",
    "GadgetSpec",
    "GarbleArguments",
    "accept",
    "choice_bits",
    "correlation",
    "encode",
    "evaluate",
    "garble",
    "group_count",
]


def choice_bits(spec: GadgetSpec, v: np.ndarray) -> np.ndarray:
    """Returns the evaluator's OT choices, uint8, one bit per OT, packed little-bit-first in label order.

    Args:
        v: uint32 (groups * 32,).

    >>> spec = GadgetSpec("relu", 12, 23, False, 4095)  # 12 OTs per element
    >>> choice_bits(spec, np.zeros(64, np.uint32)).shape  # 2 groups * 12 OTs * 32 lanes / 8
    (96,)

    Raises:
        ValueError, TypeError: `v` has another type, or no whole groups.
    """
    packed = np.empty(v.size // LANES * spec.label_ots, np.uint32)
    _native.garble.choice_bits(spec.native, v, packed)
    return packed.view(np.uint8)


def correlation(spec: GadgetSpec, v: np.ndarray) -> np.ndarray:
    """Returns the factor that the reverse OT multiplies by the select bit: uint32 (groups * 32,).

    It is the signed window of `v`, bits 0 to window_bits, shifted right by truncate_bits, mod 2^32.

    >>> spec = GadgetSpec("relu", 4, 7, False, 15)
    >>> correlation(spec, np.full(32, 0x1E0, np.uint32)).view(np.int32)[0]  # 0xE0 as signed byte is -32
    np.int32(-2)

    Raises:
        ValueError, TypeError: `v` has another type or no whole groups, or the gadget is a truncation.
    """
    out = np.empty(v.shape, np.uint32)
    _native.garble.correlation(spec.native, v, out)
    return out


def garble(call: GadgetCall, arguments: GarbleArguments) -> None:
    """Garbles the groups of `call`; the garbler's step of the offline phase.

    Fills `out_garbled`, which goes to the evaluator, and `out_state`, which stays.

    >>> spec, group = GadgetSpec("truncate", 12, 31, False, 4095), 0
    >>> garbled, state = bytearray(spec.garbled_group_bytes), bytearray(spec.state_group_bytes)
    >>> zero_labels = np.zeros((1, spec.label_ots, 32, 16), np.uint8)  # from correlated OTs in real use
    >>> delta, hash_seed, label_seed = b"\\x01" + bytes(15), bytes(16), bytes(16)  # random in real use
    >>> garble(
    ...     GadgetCall(spec, 0, group),
    ...     GarbleArguments(delta, hash_seed, label_seed, zero_labels, None, None, garbled, state),
    ... )
    >>> any(garbled)
    True

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or the lowest bit of delta is 0.
    """
    _native.garble.garble(call.spec.native, **as_keywords(call, arguments))


def accept(call: GadgetCall, arguments: AcceptArguments) -> None:
    """Turns received rows of the top bit into the words of `evaluate`; the evaluator's offline step.

    Changes `garbled` in place, so call it once for each received group:

    >>> spec = GadgetSpec("truncate", 12, 31, False, 4095)
    >>> v, labels = np.zeros(32, np.uint32), np.zeros((1, spec.label_ots, 32, 16), np.uint8)
    >>> received = bytearray(spec.garbled_group_bytes)
    >>> accept(GadgetCall(spec, 0, 0), AcceptArguments(bytes(16), v, labels, received))
    >>> any(received)
    True

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type.
    """
    _native.garble.accept(call.spec.native, **as_keywords(call, arguments))


def encode(call: GadgetCall, arguments: EncodeArguments) -> None:
    """Makes the message for the garbler's share `u`; the garbler's step of the online phase.

    Fills `out_message` and `out_mask`. The garbler's share of the result is ``z - out_mask`` mod 2^32, which
    is y - r', with z the evaluator's answer. Never encode one `state` twice: two messages reveal delta.

    >>> spec = GadgetSpec("truncate", 12, 31, False, 4095)
    >>> message, out_mask = bytearray(spec.online_group_bytes), np.empty(32, np.uint32)
    >>> delta, state, u = b"\\x01" + bytes(15), bytes(spec.state_group_bytes), np.zeros(32, np.uint32)
    >>> encode(GadgetCall(spec, 0, 0), EncodeArguments(delta, bytes(16), state, u, message, out_mask))
    >>> len(message)  # one bit per element; `evaluate` shows the whole gadget
    4

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or the lowest bit of delta is 0.
    """
    _native.garble.encode(call.spec.native, **as_keywords(call, arguments))


def evaluate(call: GadgetCall, arguments: EvaluateArguments) -> None:
    """Fills `out_z`, the answer to the garbler; the evaluator's step of the online phase.

    A truncation by 12 bits of x = 5 * 4096 from the first step to the result, both parties in one process
    and with correlated OTs made by hand:

    >>> spec = GadgetSpec("truncate", 12, 31, False, 4095)
    >>> call = GadgetCall(spec, gadget=0, first_group=0)
    >>> delta, hash_seed, label_seed = b"\\x01" + bytes(15), bytes(16), bytes(16)
    >>> v = np.random.default_rng(1).integers(0, 2**32, 32, np.uint32)
    >>> u = np.full(32, 5 * 4096, np.uint32) - v
    >>> zero_labels = np.zeros((1, spec.label_ots, 32, 16), np.uint8)
    >>> choices = np.unpackbits(choice_bits(spec, v), bitorder="little").reshape(1, -1, 32, 1)
    >>> active_labels = zero_labels ^ choices * np.frombuffer(delta, np.uint8)
    >>> garbled, state = bytearray(spec.garbled_group_bytes), bytearray(spec.state_group_bytes)
    >>> garble(call, GarbleArguments(
    ...     delta, hash_seed, label_seed, zero_labels, None, None, garbled, state))
    >>> accept(call, AcceptArguments(hash_seed, v, active_labels, garbled))
    >>> message, out_mask = bytearray(spec.online_group_bytes), np.empty(32, np.uint32)
    >>> encode(call, EncodeArguments(delta, label_seed, state, u, message, out_mask))
    >>> r, z = np.arange(32, dtype=np.uint32), np.empty(32, np.uint32)  # r: uniform in real use
    >>> evaluate(call, EvaluateArguments(hash_seed, v, None, active_labels, garbled, message, r, z))
    >>> set((z - out_mask + r).tolist())
    {5}
    """
    _native.garble.evaluate(call.spec.native, **as_keywords(call, arguments))
