"""Pins the wire format and every use of the hash.

An evaluator written here from the derivation alone, one element at a time over `cryptography`'s AES,
must reach the kernels' answers from the same bytes; and the bytes themselves equal recorded digests.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from pi_bench.crypto import gadget as gadgets
from pi_bench.crypto.gadget import GadgetSpec
from tests.unit.crypto.three_halves import Garbled, Label, added, evaluate_and, garble_and

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "gadget.json").read_text())
RING = 2**32
AND_GARBLER, AND_EVALUATOR, SIGN, TOP_BIT, CARRY, TRUNCATE_TOP_BIT = 1, 2, 3, 4, 5, 8
CHUNK = 6
AND_OF = (28, 29, 30)
"""Purposes of the hashes of three halves: of A, of B and of their XOR."""
GARBLER_LABEL, CHUNK_KEY, CHUNK_MASK = 16, 18, 19


def aes(key: int, block: int) -> int:
    cipher = Cipher(algorithms.AES(key.to_bytes(16, "little")), modes.ECB()).encryptor()
    return int.from_bytes(cipher.update(block.to_bytes(16, "little")), "little")


def tweak(purpose: int, gadget: int, group: int, position: int, sub: int = 0) -> int:
    return purpose << 120 | gadget << 96 | group << 64 | position << 40 | sub << 32


class SlowEvaluator:
    """The evaluator of one element: `lane` of the only group of a run."""

    def __init__(self, run, lane: int, gadget: int, group: int) -> None:
        spec = run.spec
        self.run, self.spec, self.lane, self.at = run, spec, lane, (gadget, group)
        self.seed = int.from_bytes(run.hash_seed, "little")
        self.f, self.top = spec.truncate_bits, spec.window_bits if spec.kind == "relu" else 31
        self.carry_used = spec.exact and self.f > 0
        if spec.kind == "relu":
            self.gates = self.top - (0 if spec.exact else self.f + spec.sign_drop)
        else:
            self.gates = self.f if spec.exact else 0
        self.widths = chunk_widths(self.gates, spec.label_chunk)
        halves = spec.garbling == "three-halves"
        rows = (768 if halves else 1024) * self.gates
        self.tables = run.garbled_sent[:rows].reshape(self.gates, 768 if halves else 1024)
        ends = rows + 512 * sum(width * (2**width - 1) for width in self.widths if width > 1)
        self.unlock_rows = run.garbled_sent[rows:ends].reshape(-1, 32, 16)[:, lane]
        begin, ends = ends, ends + 12 * halves * self.gates
        self.control = (
            run.garbled_sent[begin:ends].view(np.uint32).reshape(self.gates, 3 * halves) >> lane & 1
        )
        self.corrections = run.garbled_sent[ends:].view(np.uint32).reshape(-1, 32)[:, lane]
        ends = 512 * len(self.widths)
        self.received = run.message[:ends].reshape(-1, 32, 16)[:, lane]
        pointers = sum(width for width in self.widths if width > 1)
        self.pointers = run.message[ends : ends + 4 * pointers].view(np.uint32) >> lane & 1
        self.words = run.message[ends + 4 * pointers : -4].view(np.uint32).reshape(-1, 32)[:, lane]
        self.e = int(run.message[-4:].view(np.uint32)[0]) >> lane & 1
        self.own = run.active_labels[0, :, lane]
        self.labels = self.garbler_labels()

    def hash(self, label: int, purpose: int, position: int, sub: int = 0) -> int:
        high, low = label >> 64, label & (2**64 - 1)
        permuted = (high ^ low) << 64 | high
        return aes(self.seed ^ tweak(purpose, *self.at, position, sub), permuted) ^ permuted

    def hash_of_halves(self, gate: int):
        """The three hashes of a gate: halves and control bits of AES and the label, its words rotated."""

        def hashed(number: int, label: Label) -> tuple[int, int]:
            x = joined(label)
            key = self.seed ^ tweak(AND_OF[number], *self.at, gate)
            out = aes(key, x) ^ (x << 32 | x >> 96) & 2**128 - 1
            return out >> 64, out & 1

        return hashed

    def garbler_labels(self) -> list[int]:
        """The active labels of the bits of u: as received, or unlocked chunk by chunk."""
        labels: list[int] = []
        begin = 0
        half = self.lane // 16 if self.spec.label_chunk == 4 else 0
        for width, received in zip(self.widths, self.received, strict=True):
            if width == 1:
                labels.append(number(received))
                continue
            first = len(labels)
            pointer = sum(int(bit) << i for i, bit in enumerate(self.pointers[first : first + width]))
            for bit in range(width):
                label = self.hash(number(received), CHUNK, first + bit, half)
                if pointer:
                    label ^= number(self.unlock_rows[begin + bit * (2**width - 1) + pointer - 1])
                labels.append(label)
            begin += width * (2**width - 1)
        return labels

    def adder(self) -> tuple[int, int]:
        """Labels of the last carry and of the carry into bit f."""
        carry = kept = 0
        for gate in range(self.gates):
            if self.carry_used and gate == self.f:
                kept = carry
            a = self.labels[gate] ^ carry
            b = number(self.own[gate]) ^ carry
            carry ^= self.conjunction(gate, a, b)
        return carry, carry if self.gates == self.f else kept

    def conjunction(self, gate: int, a: int, b: int) -> int:
        table = self.tables[gate]
        if self.spec.garbling == "three-halves":
            return joined(evaluate_and(split(a), split(b), table_of(table, self.control[gate], self.lane),
                                       self.hash_of_halves(gate)))  # fmt: skip
        rows = table.reshape(2, 32, 16)[:, self.lane]
        out = self.hash(a, AND_GARBLER, gate) ^ (a & 1) * number(rows[0])
        return out ^ self.hash(b, AND_EVALUATOR, gate) ^ (b & 1) * (number(rows[1]) ^ a)

    def answer(self) -> int:
        relu = self.spec.kind == "relu"
        v, mask = int(self.run.v[self.lane]), int(self.run.next_mask[self.lane])
        return (self.relu(v) if relu else self.truncate(v)) - mask & RING - 1

    def relu(self, v: int) -> int:
        last, kept = self.adder()
        e, rows = self.e, [int(x) for x in self.corrections]
        sign = number(self.own[-1]) ^ last
        color = sign & 1
        cs = color ^ e
        y = 1 - 2 * cs
        v_top = v >> self.top & 1
        window = ((v & (2 << self.top) - 1) >> self.f) - (v_top << (self.top + 1 - self.f))
        pads = words(self.hash(number(self.own[-1]), TOP_BIT, self.gates))
        r1, r2, r3 = (pads[i] + v_top * rows[i] for i in range(3))
        wrap = v_top * cs * e + cs * (1 - 2 * e) * r1 + y * e * r2 + y * (1 - 2 * e) * r3
        total = words(self.hash(sign, SIGN, self.gates))[0] + color * int(self.words[0])
        total += cs * window + y * int(self.run.beta[self.lane]) + (wrap << (self.top + 1 - self.f))
        if self.carry_used:
            pads, color = words(self.hash(kept, CARRY, self.gates)), kept & 1
            total += cs * (pads[0] + color * rows[3]) + y * (pads[1] + color * rows[4])
        return total

    def truncate(self, v: int) -> int:
        v_top, e, rows = v >> 31, self.e, [int(x) for x in self.corrections]
        pad = words(self.hash(number(self.own[-1]), TRUNCATE_TOP_BIT, self.gates))[0]
        t = pad + v_top * rows[0]
        total = (v >> self.f) - (v_top - e * v_top - (1 - 2 * e) * t << 32 - self.f)
        if self.carry_used:
            kept = self.adder()[1]
            total += words(self.hash(kept, CARRY, self.gates))[0] + (kept & 1) * rows[1]
        return total


def split(label: int) -> Label:
    return label & 2**64 - 1, label >> 64


def joined(label: Label) -> int:
    return label[0] | label[1] << 64


def table_of(table: np.ndarray, control: np.ndarray, lane: int) -> Garbled:
    """The table of one lane: its pair (G0, G1), its G2 from the next row, and its control bits."""
    pair = split(number(table[:512].reshape(32, 16)[lane]))
    return Garbled((*pair, number(table[512:].reshape(32, 8)[lane])), tuple(int(bit) for bit in control))


def chunk_widths(gates: int, chunk: int) -> list[int]:
    return [min(chunk, gates - first) for first in range(0, gates, chunk)]


def number(label: np.ndarray) -> int:
    return int.from_bytes(label.tobytes(), "little")


def words(block: int) -> list[int]:
    return [block >> 32 * i & RING - 1 for i in range(4)]


def run_of_case(run_gadget, case, isa):
    """Inputs from SHAKE-128, so that the vectors do not depend on numpy's generators."""
    spec = GadgetSpec(**case["spec"])

    def stream(name: str, size: int) -> np.ndarray:
        text = f"pi-bench gadget vector {case['name']} {name}"
        return np.frombuffer(hashlib.shake_128(text.encode()).digest(size), np.uint8)

    u, v = stream("u", 128).view(np.uint32), stream("v", 128).view(np.uint32)
    return run_gadget(spec, u, v, isa=isa, stream=stream)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_slow_evaluator_reaches_the_kernels_answers(run_gadget, case, isa) -> None:
    run = run_of_case(run_gadget, case, isa)
    slow = [SlowEvaluator(run, lane, 0xABCDEF, 5).answer() for lane in range(32)]
    np.testing.assert_array_equal(run.z, np.array(slow, np.uint32))


@pytest.mark.parametrize("case", [case for case in VECTORS["cases"] if "three" in case["name"]],
                         ids=lambda case: case["name"])  # fmt: skip
def test_slow_garbler_makes_the_kernels_tables_of_three_halves(run_gadget, case, isa) -> None:
    """Every gate of some lanes, from both labels for 0 and delta by its eight linear equations."""
    run = run_of_case(run_gadget, case, isa)
    delta = split(number(run.delta))
    for lane in (0, 6, 13, 31):
        slow = SlowEvaluator(run, lane, 0xABCDEF, 5)
        u = int(run.u[lane]) + run.spec.offset + (1 << 30 if run.spec.kind == "truncate" else 0)
        carry = (0, 0)
        for gate in range(slow.gates):
            bit = u >> gate + (0 if run.spec.exact else run.spec.truncate_bits + run.spec.sign_drop) & 1
            zero = split(slow.labels[gate] ^ bit * number(run.delta))
            a, b = added(zero, carry), added(split(number(run.zero_labels[0, gate, lane])), carry)
            result, table = garble_and(a, b, delta, slow.hash_of_halves(gate))
            assert table == table_of(slow.tables[gate], slow.control[gate], lane)
            carry = added(carry, result)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_recorded_digests(run_gadget, case, isa) -> None:
    run = run_of_case(run_gadget, case, isa)
    assert {name: digest(getattr(run, name)) for name in case["sha256"]} == case["sha256"]


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_garbler_labels_and_keys_are_a_prf_of_their_place(run_gadget, case, isa) -> None:
    run = run_of_case(run_gadget, case, isa)
    spec, seed = run.spec, int.from_bytes(run.label_seed, "little")
    lift = 1 << 30 if spec.kind == "truncate" else 0
    first_bit = 0 if spec.exact else spec.truncate_bits + spec.sign_drop
    widths = chunk_widths(spec.gate_count, spec.label_chunk)
    sent = run.message[: len(widths) * 512].reshape(-1, 32, 16)
    for lane in (0, 1, 17, 31):
        u = int(run.u[lane]) + spec.offset + lift >> first_bit
        first = 0
        for width, received in zip(widths, sent[:, lane], strict=True):
            value = u >> first & (1 << width) - 1
            if width == 1:
                label = aes(seed, tweak(GARBLER_LABEL, 0xABCDEF, 5, first, lane))
                expected = label ^ value * number(run.delta)
            else:
                pointer = value ^ mask_of(seed, first, width, lane)
                expected = aes(seed, tweak(CHUNK_KEY, 0xABCDEF, 5, first << 4 | pointer, lane))
            assert number(received) == expected
            first += width


def mask_of(seed: int, first: int, width: int, lane: int) -> int:
    """A chunk's mask: bit t is that of gate first + t, four gates a block and 32 lanes a word."""
    blocks = [aes(seed, tweak(CHUNK_MASK, 0xABCDEF, 5, block)) for block in range(8)]
    return sum((words(blocks[gate // 4])[gate % 4] >> lane & 1) << gate - first
               for gate in range(first, first + width))  # fmt: skip


def test_choice_bits_and_correlation() -> None:
    spec = GadgetSpec("relu", 3, 9, False, 7)
    v = np.arange(64, dtype=np.uint32) * 0x01234567
    bits = np.unpackbits(gadgets.choice_bits(spec, v), bitorder="little").reshape(2, 7, 32)
    for group in range(2):
        for position in range(7):
            for lane in range(32):
                assert bits[group, position, lane] == int(v[32 * group + lane]) >> (3 + position) & 1
    window = (v.astype(np.int64) & 1023) >> 3
    expected = np.where(window >= 64, window - 128, window)
    np.testing.assert_array_equal(gadgets.correlation(spec, v).view(np.int32), expected)
    exact = GadgetSpec("truncate", 5, 31, True, 16)
    bits = np.unpackbits(gadgets.choice_bits(exact, v), bitorder="little").reshape(2, 6, 32)
    np.testing.assert_array_equal(bits[:, 5].reshape(-1), v >> 31)
    np.testing.assert_array_equal(bits[:, 4].reshape(-1), v >> 4 & 1)
