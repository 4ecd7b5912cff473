"""Describes a gadget by public numbers, and derives the sizes of all that it stores and sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pi_bench import _native
from pi_bench.crypto.symmetric import LANES

HALF_GATES = "half-gates"
THREE_HALVES = "three-halves"
GARBLINGS = (HALF_GATES, THREE_HALVES)
"""How an AND is garbled: a table of 32 bytes, or of 24.375 bytes."""


@dataclass(frozen=True)
class GadgetSpec:
    """Describes the function of a gadget, all of which is public.

    `kind` "relu": y = ReLU(x + offset) >> truncate_bits in the signed window of bits up to `window_bits`.
    `kind` "truncate": y = (x + offset) >> truncate_bits for -2^30 <= x + offset < 2^30.

    Attributes:
        exact: if false, y is less by the carry of the low truncate_bits bits of the shares, which is 0 or 1.
        label_chunk: how many bits of u, 1 to 4, have labels that one key on the wire unlocks. More bits need
            fewer bytes online and more offline.
        sign_drop: how many bits above truncate_bits the sign of a ReLU that is not exact disregards. Values
            below 2^(truncate_bits + sign_drop) may then become 0.
        garbling: one of `GARBLINGS`. Three halves need fewer bytes offline and more hashes.

    >>> spec = GadgetSpec("relu", truncate_bits=12, window_bits=23, exact=False, offset=4095)
    >>> spec.gate_count, spec.label_ots, spec.online_group_bytes / 32
    (11, 12, 180.125)

    Raises:
        ValueError: the numbers make no gadget. Needed are 0 <= truncate_bits <= window_bits <= 31, at most
            30 truncated bits without ReLU, label_chunk from 1 to 4, a sign_drop that leaves at least one bit
            of the window, and a garbling of `GARBLINGS`.
    """

    kind: Literal["relu", "truncate"]
    truncate_bits: int
    window_bits: int
    exact: bool
    offset: int
    label_chunk: int = 1
    sign_drop: int = 0
    garbling: str = HALF_GATES
    native: _native.garble.Gadget = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        native = _native.garble.Gadget(
            kind=self.kind,
            truncate_bits=self.truncate_bits,
            window_bits=self.window_bits,
            exact=self.exact,
            offset=self.offset,
            label_chunk=self.label_chunk,
            sign_drop=self.sign_drop,
            garbling=self.garbling,
        )
        object.__setattr__(self, "native", native)

    @property
    def uses_select(self) -> bool:
        """Whether each element needs a reverse OT with a random choice bit."""
        return self.kind == "relu"

    @property
    def gate_count(self) -> int:
        """AND gates per element."""
        return self.native.gate_count

    @property
    def label_ots(self) -> int:
        """Correlated OTs per element: the bits of v that the circuit adds, then the top bit."""
        return self.native.label_ots

    @property
    def garbled_group_bytes(self) -> int:
        """Bytes from the garbler to the evaluator per group of 32, offline."""
        return self.native.garbled_group_bytes

    @property
    def state_group_bytes(self) -> int:
        """Bytes that the garbler keeps per group of 32."""
        return self.native.state_group_bytes

    @property
    def online_group_bytes(self) -> int:
        """Bytes from the garbler to the evaluator per group of 32, online. 4 bytes per element go back."""
        return self.native.online_group_bytes

    # The rest has the names of `FssSpec`, so that a plan asks either kind of gadget alike.

    @property
    def request_ots(self) -> int:
        """OTs per element that the evaluator chooses: those of its labels."""
        return self.label_ots

    @property
    def choice_ots(self) -> int:
        """OTs per element that the garbler chooses: that of the select bit, if there is one."""
        return int(self.uses_select)

    @property
    def answer_group_bytes(self) -> int:
        """Bytes of the evaluator's answer per group, besides 4 bytes per real element: none."""
        return 0

    @property
    def share_versions(self) -> int:
        """Shares of the result that the garbler has before it sends."""
        return 1

    @property
    def kept_group_bytes(self) -> int:
        """Bytes that the garbler keeps per group from its message to the answer: a word per element."""
        return 4 * LANES

    @property
    def slice_groups(self) -> int:
        """Groups whose garbled tables take 8 MiB, so that a slice of them is a message of moderate size."""
        return max(1, (1 << 23) // self.garbled_group_bytes)


def group_count(element_count: int) -> int:
    """Returns how many groups of 32 hold `element_count` elements.

    >>> group_count(33)
    2
    """
    return -(-element_count // LANES)
