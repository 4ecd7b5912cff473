"""A slow model of Ferret's trees and code, from the text of docs/threat-model.md, section 7.

Labels are integers of 128 bits, little-endian on the wire. AES is that of `cryptography`.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

TREES = 4
ONES = 10
_PURPOSE = 27  # the code of the purpose, part of the wire's definition
_HALF = (1 << 64) - 1


def aes(key: int, block: int) -> int:
    cipher = Cipher(algorithms.AES128(key.to_bytes(16, "little")), modes.ECB()).encryptor()
    return int.from_bytes(cipher.update(block.to_bytes(16, "little")), "little")


def node_hash(node: int, key: int) -> int:
    high, low = node >> 64, node & _HALF
    permuted = (high ^ low) << 64 | high
    return aes(key, permuted) ^ permuted


@dataclass(frozen=True)
class Model:
    """One batch: `secrets` has the code's secret, q at the sender and t at the receiver."""

    hash_seed: int
    code_seed: int
    batch: int
    levels: int

    def key(self, group: int, level: int) -> int:
        return self.hash_seed ^ (_PURPOSE << 120 | self.batch << 96 | group << 64 | level << 40)

    def grow(self, group: int, delta: int, path: list[int]) -> tuple[list[int], list[int]]:
        """The leaves of one tree and its corrections, from the labels of its path."""
        nodes, corrections = [path[0], path[0] ^ delta], []
        for level in range(1, self.levels):
            left = [node_hash(node, self.key(group, level)) for node in nodes]
            nodes = left + [a ^ b for a, b in zip(left, nodes, strict=True)]
            corrections.append(_sum(left) ^ path[level])
        return [node & ~1 for node in nodes], corrections

    def puncture(self, group: int, path: list[int], corrections: list[int]) -> tuple[list[int], int]:
        """Returns the receiver's leaves of one tree, and the number of the leaf that it lacks there.

        This model may branch on secrets.
        """
        nodes: list[int | None] = [None, None]
        nodes[path[0] & 1] = path[0]
        for level in range(1, self.levels):
            key, choice = self.key(group, level), path[level] & 1
            left = [None if node is None else node_hash(node, key) for node in nodes]
            right = [None if a is None or b is None else a ^ b for a, b in zip(left, nodes, strict=True)]
            lacking = nodes.index(None)
            half = (left, right)[choice]
            known = _sum([node for node in half if node is not None])
            half[lacking] = corrections[level - 1] ^ path[level] ^ known
            nodes = left + right
        lacking = nodes.index(None)
        total = _sum([node for node in nodes if node is not None])
        return [total | 1 if node is None else node & ~1 for node in nodes], lacking

    def row(self, number: int, count: int) -> list[int]:
        """The secrets that row `number` of the code adds, some perhaps twice."""
        words = []
        for word in range(ONES * number, ONES * number + ONES):
            block = aes(self.code_seed, word // 4)
            words.append(block >> (32 * (word % 4)) & 0xFFFFFFFF)
        return [word * count >> 32 for word in words]

    def encode(self, group: int, trees: list[list[int]], secrets: list[int]) -> list[int]:
        """The outputs of a group, row 4 p + i from leaf p of tree i."""
        outputs = []
        for leaf in range(1 << self.levels):
            for tree in range(TREES):
                number = (group << self.levels | leaf) * TREES + tree
                chosen = [secrets[at] for at in self.row(number, len(secrets))]
                outputs.append(trees[tree][leaf] ^ _sum(chosen))
        return outputs


def _sum(values: list[int]) -> int:
    total = 0
    for value in values:
        total ^= value
    return total
