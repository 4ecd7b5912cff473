"""Nothing of an FSS gadget serves twice: the recorder that the contract suite uses, on several gadgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from pi_bench.crypto import fss
from pi_bench.crypto.fss import FssCall, FssSpec
from pi_bench.crypto.randomness import random_words
from tests.fss_parties import LANES, Extensions, FssRun, Material, prepare, restored, run_online
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
    run_online(prepare(call.spec, v, material, call=call), u, next_mask, call=call)
    return material


def test_no_key_label_or_draw_is_used_twice(counts) -> None:
    """Two slices of each of several gadgets under one hash seed and one session's OTs."""
    extensions = Extensions()
    for number, spec in enumerate(SPECS):
        for first in (0, 3):
            run_slice(FssCall(spec, number, first), extensions, 2)
    assert repeated(counts) == []
    assert "fss server bits" in counts
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


def test_what_a_second_message_of_one_state_would_show() -> None:
    """The opened indices of two messages differ as the values do. A copy of the state represents a restored
    process; the next test shows that the state itself is refused."""
    spec = SPECS[0]
    u, other, v = random_words((3, LANES))
    run = prepare(spec, v, Extensions().material(spec, 1))
    copied = restored(run)
    sign_shift, sign_bits = spec.truncate_bits + spec.sign_drop, 11
    indices = []
    for state, share in ((run, u), (copied, other)):
        message = run_online(state, share, random_words((LANES,))).message
        planes = message.view(np.uint32)[LANES : LANES + sign_bits]
        bits = planes[:, None] >> np.arange(LANES) & 1  # (position, lane)
        indices.append((bits << np.arange(sign_bits)[:, None]).sum(axis=0))
    values = [(share + np.uint32(spec.offset)) >> sign_shift & 2**sign_bits - 1 for share in (u, other)]
    assert np.array_equal(indices[0] ^ indices[1], values[0] ^ values[1])


@pytest.mark.parametrize("spec", SPECS)
def test_a_state_takes_each_step_once(spec) -> None:
    """A refused call changes neither the state nor the message."""
    run = prepare(spec, random_words((LANES,)), Extensions().material(spec, 1), call=call_of(spec))
    states = {"server": run.server_state, "client": run.client_state}
    steps = [
        partial(fss.grow, call_of(spec), grow_arguments(run, party, states[party], level))
        for party in states
        for level in range(1, spec.bundle_count + 1)
    ]
    if spec.opening_group_bytes:
        steps.append(partial(fss.accept_opening, spec, run.opening, run.client_state))
    u, next_mask = random_words((2, LANES))
    check_refused(steps, list(states.values()))
    run_online(run, u, next_mask, call=call_of(spec))
    online = [partial(fss.encode, call_of(spec), encode_arguments(run, u))]
    online.append(partial(fss.evaluate, call_of(spec), evaluate_arguments(run, next_mask)))
    check_refused(steps + online, [*states.values(), run.message, run.kept, run.z, run.answer])


@pytest.mark.parametrize("spec", SPECS)
def test_no_message_is_made_before_the_last_bundle(spec, monkeypatch) -> None:
    grow = fss.grow
    monkeypatch.setattr(
        fss, "grow", lambda call, record: record.level < spec.bundle_count and grow(call, record)
    )
    run = prepare(spec, random_words((LANES,)), Extensions().material(spec, 1), call=call_of(spec))
    run.message, run.kept = (
        np.zeros(size, np.uint8) for size in (spec.online_group_bytes, spec.kept_group_bytes)
    )
    run.z, run.answer = np.zeros(LANES, np.uint32), np.zeros(spec.answer_group_bytes // 4, np.uint32)
    words = random_words((LANES,))
    early = [partial(fss.encode, call_of(spec), encode_arguments(run, words))]
    early.append(partial(fss.evaluate, call_of(spec), evaluate_arguments(run, words)))
    check_refused(early, [run.message, run.kept, run.z, run.answer])


@pytest.mark.parametrize("spec", SPECS)
def test_memory_of_zeros_is_no_state(spec) -> None:
    """Fresh pages and a burned arena hold zeros: they would mask nothing, and the message would show u."""
    run = prepare(spec, random_words((LANES,)), Extensions().material(spec, 1), call=call_of(spec))
    run.message, run.kept = (
        np.zeros(size, np.uint8) for size in (spec.online_group_bytes, spec.kept_group_bytes)
    )
    run.z, run.answer = np.zeros(LANES, np.uint32), np.zeros(spec.answer_group_bytes // 4, np.uint32)
    states = {"server": run.server_state, "client": run.client_state}
    words = random_words((LANES,))
    for bundles in range(spec.bundle_count + 1):
        for state in states.values():
            state[:] = 0
            state.view(np.uint32)[-1] = bundles
        steps = [partial(fss.encode, call_of(spec), encode_arguments(run, words))]
        steps.append(partial(fss.evaluate, call_of(spec), evaluate_arguments(run, words)))
        steps += [
            partial(fss.grow, call_of(spec), grow_arguments(run, party, states[party], bundles + 1))
            for party in states
            if bundles < spec.bundle_count
        ]
        if spec.opening_group_bytes:
            steps.append(partial(fss.accept_opening, spec, run.opening, run.client_state))
        check_refused(steps, [*states.values(), run.message, run.kept, run.z, run.answer])


def call_of(spec: FssSpec) -> FssCall:
    return FssCall(spec, gadget=9, first_group=0)


def grow_arguments(run: FssRun, party: str, state: np.ndarray, level: int) -> fss.GrowArguments:
    spec, material = run.spec, run.material
    delta = material.server_delta if party == "server" else material.client_delta
    received = run.bundles["client" if party == "server" else "server", level]
    following = np.zeros(spec.bundle_group_bytes(level + 1) if level < spec.bundle_count else 0, np.uint8)
    scratch = np.zeros(spec.scratch_group_bytes, np.uint8)
    return fss.GrowArguments(party, delta, material.hash_seed, level, received, state, scratch, following)


def encode_arguments(run: FssRun, u: np.ndarray) -> fss.FssEncodeArguments:
    material = run.material
    return fss.FssEncodeArguments(
        material.server_delta, material.hash_seed, run.server_state, u, run.message, run.kept
    )


def evaluate_arguments(run: FssRun, next_mask: np.ndarray) -> fss.FssEvaluateArguments:
    material = run.material
    buffers = (run.client_state, run.message, next_mask, run.z, run.answer)
    return fss.FssEvaluateArguments(material.client_delta, material.hash_seed, *buffers)


def check_refused(steps: list[Callable[[], None]], arrays: list[np.ndarray]) -> None:
    before = [array.copy() for array in arrays]
    for step in steps:
        with pytest.raises(ValueError, match="a second time or too early"):
            step()
    assert all(map(np.array_equal, arrays, before))


@pytest.mark.parametrize(
    "spec",
    [
        *(FssSpec("relu", 12, top, False, 4095, 1) for top in (20, 21, 22, 23, 28)),
        *(FssSpec("relu", 12, top, True, 2048) for top in (20, 23)),  # trees of 2 and 5, and of 5 and 5
        FssSpec("relu", 9, 20, True, 256),
        FssSpec("truncate", 12, 31, True, 2048),
    ],
    ids=lambda spec: f"{spec.kind}-{spec.truncate_bits}-{spec.window_bits}-{spec.exact}",
)
def test_the_last_level_leaves_no_node(spec: FssSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees of 0 to 8 levels, and two trees. The nodes give delta and every entry of the table away."""
    seen: dict[str, list[bool]] = {"server": [], "client": []}
    original = fss.grow

    def grow(call: FssCall, arguments: fss.GrowArguments) -> None:
        original(call, arguments)
        seen[arguments.party].append(bool(np.any(arguments.scratch)))

    monkeypatch.setattr(fss, "grow", grow)
    groups = 2
    prepare(spec, np.zeros(groups * LANES, np.uint32), Extensions().material(spec, groups))
    for nodes in seen.values():
        assert nodes == [True] * (spec.bundle_count - 1) + [False] * (spec.bundle_count > 0)
