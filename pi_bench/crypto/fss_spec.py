"""Describes an FSS gadget by public numbers, and derives the sizes of all that it stores and sends.

A gadget's steps (`pi_bench.crypto.fss`) and messages, for groups of 32 elements. Bundles are needed only by
gadgets with a tree, t = `bundle_count` > 0; the opening only by truncations.

    offline  server                                          client
             choices = draw_choices(...)
                   -- reverse OT extension, choices --------->
                                                             bits = draw_bits(...)
                                                             request(...)
                   <-- label OT extension, corrections, bundle 1 --
             answer(...); grow(level 1)
                   -- opening, bundle 1, bundle 2 ----------->
                                                             accept_opening(...); grow(1); grow(2)
                   <-- bundle 2, bundle 3 --------------------
             grow(2); grow(3)
                   ... until both have bundle t, which grow(t) takes and which makes no other one
    online   encode(...)
                   -- online message ------------------------>
                                                             evaluate(...)
                   <-- z (4 bytes per element), answer bits --
             finish(...), which is y - r'

The server is the receiver of the reverse OTs, whose delta is the client's and even, and the sender of the
label OTs, whose delta is its own and odd. All that a gadget draws and receives serves one element of one
inference: a step that failed burns the inference, and no step is ever repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Self

from pi_bench import _native
from pi_bench.crypto.gadget_spec import GadgetSpec
from pi_bench.crypto.symmetric import BLOCK_BYTES, LANES

_SLICE_BYTES = 1 << 20  # of nodes at a party, about a second-level cache
_MAX_SLICE_GROUPS = 128
_LEAST_SLICE_GROUPS = 24
"""Below this, the messages and calls of a slice cost more than the cache saves, however deep the tree is."""


@dataclass(frozen=True)
class FssSpec:
    """Describes the function of a gadget, all of which is public. The fields are those of `GadgetSpec`.

    `kind` "truncate" is exact and truncates at least one bit. A windowed truncation needs no table: the
    garbled gadget computes it without any gate, and `of_gadget` returns None for it.

    >>> spec = FssSpec("relu", truncate_bits=12, window_bits=23, exact=False, offset=4095, sign_drop=1)
    >>> spec.choice_ots, spec.request_ots, spec.bundle_count
    (12, 4, 3)
    >>> spec.online_group_bytes / 32, 4 + spec.answer_group_bytes / 32
    (5.5, 4.125)

    Raises:
        ValueError: the numbers make no gadget, or one whose tables are too large. The window may have at
            most 16 bits above truncate_bits + sign_drop. Exact, it and truncate_bits have at most 15 bits.
    """

    kind: Literal["relu", "truncate"]
    truncate_bits: int
    window_bits: int
    exact: bool
    offset: int
    sign_drop: int = 0
    native: _native.fss.Gadget = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        native = _native.fss.Gadget(
            kind=self.kind,
            truncate_bits=self.truncate_bits,
            window_bits=self.window_bits,
            exact=self.exact,
            offset=self.offset,
            sign_drop=self.sign_drop,
        )
        object.__setattr__(self, "native", native)

    @classmethod
    def of_gadget(cls, spec: GadgetSpec) -> Self | None:
        """Returns the FSS gadget with the law of a garbled one, or None if only the garbled one can do it.

        >>> FssSpec.of_gadget(GadgetSpec("relu", 12, 23, False, 4095, sign_drop=1)).online_group_bytes
        176
        >>> FssSpec.of_gadget(GadgetSpec("relu", 4, 23, False, 15)) is None  # 20 bits are too many
        True
        """
        try:
            return cls(
                spec.kind, spec.truncate_bits, spec.window_bits, spec.exact, spec.offset, spec.sign_drop
            )
        except ValueError:
            return None

    @property
    def choice_ots(self) -> int:
        """Reverse OTs per element, which the server chooses: masks of the tables, masks of products."""
        return self.native.choice_ots

    @property
    def request_ots(self) -> int:
        """Label OTs per element, which the client chooses: one per tree level, and one for the result."""
        return self.native.request_ots

    @property
    def server_bits(self) -> int:
        """Uniform bits per element that the server draws besides its choices."""
        return self.native.server_bits

    @property
    def client_bits(self) -> int:
        """Uniform bits per element that the client draws."""
        return self.native.client_bits

    @property
    def correction_group_bytes(self) -> int:
        """Bytes from the client to the server per group, offline, between its OTs and its bundle 1."""
        return self.native.correction_group_bytes

    @property
    def opening_group_bytes(self) -> int:
        """Bytes from the server to the client per group, offline, before bundle 1; 0 for a ReLU."""
        return self.native.opening_group_bytes

    @property
    def bundle_count(self) -> int:
        """Levels of the deepest tree: bundles that each party sends the other, offline."""
        return self.native.bundle_count

    def bundle_group_bytes(self, level: int) -> int:
        """Returns the bytes of bundle `level`, each way per group.

        >>> spec = FssSpec("relu", 12, 23, False, 4095, sign_drop=1)
        >>> [spec.bundle_group_bytes(level) // 32 for level in range(1, spec.bundle_count + 1)]
        [16, 16, 16]

        Raises:
            ValueError: `level` is not from 1 to `bundle_count`.
        """
        return self.native.bundle_group_bytes(level)

    def node_hashes(self, level: int) -> int:
        """Returns how many tree nodes per element each party hashes at `level`; 0 after the last level.

        A node that leads to the next level is hashed once, and one at the end of a digit as a leaf, too.

        >>> spec = FssSpec("relu", 12, 23, False, 4095, sign_drop=1)
        >>> [spec.node_hashes(level) for level in range(1, spec.bundle_count + 1)]
        [2, 4, 8]
        """
        return self._hashes_per_node(level) << level if level <= self.bundle_count else 0

    @property
    def online_hashes(self) -> int:
        """Nodes per element that each party hashes online: one per level of each tree and one per leaf."""
        return sum(map(self._hashes_per_node, range(1, self.bundle_count + 1)))

    def _hashes_per_node(self, level: int) -> int:
        """Returns the hashes of one node of each tree: a bundle corrects each of them by a block."""
        return self.bundle_group_bytes(level) // (LANES * BLOCK_BYTES)

    @property
    def online_group_bytes(self) -> int:
        """Bytes from the server to the client per group, online."""
        return self.native.online_group_bytes

    @property
    def answer_group_bytes(self) -> int:
        """Bytes from the client to the server per group, online, besides 4 bytes z per real element."""
        return 4 * self.native.answer_words

    @property
    def server_state_group_bytes(self) -> int:
        """Bytes that the server keeps per group, from `answer` to `encode`."""
        return self.native.server_state_group_bytes

    @property
    def client_state_group_bytes(self) -> int:
        """Bytes that the client keeps per group, from `request` to `evaluate`."""
        return self.native.client_state_group_bytes

    @property
    def scratch_group_bytes(self) -> int:
        """Bytes that each party needs per group besides its state, until its last `grow`."""
        return self.native.scratch_group_bytes

    @property
    def share_versions(self) -> int:
        """Shares of the result that the server has before it sends. The client's answer names the right one.

        A product in the round of the gadget needs a factor and an opened word of its own for each of them.
        """
        return self.native.share_versions

    @property
    def kept_group_bytes(self) -> int:
        """Bytes that the server keeps per group, from `encode` to `finish`."""
        return self.native.kept_group_bytes

    @property
    def slice_groups(self) -> int:
        """The lane groups per slice: as many as have their nodes in the second-level cache, but at least 24.

        Smaller slices would cost more in messages and calls than the cache saves.

        >>> [FssSpec("relu", 12, top, False, 4095, sign_drop=1).slice_groups for top in (23, 25, 28)]
        [128, 55, 24]
        """
        fitting = _SLICE_BYTES // max(1, self.scratch_group_bytes)
        return min(_MAX_SLICE_GROUPS, max(_LEAST_SLICE_GROUPS, fitting))
