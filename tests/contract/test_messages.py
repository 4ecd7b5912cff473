"""Every protocol gives the integer network's answer, by the law of its mode. Its messages are predicted to
the byte, the same for every input, uniform where they are opened, and never the same twice.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pi_bench.arithmetic.activation_law import EXACT
from pi_bench.crypto.he import public_key_bytes
from pi_bench.errors import UsageError
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.compiler import compile_graph
from pi_bench.network.execution.reference import activation_reference, run_reference
from pi_bench.network.graph import Graph, InputNode, LinearNode, OutputNode, ReluNode
from pi_bench.network.graph.float_run import calibrate
from pi_bench.network.program.fixed_point import encode_input
from pi_bench.protocol import Party
from pi_bench.protocol.script import Purpose
from pi_bench.registry import find_protocol
from tests.contract.conftest import check_law, honest_inputs
from tests.packages import toy_on_path


def _shape(messages) -> list[tuple]:
    return [(m.sender, m.op_id, m.part, len(m.payload)) for m in messages]


def _of(messages, phase: str, sender: Party) -> list:
    return [m for m in messages if m.phase.startswith(phase) and m.sender is sender]


def _size(messages, ahead: int) -> int:
    """The payload bytes per inference. Those of each operator and part are divided and rounded down."""
    sizes: Counter[tuple[int, str]] = Counter()
    for message in messages:
        sizes[message.op_id, message.part] += len(message.payload)
    return sum(size // ahead for size in sizes.values())


def test_each_activation_follows_the_law(protocol, options, network, honest) -> None:
    """Where shares do not enter the law, every value is the reference's, end to end."""
    program, weights, _ = network
    law = protocol.law(options)
    for encoded, outcome in zip(honest_inputs(network), honest(protocol, network, options), strict=True):
        check_law(program, weights, outcome, law, encoded)
        if not law.depends_on_shares:
            reference = run_reference(program, weights, encoded, law)
            for op in program.activation_ops:
                np.testing.assert_array_equal(outcome.value(f"a:{op.id}"), reference.values[op.id], op.name)
            np.testing.assert_array_equal(outcome.output, reference.values[program.output.source])


def test_windowed_activations_are_one_unit_off_at_most(protocol, options, network, honest) -> None:
    if options.mode != "windowed":
        pytest.skip("another mode")
    program = network[0]
    outcome = honest(protocol, network, options)[0]
    for op in program.activation_ops:
        x = outcome.value(f"x:{op.source}")
        exact = activation_reference(op, x, np.zeros_like(x), EXACT)
        difference = (outcome.value(f"a:{op.id}") - exact).view(np.int32)
        assert np.abs(difference).max() <= 1, op.name


def test_a_wrong_share_breaks_the_law(honest, small_network) -> None:
    """The check above can fail: one flipped bit in one share is seen."""
    program, weights, inputs = small_network
    protocol = find_protocol("delphi")
    outcome = copy.deepcopy(honest(protocol, small_network, None)[0])
    share = outcome.traces[Party.SERVER].arrays[f"a:{program.activation_ops[0].id}"]
    share.reshape(-1)[0] ^= 1 << 7
    with pytest.raises(AssertionError):
        check_law(program, weights, outcome, protocol.law(protocol.configure()), inputs[0])


def test_bytes_equal_the_prediction(protocol, options, network, honest) -> None:
    program, ahead = network[0], options.ahead
    outcome = honest(protocol, network, options)[0]
    predicted = protocol.predict(program, options)
    for party in Party:
        offline = _of(outcome.transcript, "offline", party)
        online = _of(outcome.transcript, "online", party)
        assert _size(offline, ahead) == predicted.offline[party]
        assert sum(len(m.payload) for m in online) == predicted.online[party]
        for part, senders in predicted.offline_parts.items():
            assert _size([m for m in offline if m.part == part], ahead) == senders[party]
        for op_id, senders in predicted.online_ops.items():
            assert sum(len(m.payload) for m in online if m.op_id == op_id) == senders[party]


def test_every_part_with_bytes_has_the_sentence_that_its_protocol_declares(
    protocol, options, network
) -> None:
    used = protocol.predict(network[0], options).offline_parts
    assert not protocol.secure or set(used) <= set(protocol.parts)
    assert all(sentence.endswith(".") for sentence in protocol.parts.values())


def test_offline_bytes_are_divided_by_purpose_without_a_rest(protocol, options, network) -> None:
    predicted = protocol.predict(network[0], options)
    for party in Party:
        divided = sum(sent.get(party, 0) for sent in predicted.offline_purposes.values())
        assert divided == predicted.offline[party]


def test_offline_bytes_of_relus_and_of_truncations_are_those_of_their_messages(
    secure_protocol, small_network, honest
) -> None:
    """Messages name their activation. One of the network has elements of both kinds."""
    program, options = small_network[0], secure_protocol.configure()
    outcome = honest(secure_protocol, small_network, options)[0]
    predicted = secure_protocol.predict(program, options).offline_purposes
    relus = [op.id for op in program.activation_ops if op.relu_count and not op.truncation_count]
    truncations = [op.id for op in program.activation_ops if op.truncation_count and not op.relu_count]
    (both,) = {op.id for op in program.activation_ops} - {*relus, *truncations}
    assert relus and truncations
    for party in Party:
        sent = _of(outcome.transcript, "offline", party)
        of_relus, of_truncations, mixed = (
            sum(len(message.payload) for message in sent if message.op_id in ids)
            for ids in (relus, truncations, [both])
        )
        assert of_relus < predicted[Purpose.RELU][party] < of_relus + mixed
        assert of_truncations < predicted[Purpose.TRUNCATION][party] < of_truncations + mixed
        named = predicted[Purpose.RELU][party] + predicted[Purpose.TRUNCATION][party]
        assert named == of_relus + of_truncations + mixed
        products = sum(len(message.payload) for message in sent if message.part == "he")
        assert products == predicted[Purpose.LINEAR][party] > 0


def test_null_sends_the_messages_of_the_protocol_it_plays(protocol, options, network, honest, run) -> None:
    """The same messages in every phase, although the server computes in the clear."""
    if protocol.script is None:
        with pytest.raises(UsageError, match=f"{protocol.name} has no script"):
            find_protocol(f"null:{protocol.name}")
        return
    described = honest(protocol, network, options)[0]
    with toy_on_path():
        null_protocol = find_protocol(f"null:{protocol.name}")
    program, weights, inputs = network
    (null,) = run(null_protocol, program, weights, inputs[:1], options)
    assert all(_of(described.transcript, "online", party) for party in Party)
    for party in Party:
        assert _shape(_of(described.set_up, "set-up", party)) == _shape(_of(null.set_up, "set-up", party))
        for phase in ("offline", "online"):
            expected = _shape(_of(described.transcript, phase, party))
            assert _shape(_of(null.transcript, phase, party)) == expected


def test_lengths_do_not_depend_on_secrets(secure_protocol, options, network, honest, run) -> None:
    """Another input, other weights, zeros among both: the same messages of each party.

    Every second array of weights is all zero, and the others have the opposite sign.
    """
    program, weights, inputs = network
    others = {
        name: np.zeros_like(array) if i % 2 else (-array.astype(np.int64)).astype(array.dtype)
        for i, (name, array) in enumerate(weights.items())
    }
    first, _, zeros = honest(secure_protocol, network, options)
    (other,) = run(secure_protocol, program, others, [inputs[1]], options)
    for party in Party:
        for phase in ("offline", "online"):
            assert _shape(_of(other.transcript, phase, party)) == _shape(_of(first.transcript, phase, party))
        assert _shape(_of(other.set_up, "", party)) == _shape(_of(first.set_up, "", party))
        assert _shape(_of(zeros.transcript, "online", party)) == _shape(
            _of(first.transcript, "online", party)
        )


def test_two_inferences_share_nothing(secure_protocol, options, network, honest) -> None:
    """Equal inputs twice in one session: no mask, label or table repeats."""
    first, second, _ = honest(secure_protocol, network, options)
    for party in Party:
        for name, share in first.traces[party].arrays.items():
            assert not np.array_equal(share, second.traces[party].arrays[name]), (party, name)
    payloads = [
        {m.payload for m in outcome.transcript if len(m.payload) >= 16} for outcome in (first, second)
    ]
    assert not payloads[0] & payloads[1]


FALSE_ALARM = 1e-6
RUN_COUNT = 4
MIN_BYTES = 5 * 256


def _assert_uniform(data: bytes, what: str, test_count: int) -> None:
    """Chi-square over byte values, bounded so that all tests together raise a false alarm with a
    probability of at most FALSE_ALARM (Laurent and Massart 2000, lemma 1)."""
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
    expected = len(data) / 256
    assert len(data) >= MIN_BYTES, f"{what}: too little data for the test"
    statistic = float(((counts - expected) ** 2 / expected).sum())
    t = math.log(test_count / FALSE_ALARM)
    bound = 255 + 2 * math.sqrt(255 * t) + 2 * t
    assert statistic < bound, f"{what}: chi-square {statistic:.0f}, bound {bound:.0f}"


def test_what_is_opened_is_uniform(secure_protocol, options, network, honest) -> None:
    """The server sees x - r; the client sees labels, words and bits: two equal inputs, one of zeros and
    constant weights must not show in either. Each message kind is pooled over the three runs."""
    program = network[0]
    pools: dict[str, bytes] = {}
    for outcome in honest(secure_protocol, network, options):
        for message in outcome.transcript:
            if message.op_id == program.output.id:
                continue  # the logits' share: the client may know its content
            if message.part == "he":
                continue  # 50-bit residues are not uniform bytes: tested in crypto/he
            kind = f"{message.phase.split()[0]} {message.part} from the {message.sender}"
            pools[kind] = pools.get(kind, b"") + message.payload
    phases = {(kind.split()[0], kind.split()[-1]) for kind in pools}
    assert phases == {(phase, party.value) for phase in ("offline", "online") for party in Party}
    for kind in [kind for kind, data in pools.items() if len(data) < MIN_BYTES]:
        phase, _, rest = kind.partition(" ")
        other = next(
            other
            for other in pools
            if other != kind and other.startswith(phase) and other.split()[-1] == rest.split()[-1]
        )
        pools[other] += pools.pop(kind)  # a kind with few bytes is tested with another of the same sender
    for kind, data in pools.items():
        _assert_uniform(data, kind, len(pools))


def test_the_clients_share_hides_products_and_bias(secure_protocol, small_network, run) -> None:
    """With zero weights the client's share is the server's mask alone: uniform, whatever the weights."""
    program, weights, inputs = small_network
    zero = {name: np.zeros_like(array) for name, array in weights.items()}
    weighted = [op for op in program.linear_ops if any(term.weighted is not None for term in op.terms)]
    assert len(weighted) == 5
    outcomes = run(secure_protocol, program, zero, [inputs[0]] * RUN_COUNT, secure_protocol.mode_names[0])
    top_bytes = b"".join(
        (outcome.traces[Party.CLIENT].arrays[f"x:{op.id}"] >> np.uint32(24)).astype(np.uint8).tobytes()
        for outcome in outcomes
        for op in weighted
    )
    _assert_uniform(top_bytes, "the client's share of weighted values", 1)


def test_the_uniformity_test_can_fail() -> None:
    with pytest.raises(AssertionError, match="chi-square"):
        _assert_uniform(bytes(range(128)) * 64, "half of all values", 1)


@pytest.mark.parametrize(("width", "copies"), [(100, True), (4, False)])
def test_copy_keys_are_sent_where_an_operator_copies_its_inputs(width, copies, run) -> None:
    """The result is right with the keys and without them, and the script has their bytes."""
    nodes = (
        InputNode("input", (), (512,)),
        LinearNode("wide", ("input",), (width,), "wide", None),
        ReluNode("relu", ("wide",), (width,)),
        LinearNode("last", ("relu",), (1,), "last", None),
        OutputNode("output", ("last",), (1,)),
    )
    generator = np.random.default_rng(0)
    parameters = {"wide": generator.normal(size=(width, 512)), "last": generator.normal(size=(1, width))}
    graph = Graph(nodes, {name: array.astype(np.float32) for name, array in parameters.items()})
    samples = generator.normal(size=(4, 512)).astype(np.float32)
    program, weights = compile_graph(replace(graph, ranges=calibrate(graph, samples)))
    info = find_protocol("delphi")
    options = info.configure("exact")
    assert WorkPlan(program, options).needs_copy_keys == copies
    encoded = encode_input(program, samples[0])
    (outcome,) = run(info, program, weights, [encoded], options)
    (sent,) = [m for m in outcome.set_up if m.part == "he"]
    (scripted,) = [m for m in info.script(program, options).set_up if m.part == "he"]
    assert len(sent.payload) == scripted.byte_count == public_key_bytes(copy_keys=copies)
    values = run_reference(program, weights, encoded).values
    assert np.array_equal(outcome.output, values[program.output.source])
