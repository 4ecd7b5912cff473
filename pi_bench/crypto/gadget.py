"""ReLU and truncation gadgets: one garbled circuit for the sign or the carry, one message each way.

    offline   server                                 client
              garble    -- garbled (bulk) ------->   accept
    online    encode    -- labels, words, bits -->   evaluate
              y - r' = z - out_mask   <-- z ------

x = u + v mod 2^32 with u at the server and v at the client. `docs/threat-model.md` has the derivation:
who knows what, and which pad is used where. Elements are handled in groups of `LANES` = 32, which
share hash keys; callers pad arrays to whole groups with random words. All buffers are group-major, so
a slice of groups is a plain sub-range of each of them. Labels stand in the order
[group][position][lane][16 bytes], which is the order of the correlated OTs.

Source: half-gates of Zahur, Rosulek and Evans (EUROCRYPT 2015) under the hash of Guo, Katz, Wang and
Yu (IEEE S&P 2020); the arithmetic outside the circuit is this project's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pi_bench import _native
from pi_bench.crypto.symmetric import LANES

Buffer = bytes | bytearray | memoryview | np.ndarray
"""Anything with the buffer protocol; `SecretBytes` too."""


@dataclass(frozen=True)
class GadgetSpec:
    """What a gadget computes, all of it public.

    ``relu``: (x + offset >= 0) * ((x + offset) >> truncate_bits) in the signed window of bits up to
    `window_bits`; ``truncate``: (x + offset) >> truncate_bits for -2^30 <= x + offset < 2^30.
    Not `exact`: less the carry of the low bits of the shares, so one less where that carry is 1.
    `label_chunk`: bits of u, 1 to 4, whose labels one key on the wire unlocks: fewer bytes online for
    more offline. `sign_drop`: bits above truncate_bits that a ReLU which is not exact disregards for the
    sign; values below 2^(truncate_bits + sign_drop) may become 0.

    Raises:
        ValueError: the numbers make no gadget (0 <= truncate_bits <= window_bits <= 31; at most 30
            bits are truncated without ReLU; label_chunk 1 to 4; sign_drop
            leaves one bit of the window at least).
    """

    kind: Literal["relu", "truncate"]
    truncate_bits: int
    window_bits: int
    exact: bool
    offset: int
    label_chunk: int = 1
    sign_drop: int = 0
    native: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        native = _native.garble.Gadget(
            self.kind,
            self.truncate_bits,
            self.window_bits,
            self.exact,
            self.offset,
            self.label_chunk,
            self.sign_drop,
        )
        object.__setattr__(self, "native", native)

    @property
    def uses_select(self) -> bool:
        """Whether a reverse OT with a random choice bit an element is needed."""
        return self.kind == "relu"

    @property
    def gate_count(self) -> int:
        """AND gates an element."""
        return int(self.native.gate_count)

    @property
    def label_ots(self) -> int:
        """Correlated OTs an element: the bits of v that the circuit adds, then the top bit."""
        return int(self.native.label_ots)

    @property
    def garbled_group_bytes(self) -> int:
        """Offline, server to client, a group of 32."""
        return int(self.native.garbled_group_bytes)

    @property
    def state_group_bytes(self) -> int:
        """What the server keeps for a group of 32."""
        return int(self.native.state_group_bytes)

    @property
    def online_group_bytes(self) -> int:
        """Online, server to client, a group of 32; back go 4 bytes an element."""
        return int(self.native.online_group_bytes)


def group_count(element_count: int) -> int:
    """Groups of 32 that hold `element_count` elements."""
    return -(-element_count // LANES)


def choice_bits(spec: GadgetSpec, v: np.ndarray) -> np.ndarray:
    """The client's OT choices: uint8, a bit an OT, packed little-bit-first in label order.

    `v`: uint32 (groups * 32,).
    """
    packed = np.empty(v.size // LANES * spec.label_ots, np.uint32)
    _native.garble.choice_bits(spec.native, v, packed)
    return packed.view(np.uint8)


def correlation(spec: GadgetSpec, v: np.ndarray) -> np.ndarray:
    """What the reverse OT multiplies by the server's select bit: uint32 (groups * 32,), the signed
    window of v shifted right by truncate_bits, mod 2^32. ReLU only."""
    out = np.empty(v.shape, np.uint32)
    _native.garble.correlation(spec.native, v, out)
    return out


def garble(
    spec: GadgetSpec,
    delta: Buffer,
    hash_seed: Buffer,
    label_seed: Buffer,
    gadget: int,
    first_group: int,
    zero_labels: np.ndarray,
    select_bits: np.ndarray | None,
    alpha: np.ndarray | None,
    out_garbled: Buffer,
    out_state: Buffer,
    threads: int = 1,
    *,
    isa: str = "",
) -> None:
    """Server, offline: garbles the groups from `first_group` on.

    `delta` (lowest bit 1), `hash_seed`, `label_seed`: 16 bytes each, fresh for every inference.
    `gadget`: 24 bits, unique among the gadgets of an inference. `zero_labels`: uint8
    (groups, label_ots, 32, 16) of the client's bits. `select_bits` (uint8 0 or 1) and `alpha` (uint32),
    (groups * 32,) each: the server's side of the reverse OT; None for a truncation. Fills
    `out_garbled`, which goes to the client, and `out_state`, which stays.

    Raises:
        ValueError, TypeError: a buffer of the wrong size or type; delta without its low bit.
    """
    _native.garble.garble(
        spec.native,
        delta,
        hash_seed,
        label_seed,
        gadget,
        first_group,
        zero_labels,
        select_bits,
        alpha,
        out_garbled,
        out_state,
        threads,
        isa,
    )


def accept(
    spec: GadgetSpec,
    hash_seed: Buffer,
    gadget: int,
    first_group: int,
    v: np.ndarray,
    active_labels: np.ndarray,
    garbled: Buffer,
    threads: int = 1,
    *,
    isa: str = "",
) -> None:
    """Client, offline: turns the received rows of the top bit into what `evaluate` needs, in place.

    `v`: uint32 (groups * 32,). `active_labels`: uint8 (groups, label_ots, 32, 16). Call it once for
    each received group.
    """
    _native.garble.accept(
        spec.native, hash_seed, gadget, first_group, v, active_labels, garbled, threads, isa
    )


def encode(
    spec: GadgetSpec,
    delta: Buffer,
    label_seed: Buffer,
    gadget: int,
    first_group: int,
    state: Buffer,
    u: np.ndarray,
    out_message: Buffer,
    out_mask: np.ndarray,
    threads: int = 1,
    *,
    isa: str = "",
) -> None:
    """Server, online: the message for its share `u`, uint32 (groups * 32,), without the offset.

    Fills `out_message` and `out_mask`, uint32 (groups * 32,): the server's share of the result is
    ``z - out_mask`` mod 2^32 = y - r', with z the client's answer. One `state` must never be encoded
    twice: two messages give delta away.
    """
    _native.garble.encode(
        spec.native, delta, label_seed, gadget, first_group, state, u, out_message, out_mask, threads, isa
    )


def evaluate(
    spec: GadgetSpec,
    hash_seed: Buffer,
    gadget: int,
    first_group: int,
    v: np.ndarray,
    beta: np.ndarray | None,
    active_labels: np.ndarray,
    garbled: Buffer,
    message: Buffer,
    next_mask: np.ndarray,
    out_z: np.ndarray,
    threads: int = 1,
    *,
    isa: str = "",
) -> None:
    """Client, online: fills `out_z`, uint32 (groups * 32,), the answer to the server.

    `beta`: the client's side of the reverse OT, uint32 (groups * 32,), None for a truncation.
    `garbled` has been through `accept`. `next_mask`: r', the client's share of the result.
    """
    _native.garble.evaluate(
        spec.native,
        hash_seed,
        gadget,
        first_group,
        v,
        beta,
        active_labels,
        garbled,
        message,
        next_mask,
        out_z,
        threads,
        isa,
    )
