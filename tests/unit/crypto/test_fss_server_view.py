"""Two steps of the proof against a corrupt server, on the messages of the kernels (docs/threat-model-fss.md).

All that the server knows is fixed, and delta_C varies. Hashes, paths and nodes are modeled here from the
text of the page. The oracle O has the secret delta_C, so O(x, place, b) = H(x xor delta_C) xor b delta_C.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from pi_bench.crypto.fss import FssCall, FssSpec
from pi_bench.crypto.symmetric import aes128_encrypt
from tests.fss_parties import LANES, FssRun, Labels, Material, ideal_labels, prepare
from tests.fss_recorder import BUTTERFLY, DIGIT, LEAF, LEVEL, tables

GADGET, GROUP = 7, 11
HALF = LANES // 2


@dataclass
class Server:
    """Everything that the server knows, and v, which the reduction knows too; all of one group.

    The lanes of a half have the same masks and v, with labels of their own. So each of them shows the same
    matrix, and many lanes give as many samples of it.
    """

    spec: FssSpec
    rng: np.random.Generator
    seed: bytes = field(init=False)

    def __post_init__(self) -> None:
        spec, rng = self.spec, self.rng
        self.seed, self.delta = rng.bytes(16), rng.integers(0, 256, 16, np.uint8)
        self.delta[0] |= 1
        self.choices, self.server_bits, self.client_bits = (
            (rng.integers(0, 2, (count, 2)) @ [0xFFFF, 0xFFFF0000]).astype(np.uint32)
            for count in (spec.choice_ots, spec.server_bits, spec.client_bits)
        )
        self.v = np.repeat(rng.integers(0, 2**32, 2, np.uint32), HALF)
        self.active = rng.integers(0, 256, (1, spec.choice_ots, LANES, 16), np.uint8)  # t_j
        self.zero = rng.integers(0, 256, (1, spec.request_ots, LANES, 16), np.uint8)  # q'_i

    def mask(self, choice: int) -> np.ndarray:
        return (self.choices[choice] >> np.arange(LANES) & 1).astype(np.uint8)

    def run(self, client_delta: np.ndarray) -> FssRun:
        def cots(receiver: str, packed: np.ndarray, count: int) -> Labels:
            if receiver == "client":
                return ideal_labels(self.zero, packed, self.delta)
            active, zero = ideal_labels(self.active, packed, client_delta)
            return zero, active

        drawn = (self.choices, self.server_bits, self.client_bits)
        material = Material(self.delta, client_delta, self.seed, *drawn, cots)
        return prepare(self.spec, self.v, material, call=FssCall(self.spec, GADGET, GROUP))

    def hash(self, purpose: int, position: int, sub: int, blocks: np.ndarray) -> np.ndarray:
        tweak = purpose << 120 | GADGET << 96 | GROUP << 64 | position << 40 | sub << 32
        key = (int.from_bytes(self.seed, "little") ^ tweak).to_bytes(16, "little")
        words = np.ascontiguousarray(blocks).view(np.uint64)[:, ::-1].copy()  # high, low
        words[:, 1] ^= words[:, 0]
        sigma = words.view(np.uint8)
        return aes128_encrypt(key, sigma) ^ sigma


def bits_of(blocks: np.ndarray) -> np.ndarray:
    return np.unpackbits(blocks, axis=1, bitorder="little")


def correction_words(server: Server, run: FssRun) -> dict[int, Iterator[np.ndarray]]:
    """CW and CF in the order of the bundles, by level: blocks (32, 16)."""
    pairs = {
        level: run.bundles["client", level] ^ run.bundles["server", level]
        for level in range(1, server.spec.bundle_count + 1)
    }
    return {level: iter(pair.reshape(-1, LANES, 16)) for level, pair in pairs.items()}


def answers_and_messages(server: Server, client_delta: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each pad and oracle answer, with the message that it hides less the server's own hash: bits (32, n).

    On the way, each CW and CF is checked against the answer, the server's hash, delta_S and the table.
    """
    spec, run = server.spec, server.run(client_delta)
    corrections = np.unpackbits(run.corrections, bitorder="little")
    words, position = correction_words(server, run), 0
    for sub, bits in sorted(tables(spec).items()):
        is_relu = spec.kind == "relu"
        sign = tables(spec).get(0, 0)
        first = 0 if sub == 0 else (sign + 1 + spec.share_versions // 2 if is_relu else 1)
        path_at = 0 if sub == 0 else (max(0, sign - DIGIT) if is_relu else 1)
        top = (bits - 1) % DIGIT + 1
        digits = [(bits - top, top), *((start, DIGIT) for start in range(bits - top - DIGIT, -1, -DIGIT))]
        for start, width in digits:
            half = 1 << width - 1
            for stage in range(width):
                places = np.arange(half)
                if stage < width - 1:  # the top bit of an entry is where the stage's bit would be
                    places = places & ~(1 << stage) | (places >> stage & 1) << width - 1
                label = server.active[0, first + start + stage] ^ client_delta
                pad = bits_of(server.hash(BUTTERFLY, start + stage, sub, label))[:, places]
                yield pad, corrections[position : position + LANES * half].reshape(LANES, half)
                position += LANES * half
        yield from _tree(server, client_delta, words, sub, digits, first, path_at)


def _tree(
    server: Server,
    client_delta: np.ndarray,
    words: dict[int, Iterator[np.ndarray]],
    sub: int,
    digits: list[tuple[int, int]],
    first: int,
    path_at: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    spec = server.spec
    shift = 0 if sub == 1 else spec.truncate_bits + spec.sign_drop
    limit = ~(server.v >> np.uint32(shift)) << np.uint32(sub == 0 and 1 in tables(spec))
    decided = [start + i for start, width in digits[:-1] for i in range(width)]
    ends = np.cumsum([width for _, width in digits[:-1]])
    path = [(limit >> np.uint32(bit) & 1).astype(np.uint8) ^ server.mask(first + bit) for bit in decided]
    word = np.zeros((LANES, 16), np.uint8)
    for level, bit in enumerate(decided, start=1):
        taken = path[level - 1][:, None]
        if level == 1:
            share = server.mask(first + bit)[:, None] * server.delta
            node = (
                share ^ server.active[0, first + bit] ^ server.zero[0, path_at] ^ (1 - taken) * server.delta
            )
        else:
            node = server.hash(LEVEL, level - 1, sub, node) ^ (node[:, :1] & 1) * word ^ taken * node
        asked = node ^ server.delta ^ client_delta  # x xor D for x = node xor delta_S
        if level < len(decided):
            left = 1 - path[level][:, None]
            answer = server.hash(LEVEL, level, sub, asked) ^ left * client_delta
            own, word = server.hash(LEVEL, level, sub, node), next(words[level])
            assert np.array_equal(word, answer ^ left * server.delta ^ own)
            yield bits_of(answer), bits_of(word ^ own)
        if level in ends:
            start, width = digits[int(np.searchsorted(ends, level)) + 1]
            answer, own = server.hash(LEAF, level, sub, asked), server.hash(LEAF, level, sub, node)
            hidden = bits_of(next(words[level]) ^ own)
            table = permuted_table(server, limit >> np.uint32(start), first + start, width, sub)
            assert np.array_equal(hidden, bits_of(answer) ^ table)
            yield bits_of(answer), hidden


def permuted_table(server: Server, limit: np.ndarray, first: int, width: int, sub: int) -> np.ndarray:
    """A digit's table, permuted by the server's mask and, in the last digit, by rho_C: bits (32, 2^width)."""
    mask = sum(server.mask(first + bit).astype(np.int64) << bit for bit in range(width))
    if first == 0 and sub == 0 and 1 in tables(server.spec):
        mask = mask ^ (server.client_bits[1] >> np.arange(LANES) & 1)
    return (np.arange(1 << width) ^ mask[:, None] > (limit & (1 << width) - 1)[:, None]).astype(np.uint8)


def is_triangular(inputs: np.ndarray, outputs: np.ndarray) -> bool:
    """Says whether outputs = M inputs over GF(2) for a triangular M with ones on its diagonal.

    `inputs`, `outputs`: bits (samples, n). Output i may depend on the inputs up to i. Elimination of the
    inputs makes them triangular, and so the outputs, and where it leaves no input it must leave no output.
    """
    count = inputs.shape[1]
    padding = np.zeros((len(inputs), -2 * count % 64), np.uint8)
    rows = np.packbits(np.concatenate([inputs, outputs, padding], axis=1), axis=1)
    for column in range(count):
        found = rows[column:, column // 8] >> 7 - column % 8 & 1
        pivot = column + int(np.argmax(found))
        assert found[pivot - column], "more samples are needed"
        rows[[column, pivot]] = rows[[pivot, column]]
        below = column + 1 + np.flatnonzero(rows[column + 1 :, column // 8] >> 7 - column % 8 & 1)
        words = rows.view(np.uint64)[:, column // 64 :]
        words[below] ^= words[column]
    solved = np.unpackbits(rows, axis=1)[:, count : 2 * count]
    return bool(solved.diagonal().all()) and not np.tril(solved, -1).any()


@pytest.mark.parametrize(
    "spec",
    [
        FssSpec("relu", 12, 23, False, 4095, 1),  # two digits, three levels
        FssSpec("relu", 4, 14, False, 15, 1),
        FssSpec("truncate", 9, 31, True, 256),
        pytest.param(FssSpec("relu", 12, 28, False, 4095, 1), marks=pytest.mark.exhaustive),
        pytest.param(FssSpec("relu", 9, 20, True, 256), marks=pytest.mark.exhaustive),
    ],
)
def test_pads_and_answers_go_to_messages_one_to_one(spec) -> None:
    """For fixed inputs the map from pads to messages is affine, and triangular with ones on the diagonal.

    So uniform pads make uniform messages, whatever u, v and the masks are: step G4 of the proof.
    """
    rng = np.random.default_rng(1)
    server = Server(spec, rng)
    of_samples, needed = [], 1
    while len(of_samples) < needed:
        client_delta = rng.integers(0, 256, 16, np.uint8)
        client_delta[0] &= 0xFE
        pairs = list(answers_and_messages(server, client_delta))
        of_samples.append([np.concatenate([pair[i] for pair in pairs], axis=1) for i in (0, 1)])
        needed = of_samples[0][0].shape[1] // HALF + 4  # some samples more than there are pads
    values = np.array(of_samples)  # (samples, pads and messages, lane, bits)
    changes = values[1:] ^ values[0]
    for half in (changes[:, :, :HALF], changes[:, :, HALF:]):
        inputs, outputs = half.swapaxes(0, 1).reshape(2, -1, half.shape[-1])
        assert is_triangular(inputs, outputs)
