"""Nothing of an FSS gadget serves twice: the recorder that the contract suite uses, on several gadgets."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pi_bench.crypto import fss
from pi_bench.crypto.fss import FssCall, FssSpec
from pi_bench.crypto.randomness import random_words
from tests.fss_parties import LANES, Extensions, Material, play, prepare
from tests.fss_recorder import repeated, watch_fss

SPECS = [
    FssSpec("relu", 12, 23, False, 4095, 1),
    FssSpec("relu", 12, 28, False, 4095, 1),
    FssSpec("relu", 9, 20, True, 256),
    FssSpec("truncate", 12, 31, True, 2048),
]


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Counter]:
    found: dict[str, Counter] = {}

    def add(what: str, key: object, places: list[object]) -> None:
        found.setdefault(what, Counter()).update((bytes(key), place) for place in places)

    watch_fss(monkeypatch, add)
    return found


def run_slice(call: FssCall, extensions: Extensions, groups: int) -> Material:
    material = extensions.material(call.spec, groups)
    u, v, next_mask = random_words((3, groups * LANES))
    play(prepare(call.spec, v, material, call=call), u, next_mask, call=call)
    return material


def test_no_key_label_or_draw_is_used_twice(counts) -> None:
    """Two slices of each of several gadgets under one hash seed and one session's OTs."""
    extensions = Extensions()
    for number, spec in enumerate(SPECS):
        for first in (0, 3):
            run_slice(FssCall(spec, number, first), extensions, 2)
    assert repeated(counts) == []
    assert counts["fss server"] == counts["fss client"], "both parties hash at the same places"
    assert counts["fss server bundles"] == counts["fss client bundles"]
    assert {place[0] for _, place in counts["fss server"]} == {8, *range(20, 27)}


def test_a_second_table_on_the_same_labels_is_seen(counts) -> None:
    """With other choices it would give delta away; the labels and the places show it."""
    spec, extensions = SPECS[0], Extensions()
    call = FssCall(spec, 0, 0)
    material = extensions.material(spec, 1)
    labels = {}

    def kept(receiver, packed, count):
        if receiver not in labels:
            labels[receiver] = extensions.material(spec, 1).cots(receiver, packed, count)
        return labels[receiver]

    material.cots = kept
    prepare(spec, random_words((LANES,)), material, call=call)
    assert repeated(counts) == []
    material.choices = fss.draw_choices(spec, 1)
    prepare(spec, random_words((LANES,)), material, call=call)
    assert {"fss server", "fss client", "fss reverse active labels"} <= set(repeated(counts))


def test_what_a_second_table_would_show(counts) -> None:
    """The correction words of two tables that differ in one bit of the path add up to both deltas' sum."""
    spec, extensions = SPECS[0], Extensions()
    material = extensions.material(spec, 1)
    pairs = {
        receiver: np.zeros((2, 1, count, LANES, 16), np.uint8)
        for receiver, count in (("server", spec.choice_ots), ("client", spec.request_ots))
    }
    for receiver, pair in pairs.items():
        pair[0] = np.random.default_rng(1).integers(0, 256, pair.shape[1:], np.uint8)
        delta = extensions.client_delta if receiver == "server" else extensions.server_delta
        pair[1] = pair[0] ^ delta

    def labels(receiver, packed, count):
        bits = np.unpackbits(packed.view(np.uint8), bitorder="little").reshape(1, count, LANES, 1)
        return pairs[receiver][0], np.where(bits, pairs[receiver][1], pairs[receiver][0])

    material.cots = labels
    v = random_words((LANES,))
    words = []
    for flipped in (0, 0xFFFFFFFF):
        material.choices[8] ^= np.uint32(flipped)  # the bit that level 2 decides
        run = prepare(spec, v, material)
        words.append(run.bundles["server", 1] ^ run.bundles["client", 1])
    difference = (words[0] ^ words[1]).reshape(LANES, 16)
    assert np.array_equal(difference, np.tile(extensions.server_delta ^ extensions.client_delta, (LANES, 1)))
