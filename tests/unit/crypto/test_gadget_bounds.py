"""The parties' views, the effect of wrong material, and refusals at the boundary."""

from dataclasses import fields, replace

import numpy as np
import pytest

from pi_bench.crypto import gadget as gadgets
from pi_bench.crypto.gadget import (
    AcceptArguments,
    EncodeArguments,
    EvaluateArguments,
    GadgetCall,
    GadgetSpec,
    GarbleArguments,
    group_count,
)

RELU = GadgetSpec("relu", 4, 9, False, 15)
RELU_EXACT = GadgetSpec("relu", 4, 9, True, 8)
TRUNCATE = GadgetSpec("truncate", 6, 31, False, 63)
TRUNCATE_EXACT = GadgetSpec("truncate", 6, 31, True, 32)
RELU_CHUNKS = GadgetSpec("relu", 4, 9, False, 15, 3)
TRUNCATE_CHUNKS = GadgetSpec("truncate", 6, 31, True, 32, 4)
HALF_GATES = [RELU, RELU_EXACT, TRUNCATE, TRUNCATE_EXACT, RELU_CHUNKS, TRUNCATE_CHUNKS]
THREE_HALVES = [replace(spec, garbling="three-halves") for spec in (RELU, TRUNCATE_EXACT, RELU_CHUNKS)]
ALL = HALF_GATES + THREE_HALVES
KINDS = ["relu", "relu exact", "truncate", "truncate exact", "relu chunks", "truncate chunks"]
KINDS += [f"{kind}, three halves" for kind in ("relu", "truncate exact", "relu chunks")]


def balanced(bits: np.ndarray) -> bool:
    """Each column's mean is within 6.5 standard deviations of 1/2."""
    return bool(np.all(np.abs(bits.mean(axis=0) - 0.5) < 6.5 * 0.5 / np.sqrt(len(bits))))


@pytest.mark.parametrize("spec", ALL, ids=KINDS)
@pytest.mark.parametrize("x", [-5, 1000])
def test_what_is_sent_is_balanced_for_fixed_shares(run_gadget, isa, spec, x) -> None:
    """Equal u and v in every element: tables, labels, rows, e and z must still look random, and the
    colors of the garbler's wires with them."""
    groups = 128
    v = np.full(32 * groups, 0x9E3779B9, np.uint32)
    u = np.uint32(x % 2**32) - v
    run = run_gadget(spec, u, v, isa=isa)

    def bits(data: np.ndarray) -> np.ndarray:
        return np.unpackbits(data.view(np.uint8), bitorder="little")

    correction_words = (3 + 2 * spec.exact) if spec.kind == "relu" else (1 + spec.exact)
    rows = spec.garbled_group_bytes - 128 * correction_words
    sent = run.garbled_sent.reshape(groups, -1)
    if spec.garbling == "three-halves":
        begin, control = 768 * spec.gate_count, 12 * spec.gate_count
        halves = sent[:, :begin].reshape(groups, -1, 96, 8)  # pairs of 32 lanes, then halves of 32 lanes
        assert balanced(bits(halves[:, :, :64].copy()).reshape(groups * spec.gate_count * 32, -1))
        assert balanced(bits(halves[:, :, 64:].copy()).reshape(groups * spec.gate_count * 32, -1))
        packed = np.ascontiguousarray(sent[:, rows - control : rows])
        lanes = bits(packed).reshape(groups, -1, 32).swapaxes(1, 2)
        assert balanced(lanes.reshape(32 * groups, -1))
        tables = sent[:, begin : rows - control]
    else:
        tables = sent[:, :rows]
    tables = tables.reshape(groups, tables.shape[1] // 512, 32, 16).swapaxes(1, 2)
    assert balanced(bits(tables.copy()).reshape(32 * groups, tables.shape[2] * 128))
    words = np.ascontiguousarray(sent[:, rows:]).view(np.uint32).reshape(groups, -1, 32).swapaxes(1, 2)
    assert balanced(bits(words.copy()).reshape(32 * groups, -1))

    message = run.message.reshape(groups, -1)
    label_bytes = -(-spec.gate_count // spec.label_chunk) * 512
    labels = message[:, :label_bytes].reshape(groups, label_bytes // 512, 32, 16).swapaxes(1, 2)
    assert balanced(bits(labels.copy()).reshape(32 * groups, -1))
    if spec.label_chunk > 1:
        end = label_bytes + 4 * (spec.gate_count - (spec.gate_count % spec.label_chunk == 1))
        pointers = np.ascontiguousarray(message[:, label_bytes:end]).view("<u4")
        lanes = bits(pointers.copy()).reshape(groups, -1, 32).swapaxes(1, 2)
        assert balanced(lanes.reshape(32 * groups, -1))
        label_bytes = end
    assert balanced(bits(np.ascontiguousarray(message[:, -4:])).reshape(-1, 1))
    if spec.kind == "relu":
        payload = np.ascontiguousarray(message[:, label_bytes:-4])
        assert balanced(bits(payload).reshape(32 * groups, 32))
        # Even without r': the evaluator's sum is masked by the pad of the sign's label.
        assert balanced(bits(run.z + run.next_mask).reshape(32 * groups, 32))
    # The packed bits at the end of the state: the garbler's random bits and colors of zero labels.
    packed = (spec.state_group_bytes % 128) // 4
    state_bits = bits(np.ascontiguousarray(run.state.reshape(groups, -1)[:, -4 * packed :]))
    assert balanced(state_bits.reshape(groups, packed, 32).swapaxes(1, 2).reshape(-1, packed))


@pytest.mark.parametrize("spec", ALL, ids=KINDS)
def test_a_wrong_label_gives_a_wrong_result(run_gadget, isa, spec) -> None:
    """One flipped bit in the labels of one lane: that lane's results change (a truncation uses few
    bits of a pad, so some survive by chance), and no other lane's."""
    rng = np.random.default_rng(3)
    u, v = rng.integers(0, 2**32, (2, 32 * 16), np.uint32)
    run = run_gadget(spec, u, v, isa=isa)
    for position in range(spec.label_ots):
        for bit in (0, 127):
            labels = run.active_labels.copy()
            labels[:, position, 3, bit // 8] ^= 1 << bit % 8
            changed = (replay(run, isa, labels=labels) != run.z).reshape(16, 32).sum(axis=0)
            assert changed[3] >= 14, (position, bit)
            assert changed.sum() == changed[3]


@pytest.mark.parametrize("spec", ALL, ids=KINDS)
@pytest.mark.parametrize("field", ["hash_seed", "gadget", "first_group"])
def test_another_tweak_or_seed_gives_another_result(run_gadget, spec, field) -> None:
    rng = np.random.default_rng(4)
    u, v = rng.integers(0, 2**32, (2, 64), np.uint32)
    run = run_gadget(spec, u, v, isa="")
    changed = {"hash_seed": bytes(16), "gadget": 0xABCDEE, "first_group": 6}[field]
    z = replay(run, "", **{field: changed})
    assert np.count_nonzero(z == run.z) <= 2 if spec.gate_count else np.any(z != run.z)


def replay(run, isa, *, labels=None, hash_seed=None, gadget=0xABCDEF, first_group=5) -> np.ndarray:
    """The evaluator's side again, with one thing changed."""
    labels = run.active_labels if labels is None else labels
    hash_seed = run.hash_seed if hash_seed is None else hash_seed
    garbled, z = run.garbled_sent.copy(), np.zeros_like(run.z)
    call = GadgetCall(run.spec, gadget, first_group, isa=isa)
    gadgets.accept(call, AcceptArguments(hash_seed, run.v, labels, garbled))
    gadgets.evaluate(
        call,
        EvaluateArguments(hash_seed, run.v, run.beta, labels, garbled, run.message, run.next_mask, z),
    )
    return z


def test_sizes() -> None:
    """Derivation: 12 labels, 11 ANDs, 352 B of tables; at most 300 B online for a ReLU and 12 B for a
    truncation, both ways."""
    spec = GadgetSpec("relu", 12, 23, False, 4095)
    assert (spec.label_ots, spec.gate_count) == (12, 11)
    assert spec.garbled_group_bytes == 32 * (352 + 3 * 4)
    assert spec.online_group_bytes == 32 * (11 * 16 + 4) + 4
    dropped = GadgetSpec("relu", 12, 23, False, 4095, sign_drop=4)
    assert (dropped.label_ots, dropped.gate_count) == (8, 7)
    assert dropped.online_group_bytes == 32 * (7 * 16 + 4) + 4
    assert dropped.state_group_bytes == spec.state_group_bytes
    exact = GadgetSpec("relu", 12, 23, True, 2048)
    assert (exact.label_ots, exact.gate_count) == (24, 23)
    truncate = GadgetSpec("truncate", 12, 23, False, 4095)
    assert (truncate.label_ots, truncate.online_group_bytes) == (1, 4)
    assert GadgetSpec("truncate", 12, 23, True, 2048).label_ots == 13
    halves = GadgetSpec("relu", 12, 23, False, 4095, garbling="three-halves")
    assert halves.garbled_group_bytes == 32 * (11 * 24 + 3 * 4) + 11 * 3 * 4
    assert (halves.online_group_bytes, halves.state_group_bytes) == (
        spec.online_group_bytes, spec.state_group_bytes)  # fmt: skip
    assert [spec.uses_select for spec in ALL[:4]] == [True, True, False, False]
    assert [group_count(n) for n in (0, 1, 32, 33)] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("chunk", "keys_online", "chunked_bits", "unlock_blocks"),
    [(1, 11, 0, 0), (2, 6, 10, 5 * 3 * 2), (3, 4, 11, 3 * 7 * 3 + 3 * 2), (4, 3, 11, 2 * 15 * 4 + 7 * 3)],
)
def test_sizes_of_chunks(chunk, keys_online, chunked_bits, unlock_blocks) -> None:
    """11 labels of u: an odd bit is a plain label, two left over are a chunk; the rest as with labels."""
    plain = GadgetSpec("relu", 12, 23, False, 4095)
    spec = GadgetSpec("relu", 12, 23, False, 4095, chunk)
    assert spec.online_group_bytes == 32 * (16 * keys_online + 4) + 4 * chunked_bits + 4
    assert spec.garbled_group_bytes - plain.garbled_group_bytes == 32 * 16 * unlock_blocks
    assert (spec.label_ots, spec.state_group_bytes) == (plain.label_ots, plain.state_group_bytes)


@pytest.mark.parametrize(
    "numbers",
    [
        ("relu", 4, 9, False, 0, 1, -1),
        ("relu", 4, 9, False, 0, 1, 6),
        ("relu", 4, 9, True, 0, 1, 1),
        ("truncate", 4, 9, False, 0, 1, 1),
        ("relu", 4, 9, False, 0, 0),
        ("relu", 4, 9, False, 0, 5),
        ("relu", -1, 9, False, 0),
        ("relu", 10, 9, False, 0),
        ("relu", 4, 32, True, 0),
        ("truncate", 31, 31, False, 0),
        ("maxpool", 4, 9, False, 0),
        ("relu", 4, 9, False, 0, 1, 0, "four-halves"),
    ],
)
def test_impossible_gadgets_are_refused(numbers) -> None:
    with pytest.raises(ValueError):
        GadgetSpec(*numbers)


def call_garble(spec: GadgetSpec, **change: object) -> None:
    """Garbles two groups of zeros; `change` replaces fields of the call and of the buffers."""
    call = GadgetCall(spec, gadget=1, first_group=0)
    of_call = {field.name for field in fields(call)} & change.keys()
    arguments = replace(garble_arguments(spec), **{n: change[n] for n in change.keys() - of_call})
    gadgets.garble(replace(call, **{n: change[n] for n in of_call}), arguments)


def garble_arguments(spec: GadgetSpec) -> GarbleArguments:
    relu = spec.kind == "relu"
    return GarbleArguments(
        delta=b"\x01" + bytes(15),
        hash_seed=bytes(16),
        label_seed=bytes(16),
        zero_labels=np.zeros((2, spec.label_ots, 32, 16), np.uint8),
        select_bits=np.zeros(64, np.uint8) if relu else None,
        alpha=np.zeros(64, np.uint32) if relu else None,
        out_garbled=np.zeros(2 * spec.garbled_group_bytes, np.uint8),
        out_state=np.zeros(2 * spec.state_group_bytes, np.uint8),
    )


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"delta": bytes(16)}, "lowest bit"),
        ({"delta": b"\x01"}, "delta"),
        ({"hash_seed": bytes(15)}, "hash_seed"),
        ({"gadget": 1 << 24}, "24 bits"),
        ({"first_group": 2**32 - 1}, "32"),
        ({"zero_labels": np.zeros((1, 16), np.uint8)}, "zero_labels"),
        ({"select_bits": np.zeros(63, np.uint8)}, "select_bits"),
        ({"select_bits": None}, "select_bits"),
        ({"alpha": None}, "alpha"),
        ({"alpha": np.zeros(64, np.float32)}, "alpha"),
        ({"alpha": np.zeros(128, np.uint32)[::2]}, "alpha"),
        ({"out_garbled": np.zeros(1, np.uint8)}, "out_garbled"),
        ({"out_state": np.zeros(1, np.uint8)}, "out_state"),
        ({"out_state": bytes(2 * RELU.state_group_bytes)}, "read-?only|writable"),
    ],
)
def test_garble_refuses(change, error) -> None:
    call_garble(RELU)
    with pytest.raises((ValueError, TypeError, BufferError), match=error):
        call_garble(RELU, **change)


def test_a_truncation_refuses_the_reverse_ot() -> None:
    call_garble(TRUNCATE)
    with pytest.raises(ValueError, match="select_bits"):
        call_garble(TRUNCATE, select_bits=np.zeros(64, np.uint8))
    with pytest.raises(ValueError, match="alpha"):
        call_garble(TRUNCATE, alpha=np.zeros(64, np.uint32))
    with pytest.raises(ValueError, match="correlation"):
        gadgets.correlation(TRUNCATE, np.zeros(32, np.uint32))


@pytest.mark.parametrize("step", ["accept", "encode", "evaluate"])
def test_every_buffer_of_the_other_steps_has_its_size(run_gadget, step) -> None:
    spec = RELU_EXACT
    zero = np.zeros(64, np.uint32)
    run = run_gadget(spec, zero, zero, isa="")
    arguments = {
        "accept": AcceptArguments(run.hash_seed, run.v, run.active_labels, run.garbled),
        "encode": EncodeArguments(
            bytes(run.delta), run.label_seed, run.state, run.u, run.message, run.out_mask
        ),
        "evaluate": EvaluateArguments(
            run.hash_seed, run.v, run.beta, run.active_labels, run.garbled, run.message, run.next_mask, run.z
        ),
    }[step]
    function, call = getattr(gadgets, step), GadgetCall(spec, 1, 0)
    function(call, arguments)
    for field in fields(arguments):
        argument = getattr(arguments, field.name)
        wrong = argument[:-1] if isinstance(argument, bytes) else argument[:-1].copy()
        with pytest.raises(ValueError):
            function(call, replace(arguments, **{field.name: wrong}))


def test_errors_show_no_secret() -> None:
    secret = b"\x01" + b"SECRET-DELTA-15"
    wrong = [
        {"alpha": 7}, {"zero_labels": None}, {"out_state": bytes(3)}, {"alpha": np.zeros(3)},
        {"gadget": 1.5}, {"gadget": 1 << 32}, {"first_group": -1}, {"threads": "two"}, {"isa": None},
    ]  # fmt: skip
    for change in wrong:
        with pytest.raises((TypeError, ValueError, BufferError)) as caught:
            call_garble(RELU, delta=secret, **change)
        assert "SECRET" not in str(caught.value)
    assert "SECRET" not in repr(replace(garble_arguments(RELU), delta=secret))


def test_no_elements() -> None:
    empty = np.zeros(0, np.uint32)
    for spec in ALL:
        assert gadgets.choice_bits(spec, empty).size == 0
        arguments = EncodeArguments(b"\x01" + bytes(15), bytes(16), b"", empty, bytearray(), empty.copy())
        gadgets.encode(GadgetCall(spec, 0, 0), arguments)
