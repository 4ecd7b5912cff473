"""SoftSpoken in plain numpy over `cryptography`'s AES: the oracle of the native kernels.

It follows the documents of the message layout and shares no code with the kernels.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def aes(key: bytes, blocks: bytes) -> bytes:
    return Cipher(algorithms.AES128(key), modes.ECB()).encryptor().update(blocks)


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def grow(roots: bytes, pairs: np.ndarray) -> tuple[list[list[bytes]], bytes]:
    """Leaves [tree][leaf] and the tree message."""
    leaves, message = [], b""
    for tree in range(32):
        nodes = {(): roots[16 * tree : 16 * tree + 16]}
        for level in range(4):
            blocks = [b"pi-ggm/1" + bytes([tree, level, bit]) + bytes(5) for bit in (0, 1)]
            nodes = {(*path, bit): aes(seed, blocks[bit]) for path, seed in nodes.items() for bit in (0, 1)}
            for bit in (0, 1):
                total = bytes(16)
                for path, seed in nodes.items():
                    if path[-1] == bit:
                        total = xor(total, seed)
                message += xor(total, pairs[4 * tree + level, bit].tobytes())
        by_number = {sum(bit << j for j, bit in enumerate(path)): seed for path, seed in nodes.items()}
        leaves.append([by_number[x] for x in range(16)])
    return leaves, message


def generator(leaf: bytes, chunk: int, count: int) -> np.ndarray:
    """Bits uint8 (count,) of a leaf from `chunk` on."""
    blocks = b"".join(i.to_bytes(16, "little") for i in range(16 * chunk, 16 * chunk + -(-count // 128)))
    return np.unpackbits(np.frombuffer(aes(leaf, blocks), np.uint8), bitorder="little")[:count]


def receive(leaves: list[list[bytes]], chunk: int, choices: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The message and the active labels (n, 16), from unpacked choice bits."""
    count = choices.size
    columns = np.zeros((128, count), np.uint8)
    message = b""
    for tree in range(32):
        parity = choices.copy()
        for x in range(16):
            bits = generator(leaves[tree][x], chunk, count)
            parity ^= bits
            for b in range(4):
                if x >> b & 1:
                    columns[4 * tree + b] ^= bits
        message += np.packbits(parity, bitorder="little").tobytes()
    return message, np.packbits(columns.T, axis=1, bitorder="little")
