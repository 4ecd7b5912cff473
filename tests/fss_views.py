"""The exact view of one party of an FSS gadget, over every random bit that it does not know, on tiny rings.

Written from the specification's text, apart from the kernels. The corrupt party's own bits, labels and hash
outputs are constants, and so are both deltas. All other bits are enumerated, one row of numpy arrays per
assignment. A hash output that the party cannot compute is a fresh one: the bound of the threat model says so.
"""

from __future__ import annotations

import numpy as np

SERVER, CLIENT = "server", "client"
BLOCK_BITS = 2  # of a label: the control bit and one more

Array = np.ndarray
WORD = np.int32
"""Wider than all messages of a view together."""
Shares = dict[str, Array]


class View:
    """The messages to `corrupt`, in every world that is alike to it. `bits`: unknown bits; 0 counts them.

    `with_z`: if false, z is neither sent nor masked, which saves the bits of r'. r' occurs in z alone.
    """

    def __init__(
        self, corrupt: str, seed: int, bits: int = 0, *, flaw: str = "", with_z: bool = True
    ) -> None:
        self.with_z = with_z
        self.corrupt, self.other = corrupt, CLIENT if corrupt == SERVER else SERVER
        self.flaw = flaw
        self.rows = np.arange(1 << bits, dtype=WORD)
        self.unknown_bits = self.sent_bits = 0
        self.key = np.zeros(self.rows.size, WORD)
        self._constants = np.random.default_rng(seed)
        self.delta = {SERVER: int(self._constants.choice([1, 3])), CLIENT: 2}

    def constant(self, width: int) -> Array:
        return np.full(self.rows.size, self._constants.integers(0, 1 << width), WORD)

    def unknown(self, width: int) -> Array:
        self.unknown_bits += width
        return self.rows >> (self.unknown_bits - width) & (1 << width) - 1

    def draw(self, owner: str, width: int) -> Array:
        return self.constant(width) if owner == self.corrupt else self.unknown(width)

    def draw_next_mask(self, width: int) -> Array:
        return self.draw(CLIENT, 0 if self.flaw == "no next mask" or not self.with_z else width)

    def send(self, sender: str, values: Array, width: int) -> None:
        if sender == self.other:
            self.sent_bits += width
            self.key = self.key << width | values & (1 << width) - 1

    def pads(self, receiver: str, choice: Array, width: int) -> tuple[Array, Array]:
        """Both pads of a correlated OT at one place: its receiver can compute the one of its choice."""
        known = self.constant(width)
        other = self.unknown(width) if receiver == self.corrupt else self.constant(width)
        return np.where(choice, other, known), np.where(choice, known, other)

    def labels(self, receiver: str, choice: Array) -> tuple[Array, Array]:
        """The zero label and the active one; the corrupt party's is a constant."""
        held = self.constant(BLOCK_BITS)
        sender = CLIENT if receiver == SERVER else SERVER
        shifted = held ^ choice * self.delta[sender]
        return (shifted, held) if receiver == self.corrupt else (held, shifted)

    def hash_nodes(self, nodes: list[Shares], width: int) -> list[Shares]:
        """Hashes both parties' nodes of a level. Where they differ, only the other party can: one node."""
        fresh, out = self.unknown(width), []
        for node in nodes:
            outputs = self._constants.integers(0, 1 << width, 1 << BLOCK_BITS).astype(WORD)
            own = outputs[node[self.corrupt]]
            same = node[self.corrupt] == node[self.other]
            out.append({self.corrupt: own, self.other: np.where(same, own, fresh)})
        return out


def bits_of(values: Array, count: int) -> Array:
    """One row of the result per bit."""
    return values >> np.arange(count, dtype=WORD)[:, None] & 1


def as_number(bits: Array) -> Array:
    return (bits << np.arange(len(bits), dtype=WORD)[:, None]).sum(axis=0, dtype=WORD)


def at(values: list[Array], index: Array) -> Array:
    """The value at the low bits of an index, of which there are as many as select among the values."""
    while len(values) > 1:
        values = [np.where(index & 1, odd, even) for even, odd in zip(values[::2], values[1::2], strict=True)]
        index = index >> 1
    return values[0]


class SharedTable:
    """XOR shares of [w xor mask xor own > limit], for the server's mask and the client's limit and own.

    An array of tables has one row per entry.
    """

    def __init__(self, view: View, bits: int, digit: int, mask: Array, limit: Array, own: Array) -> None:
        self.view = view
        first = (bits - 1) % digit + 1
        starts = [(bits - first, first)] + [
            (start, digit) for start in range(bits - first - digit, -1, -digit)
        ]
        self.digits = starts if bits else []
        path = [start + i for start, width in self.digits[:-1] for i in range(width)]
        ends = np.cumsum([width for _, width in self.digits[:-1]])
        self.leaf_of = {int(level): number + 1 for number, level in enumerate(ends)}
        self.path, self.levels = path, len(path)
        choices = [mask >> bit & 1 for bit in range(bits)]
        tables = [self._butterfly(choices, limit, own, *digit) for digit in self.digits]
        self.first = tables[0] if bits else {}
        self.nodes: dict[int, list[Shares]] = {}
        self.leaves: dict[int, list[dict[str, Array]]] = {}
        if self.levels:
            self._grow(choices, limit, tables)

    def _butterfly(self, choices: list[Array], limit: Array, own: Array, start: int, width: int) -> Shares:
        size = 1 << width
        entries, low = np.arange(size, dtype=WORD), size - 1
        theta = (entries[:, None] ^ own >> start & low) > (limit >> start & low)
        table = {SERVER: np.zeros(theta.shape, WORD), CLIENT: theta.astype(WORD)}
        for stage in range(width):
            clear = entries[entries >> stage & 1 == 0]
            partner = clear | 1 << stage
            choice = choices[start + stage]
            pads = self.view.pads(SERVER, choice, clear.size)
            zero, one = (bits_of(pad, clear.size) for pad in pads)
            differ = table[CLIENT][clear] ^ table[CLIENT][partner]
            correction = zero ^ one ^ differ
            self.view.send(CLIENT, as_number(correction), clear.size)
            swapped = table[SERVER][entries ^ 1 << stage]
            table[SERVER] = np.where(choice, swapped, table[SERVER])
            received = np.where(choice, one ^ correction, zero)
            for places in (clear, partner):
                table[SERVER][places] ^= received
                table[CLIENT][places] ^= zero
        return table

    def _grow(self, choices: list[Array], limit: Array, tables: list[Shares]) -> None:
        view = self.view
        shares: list[Shares] = []
        for bit in self.path:
            zero, active = view.labels(SERVER, choices[bit])
            chosen = limit >> bit & 1
            path_zero, path_active = view.labels(CLIENT, chosen)
            of_server = choices[bit] * view.delta[SERVER] ^ active ^ path_zero
            shares.append({SERVER: of_server, CLIENT: chosen * view.delta[CLIENT] ^ zero ^ path_active})
        left = {party: shares[0][party] ^ view.delta[party] for party in shares[0]}
        self.nodes[1] = [left, shares[0]]
        for level in range(1, self.levels + 1):
            nodes = self.nodes[level]
            if level < self.levels:
                hashes = view.hash_nodes(nodes, BLOCK_BITS)
                sums = {party: shares[level][party] ^ view.delta[party] for party in left}
                for party in sums:
                    for node in hashes:
                        sums[party] = sums[party] ^ node[party]
                    view.send(party, sums[party], BLOCK_BITS)
                    if view.flaw == "share in clear":
                        view.send(party, shares[level][party], BLOCK_BITS)
                correction = sums[SERVER] ^ sums[CLIENT]
                self.nodes[level + 1] = self._children(nodes, hashes, correction)
            if level in self.leaf_of:
                self._convert(level, tables[self.leaf_of[level]])

    def _children(self, nodes: list[Shares], hashes: list[Shares], correction: Array) -> list[Shares]:
        lefts = [
            {party: hashed[party] ^ (node[party] & 1) * correction for party in node}
            for node, hashed in zip(nodes, hashes, strict=True)
        ]
        rights = [
            {party: left[party] ^ node[party] for party in node}
            for left, node in zip(lefts, nodes, strict=True)
        ]
        return lefts + rights

    def _convert(self, level: int, table: Shares) -> None:
        size = len(table[SERVER])
        hashes = self.view.hash_nodes(self.nodes[level], size)
        sums = {}
        for party, own in table.items():
            total = own.copy()
            for node in hashes:
                total ^= bits_of(node[party], size)
            self.view.send(party, as_number(total), size)
            sums[party] = total
        correction = sums[SERVER] ^ sums[CLIENT]
        self.leaves[level] = [
            {p: bits_of(hashed[p], size) ^ (node[p] & 1) * correction for p in node}
            for node, hashed in zip(self.nodes[level], hashes, strict=True)
        ]

    def look_up(self, party: str, index: Array) -> Array:
        """The party's share at a public index."""
        if not self.digits:
            return np.zeros(self.view.rows.size, WORD)

        def entry(table: Array, digit: int) -> Array:
            start, _ = self.digits[digit]
            return at(list(table), index >> start)

        out = entry(self.first[party], 0)
        for level, leaves in self.leaves.items():
            place = sum((index >> self.path[i] & 1) << i for i in range(level))
            out = out ^ at([entry(leaf[party], self.leaf_of[level]) for leaf in leaves], place)
        return out
