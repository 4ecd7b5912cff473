"""Records every key with its tweak, every label and every draw that the FSS steps use.

The places are modeled here from the table of docs/threat-model-fss.md, apart from the kernels, whose
bytes the known answers fix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pi_bench.crypto import fss
from pi_bench.crypto.fss import FssCall, FssSpec
from pi_bench.crypto.ot_extension import CotReceiver, CotSender

Tweak = tuple[int, int, int, int, int]
"""Purpose, gadget, group, position, sub."""

LANES = 32
BUTTERFLY, LEVEL, LEAF, PAYLOAD, WRAP, CHOICE, CARRY_PRODUCT, TRUNCATE_TOP = 20, 21, 22, 23, 24, 25, 26, 8
DIGIT = 7


def tables(spec: FssSpec) -> dict[int, int]:
    """Bits of each table by its number: 0 for the sign's, 1 for the carry's."""
    carry = spec.exact and spec.truncate_bits > 0
    found = {1: spec.truncate_bits} if carry else {}
    if spec.kind == "relu":
        found[0] = spec.window_bits - spec.truncate_bits - spec.sign_drop + int(carry)
    return found


def products(spec: FssSpec, number: int, groups: range) -> Iterator[Tweak]:
    """Places of a request and its answer: butterflies, products and keys."""
    for group in groups:
        for table, bits in tables(spec).items():
            yield from ((BUTTERFLY, number, group, bit, table) for bit in range(bits))
        if 1 in tables(spec):
            yield CARRY_PRODUCT, number, group, 0, 0
        if spec.kind == "truncate":
            yield TRUNCATE_TOP, number, group, 0, 0
        else:
            yield WRAP, number, group, 0, 0
            yield CHOICE, number, group, 0, 0
            yield from ((PAYLOAD, number, group, version, 0) for version in range(spec.share_versions // 2))


def nodes(spec: FssSpec, number: int, groups: range, level: int) -> Iterator[Tweak]:
    """Places of the nodes of a tree level."""
    for group in groups:
        for table, bits in tables(spec).items():
            levels, first = max(0, bits - DIGIT), (bits - 1) % DIGIT + 1
            if level < levels:
                yield LEVEL, number, group, level, table
            if level <= levels and level >= first and (level - first) % DIGIT == 0:
                yield LEAF, number, group, level, table


class FssUses:
    """Counts (key, place) by party and step."""

    def __init__(self, add: Callable[[str, object, list[object]], None]) -> None:
        self._add = add

    def request(self, call: FssCall, arguments: fss.RequestArguments) -> None:
        groups = self._groups(call, arguments.v.size // LANES)
        self._offline("client", call, groups, arguments.hash_seed)
        self._labels("fss reverse zero labels", arguments.choice_labels)
        self._labels("fss active labels", arguments.request_labels)
        self._add("fss client bits", b"", words(arguments.bits))

    def answer(self, call: FssCall, arguments: fss.AnswerArguments) -> None:
        groups = self._groups(call, arguments.choices.size // call.spec.choice_ots)
        self._offline("server", call, groups, arguments.hash_seed)
        self._labels("fss reverse active labels", arguments.choice_labels)
        self._labels("fss zero labels", arguments.request_labels)
        self._add("fss choices", b"", words(arguments.choices))
        if arguments.bits.size:
            self._add("fss server bits", b"", words(arguments.bits))

    def grow(self, call: FssCall, arguments: fss.GrowArguments) -> None:
        size = call.spec.bundle_group_bytes(arguments.level)
        groups = self._groups(call, memoryview(arguments.received).nbytes // size)
        places = list(nodes(call.spec, call.gadget, groups, arguments.level + 1))
        self._add(f"fss {arguments.party}", arguments.hash_seed, places)
        taken = [(call.gadget, group, arguments.level) for group in groups]
        self._add(f"fss {arguments.party} bundles", arguments.hash_seed, taken)

    def encode(self, call: FssCall, arguments: fss.FssEncodeArguments) -> None:
        self._online("server", call, self._groups(call, arguments.u.size // LANES), arguments.hash_seed)

    def evaluate(self, call: FssCall, arguments: fss.FssEvaluateArguments) -> None:
        groups = self._groups(call, arguments.next_mask.size // LANES)
        self._online("client", call, groups, arguments.hash_seed)
        self._add("fss next masks", b"", words(arguments.next_mask))

    def _groups(self, call: FssCall, count: int) -> range:
        return range(call.first_group, call.first_group + count)

    def _offline(self, party: str, call: FssCall, groups: range, seed: object) -> None:
        self._add(f"fss {party}", seed, list(products(call.spec, call.gadget, groups)))
        self._add(f"fss {party}", seed, list(nodes(call.spec, call.gadget, groups, 1)))

    def _online(self, party: str, call: FssCall, groups: range, seed: object) -> None:
        self._add(f"fss {party} online", seed, [(call.gadget, group) for group in groups])

    def _labels(self, what: str, labels: np.ndarray) -> None:
        self._add(what, b"", [label.tobytes() for label in labels.reshape(-1, 16)])


def words(array: np.ndarray) -> list[object]:
    return [int(word) for word in array]


def watch_fss(monkeypatch: pytest.MonkeyPatch, add: Callable[[str, object, list[object]], None]) -> None:
    """Lets `add(what, key, places)` see every step from now on."""
    uses = FssUses(add)
    for name in ("request", "answer", "grow", "encode", "evaluate"):
        original, note = getattr(fss, name), getattr(uses, name)

        def watched(call, arguments, original=original, note=note):
            note(call, arguments)
            return original(call, arguments)

        monkeypatch.setattr(fss, name, watched)
    _extend_before(monkeypatch)


class _Labels:
    """Takes the place of `PostponedOts`, with labels in memory."""

    def __init__(self, labels: np.ndarray) -> None:
        self._labels = labels

    def take(self) -> np.ndarray:
        return self._labels


def _extend_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Extends OTs before the steps that use them, which would make the labels where nobody sees them."""

    def postpone(sender: CotSender, message: object, count: int) -> _Labels:
        labels = np.empty(16 * count, np.uint8).reshape(count, 16)
        sender.extend(message, count, labels)
        return _Labels(labels)

    def extend_within(receiver: CotReceiver, choices: np.ndarray, count: int) -> tuple[bytearray, _Labels]:
        labels = np.empty(16 * count, np.uint8).reshape(count, 16)
        return receiver.extend(choices, count, labels), _Labels(labels)

    monkeypatch.setattr(CotSender, "postpone", postpone)
    monkeypatch.setattr(CotReceiver, "extend_within", extend_within)


DRAWN_WORDS = {"fss client bits", "fss server bits", "fss choices", "fss next masks"}
"""Uniform words of 32 bits, of which two may be alike by chance."""


def repeated(counts: dict[str, Counter]) -> list[str]:
    """The names of pads that were used more than once."""
    return [
        what for what, places in counts.items() if sum(places.values()) - len(places) > (what in DRAWN_WORDS)
    ]
