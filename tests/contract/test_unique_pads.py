"""No pad twice: every key with its tweak or counter that two inferences of one session use, recorded.

The schedule is modeled here from the tables of docs/threat-model.md, apart from the kernels, whose
bytes the golden vectors fix; the calls that it is applied to are those of the protocol.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto import gadget
from pi_bench.crypto.gadget import GadgetCall, GadgetSpec
from pi_bench.crypto.he import HeClient
from pi_bench.hybrid import multiplications, work_plan
from tests.fss_recorder import DRAWN_WORDS, repeated, watch_fss

Tweak = tuple[int, int, int, int, int]
"""Purpose, gadget, group, position, sub."""

LANES = 32
AND_OF_A, AND_OF_B, AND_OF_BOTH = 28, 29, 30
AND_GARBLER, AND_EVALUATOR, SIGN, TOP_BIT, CARRY, CHUNK, TRUNCATE_TOP, ADDITIVE = 1, 2, 3, 4, 5, 6, 8, 9
PRODUCT = 10
GATE_PURPOSES = {
    "half-gates": (AND_GARBLER, AND_EVALUATOR),
    "three-halves": (AND_OF_A, AND_OF_B, AND_OF_BOTH),
}
FERRET_TREE = 27
GARBLER_LABEL, GARBLER_BIT, CHUNK_KEY, CHUNK_MASK = 16, 17, 18, 19


def encoded(tweak: Tweak) -> int:
    """The 128-bit tweak; no field may reach into the next one."""
    value = 0
    for field, bits in zip(tweak, (8, 24, 32, 24, 8), strict=True):
        assert 0 <= field < 1 << bits, tweak
        value = value << bits | field
    return value << 32


def chunks(spec: GadgetSpec) -> Iterator[tuple[int, int]]:
    """First gate and width of each chunk; a width of 1 is a plain label."""
    for first in range(0, spec.gate_count, spec.label_chunk):
        yield first, min(spec.label_chunk, spec.gate_count - first)


def hashed(spec: GadgetSpec, outputs: list[int], number: int, groups: range) -> Iterator[Tweak]:
    """Tweaks of the adder's gates and chunks and of `outputs`."""
    parts = -(-LANES * (2**spec.label_chunk - 1) // 256)
    for group in groups:
        for gate in range(spec.gate_count):
            for purpose in GATE_PURPOSES[spec.garbling]:
                yield purpose, number, group, gate, 0
        for first, width in chunks(spec):
            if width > 1:
                for gate in range(first, first + width):
                    yield from ((CHUNK, number, group, gate, part) for part in range(parts))
        for purpose in outputs:
            yield purpose, number, group, spec.gate_count, 0


def drawn(spec: GadgetSpec, number: int, groups: range) -> Iterator[Tweak]:
    """Inputs of the PRF under the label seed."""
    for group in groups:
        for first, width in chunks(spec):
            for lane in range(LANES):
                if width == 1:
                    yield GARBLER_LABEL, number, group, first, lane
                else:
                    for pointer in range(2**width):
                        yield CHUNK_KEY, number, group, 16 * first + pointer, lane
        if any(width > 1 for _, width in chunks(spec)):
            yield from ((CHUNK_MASK, number, group, block, 0) for block in range(8))
        if spec.kind == "truncate":
            yield GARBLER_BIT, number, group, 0, 0


def carries(spec: GadgetSpec) -> list[int]:
    return [CARRY] if spec.exact and spec.truncate_bits > 0 else []


HYBRID_USES = {
    "garbler",
    "evaluator",
    "label seed",
    "delta",
    "delta online",
    "encoded",
    "additive sender",
    "additive receiver",
    "cot receiver",
    "cot sender",
    "base keys",
    "seeds of encryption",
}
"""By protocols with homomorphic products and garbled gadgets."""


TABLE_USES = {
    *(f"fss {party}{what}" for party in ("server", "client") for what in ("", " online", " bundles")),
    *(f"fss {labels} labels" for labels in ("reverse zero", "reverse active", "zero", "active")),
    *DRAWN_WORDS - {"fss server bits"},
}
"""By protocols with shared tables. The bits kappa of the server exist for truncations with a table alone."""


SILENT_USES = {
    *(f"ferret {role} {what}" for role in ("sender", "receiver") for what in ("nodes", "rows", "labels")),
    "ferret corrections",
}
"""By every protocol whose OTs Ferret extends. The sender hashes the same nodes for its corrections."""


class Uses:
    """Counts (key, tweak or counter) by user and purpose."""

    def __init__(self) -> None:
        self.of: dict[str, Counter] = {}

    def add(self, what: str, key: object, places: object) -> None:
        raw = bytes(key)  # type: ignore[call-overload]
        self.of.setdefault(what, Counter()).update((raw, place) for place in places)  # type: ignore[attr-defined]


@pytest.fixture
def uses(monkeypatch: pytest.MonkeyPatch) -> Uses:
    found = Uses()

    def watch(owner: object, name: str, note) -> None:
        original = getattr(owner, name)

        def watched(*arguments, **options):
            note(*arguments)
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, watched)

    def tweaks(places: Iterator[Tweak]) -> list[int]:
        return [encoded(place) for place in places]

    def groups_of(call: GadgetCall, element_count: int) -> range:
        return range(call.first_group, call.first_group + element_count // LANES)

    def garble(call: GadgetCall, arguments: gadget.GarbleArguments) -> None:
        spec, number = call.spec, call.gadget
        groups = groups_of(call, len(arguments.zero_labels) // spec.label_ots)
        outputs = [SIGN, TOP_BIT] if spec.kind == "relu" else [TRUNCATE_TOP]
        places = tweaks(hashed(spec, outputs + carries(spec), number, groups))
        found.add("garbler", arguments.hash_seed, places)
        found.add("label seed", arguments.label_seed, tweaks(drawn(spec, number, groups)))
        found.add("delta", arguments.delta, [(number, group) for group in groups])

    def encode(call: GadgetCall, arguments: gadget.EncodeArguments) -> None:
        groups = groups_of(call, arguments.u.size)
        found.add("encoded", arguments.label_seed, [(call.gadget, group) for group in groups])
        found.add("delta online", arguments.delta, [(call.gadget, group) for group in groups])

    def accept(call: GadgetCall, arguments: gadget.AcceptArguments) -> None:
        spec, groups = call.spec, groups_of(call, arguments.v.size)
        purpose = TOP_BIT if spec.kind == "relu" else TRUNCATE_TOP
        places = ((purpose, call.gadget, group, spec.gate_count, 0) for group in groups)
        found.add("evaluator", arguments.hash_seed, tweaks(places))

    def evaluate(call: GadgetCall, arguments: gadget.EvaluateArguments) -> None:
        spec, groups = call.spec, groups_of(call, arguments.v.size)
        outputs = ([SIGN] if spec.kind == "relu" else []) + carries(spec)
        found.add("evaluator", arguments.hash_seed, tweaks(hashed(spec, outputs, call.gadget, groups)))

    def additive(what: str):
        def note(hash_seed, number, first, labels, *_) -> None:
            count = labels.nbytes // (16 * LANES)
            places = ((ADDITIVE, number, group, 0, 0) for group in range(first, first + count))
            found.add(what, hash_seed, tweaks(places))

        return note

    def product(what: str):
        def note(hash_seed, number, first, bit_count, labels, *_) -> None:
            groups = labels.nbytes // (16 * LANES * bit_count)
            places = ((PRODUCT, number, first + i, bit, 0) for bit in range(bit_count) for i in range(groups))
            found.add(what, hash_seed, tweaks(places))

        return note

    def factors(hash_seed, number, first, bit_count, labels, factor, *_) -> None:
        """The server's masks t: one that came twice would show the difference of the masked values."""
        found.add("factors", b"", [int(word) for word in factor])

    def chunk_counters(what: str):
        def note(leaves, *arguments) -> None:
            first, count = arguments[:2] if what == "receiver" else arguments[1:3]
            found.add(f"cot {what}", leaves, range(first, first + -(-count // 2048)))

        return note

    def groups(role: str):
        """Notes the tweaks of the nodes, and the groups whose rows come from the code's seed."""

        def note(hash_seed, batch, first, count, levels, code_seed, *_) -> None:
            numbers = range(first, first + count)
            places = (
                (FERRET_TREE, batch, group, level, 0) for group in numbers for level in range(1, levels)
            )
            found.add(f"ferret {role} nodes", hash_seed, tweaks(places))
            found.add(f"ferret {role} rows", code_seed, numbers)

        return note

    def corrections(hash_seed, batch, count, levels, *_) -> None:
        places = (
            (FERRET_TREE, batch, group, level, 0) for group in range(count) for level in range(1, levels)
        )
        found.add("ferret corrections", hash_seed, tweaks(places))

    def given(role: str):
        def note(labels, count, *_) -> None:
            found.add(f"ferret {role} labels", b"", [bytes(label) for label in np.reshape(labels, (-1, 16))])

        return note

    watch_fss(monkeypatch, found.add)
    watch(_native.ferret, "correct", corrections)
    for role, making, choosing in (
        ("sender", "send", "derandomize_sender"),
        ("receiver", "receive", "derandomize_receiver"),
    ):
        watch(_native.ferret, making, groups(role))
        watch(_native.ferret, choosing, given(role))
    watch(gadget, "garble", garble)
    watch(gadget, "encode", encode)
    watch(gadget, "accept", accept)
    watch(gadget, "evaluate", evaluate)
    watch(_native.ot, "additive_send", lambda delta, *rest: additive("additive sender")(*rest))
    watch(_native.ot, "additive_receive", additive("additive receiver"))
    watch(_native.ot, "product_send", lambda delta, *rest: product("product sender")(*rest))
    watch(_native.ot, "product_receive", product("product receiver"))
    watch(_native.ot, "product_receive", factors)
    watch(_native.ot, "extend_receiver", chunk_counters("receiver"))
    watch(_native.ot, "extend_sender", chunk_counters("sender"))
    watch(_native.ot, "grow_trees", lambda roots, pairs, *_: found.add("base keys", pairs, [0]))
    watch(_native.he, "encrypt", lambda _s, _m, public, noise, *_: _seeds(found, public, noise))
    for keys in ("make_join_keys", "make_copy_keys"):
        watch(_native.he, keys, lambda _s, public, noise, *_: _seeds(found, public, noise))
    watch(_native.he, "respond", lambda *arguments: _seeds(found, arguments[7]))
    return found


def _seeds(found: Uses, *arrays: object) -> None:
    for array in arrays:
        for seed in np.frombuffer(array, np.uint8).reshape(-1, 16):  # type: ignore[call-overload]
            found.add("seeds of encryption", seed, [0])


def test_no_key_meets_a_tweak_or_counter_twice(
    secure_protocol, options, network, run, uses, monkeypatch
) -> None:
    _check_unique(secure_protocol, options, network, run, uses, monkeypatch)


def test_silent_ots_of_one_phase_share_no_key(secure_protocol, network, run, uses, monkeypatch) -> None:
    """The two inferences have the uses that two phases have."""
    options = secure_protocol.configure(None, {"ot": "ferret"}, ahead=2)
    _check_unique(secure_protocol, options, network, run, uses, monkeypatch)


def _check_unique(secure_protocol, options, network, run, uses, monkeypatch) -> None:
    monkeypatch.setattr(work_plan, "_ONLINE_SLICE_BYTES", 1)  # a slice a group, so that slices matter
    monkeypatch.setattr(work_plan, "OFFLINE_SLICE_OTS", 1)
    monkeypatch.setattr(multiplications, "OFFLINE_SLICE_OTS", 1)
    program, weights, inputs = network
    assert any(len(job.offline_slices) > 1 for job in work_plan.WorkPlan(program, options).gadget_jobs)
    inferences = max(2, options.ahead)
    run(secure_protocol, program, weights, [inputs[0]] * inferences, options)
    products = {"product sender", "product receiver", "factors"} if program.multiply_ops else set()
    if secure_protocol.name == "delphi":
        silent = SILENT_USES if options.values.get("ot") == "ferret" else set()
        assert set(uses.of) == products | HYBRID_USES | silent
    assert uses.of, "nothing that this protocol does is recorded: its keys need a note here"
    factors = uses.of.pop("factors", Counter())
    assert sum(factors.values()) - len(factors) <= 1, "uniform words, of which two may be alike"
    if getattr(secure_protocol.client, "uses_tables", False):
        assert uses.of.keys() >= TABLE_USES
        jobs = work_plan.WorkPlan(program, options, uses_tables=True).table_jobs
        truncates = any(job.table is not None and job.table.kind == "truncate" for job in jobs)
        assert ("fss server bits" in uses.of) == truncates
        _check_tables(uses, inferences)
    drawn = {what: uses.of.pop(what) for what in DRAWN_WORDS & uses.of.keys()}
    assert repeated(drawn) == []
    for what, places in uses.of.items():
        ((place, count),) = places.most_common(1)
        assert count == 1, f"{what}: {place} is used {count} times"
    if options.values.get("ot") == "ferret":
        _check_silent(uses, inferences)
    if uses.of.keys() >= HYBRID_USES:
        _check_hybrid(uses, inferences, bool(products))


def test_keys_of_encryption_share_no_seed(uses) -> None:
    """The encryption of zero, 6 join keys and 21 parts of copy keys: a public seed and a noise seed each."""
    HeClient().close()
    seeds = uses.of["seeds of encryption"]
    assert len(seeds) == seeds.total() == 2 * (1 + 6 + 21)


def _check_tables(uses: Uses, inferences: int) -> None:
    """Both parties hash the same places, under a seed that nothing else uses, and grow each node once."""
    for what in ("", " online", " bundles"):
        assert uses.of[f"fss server{what}"] == uses.of[f"fss client{what}"], what
    seeds = {seed for seed, _ in uses.of["fss server"]}
    assert len(seeds) == inferences, "fresh for each inference"
    for what in ("garbler", "evaluator", "additive sender", "product sender"):
        assert not seeds & {seed for seed, _ in uses.of.get(what, ())}, what


def _check_silent(uses: Uses, inferences: int) -> None:
    """Both parties grow the same trees, and each inference and direction has seeds of its own."""
    assert uses.of["ferret sender nodes"] == uses.of["ferret receiver nodes"] == uses.of["ferret corrections"]
    assert uses.of["ferret sender rows"] == uses.of["ferret receiver rows"]
    seeds = [{seed for seed, _ in uses.of[f"ferret sender {what}"]} for what in ("nodes", "rows")]
    assert [len(found) for found in seeds] == [2 * inferences] * 2 and not seeds[0] & seeds[1]
    for what in uses.of.keys() - SILENT_USES:
        assert not (seeds[0] | seeds[1]) & {seed for seed, _ in uses.of[what]}, what


def _check_hybrid(uses: Uses, inferences: int, has_products: bool) -> None:
    """Both parties use the same keys at the same places, and one purpose never another's."""
    assert uses.of["garbler"] == uses.of["evaluator"]
    assert uses.of["additive sender"] == uses.of["additive receiver"]
    assert not set(uses.of["garbler"]) & set(uses.of["additive sender"])
    if has_products:
        assert uses.of["product sender"] == uses.of["product receiver"]
        assert not set(uses.of["product sender"]) & set(uses.of["additive sender"])
        assert {key for key, _ in uses.of["product sender"]} == {key for key, _ in uses.of["additive sender"]}
    assert uses.of["delta"] == uses.of["delta online"]
    assert {seed for seed, _ in uses.of["label seed"]} == {seed for seed, _ in uses.of["encoded"]}
    for what in ("garbler", "label seed", "delta", "additive sender"):
        assert len({key for key, _ in uses.of[what]}) == inferences, f"{what}: fresh for each inference"
    fresh = len({key for key, _ in uses.of["cot receiver"]}) - 1  # without the reverse instance
    assert fresh == inferences, "an instance for each inference"
