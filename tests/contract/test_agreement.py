"""Every protocol gives the integer network's answer, by the law of its mode."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from pi_bench.arithmetic.activation_law import EXACT, WINDOWED
from pi_bench.errors import UsageError
from pi_bench.network.execution.reference import activation_reference, linear_reference, run_reference
from pi_bench.network.program import ActivationKind
from pi_bench.protocol import Party
from pi_bench.registry import find_protocol


def _check_law(program, weights, run, law, encoded) -> None:
    """Shares add up to linear values that are exact and to activations that follow the law."""
    values = {program.input.id: run.value(f"a:{program.input.id}")}
    np.testing.assert_array_equal(values[program.input.id], encoded)
    for op in program.source_ops[1:]:
        values[op.id] = run.value(f"a:{op.id}")
    for op in program.linear_ops:
        values[op.id] = run.value(f"x:{op.id}")
        np.testing.assert_array_equal(values[op.id], linear_reference(op, values, weights), op.name)
    for op in program.multiply_ops:
        np.testing.assert_array_equal(values[op.id], values[op.left] * values[op.right], op.name)
    client = run.traces[Party.CLIENT].arrays
    for op in program.activation_ops:
        x, v = run.value(f"x:{op.source}"), client[f"x:{op.source}"]
        expected = activation_reference(op, x, v, law)
        np.testing.assert_array_equal(values[op.id], expected, op.name)
    np.testing.assert_array_equal(run.output, run.value(f"x:{program.output.source}"))


def test_each_activation_follows_the_law(protocol, options, network, honest) -> None:
    """Where shares do not enter the law, every value is the reference's, end to end."""
    program, weights, inputs = network
    law = protocol.law(options)
    given = [inputs[0], inputs[0], inputs[1]]
    for encoded, outcome in zip(given, honest(protocol, network, options), strict=True):
        _check_law(program, weights, outcome, law, encoded)
        if not law.depends_on_shares:
            reference = run_reference(program, weights, encoded, law)
            for op in program.activation_ops:
                np.testing.assert_array_equal(outcome.value(f"a:{op.id}"), reference.values[op.id], op.name)
            np.testing.assert_array_equal(outcome.output, reference.values[program.output.source])


def test_windowed_activations_are_one_unit_off_at_most(protocol, network, honest) -> None:
    if "windowed" not in protocol.mode_names:
        pytest.skip(f"{protocol.name} has no windowed mode")
    program = network[0]
    outcome = honest(protocol, network, "windowed")[0]
    for op in program.activation_ops:
        x = outcome.value(f"x:{op.source}")
        exact = activation_reference(op, x, np.zeros_like(x), EXACT)
        difference = (outcome.value(f"a:{op.id}") - exact).view(np.int32)
        assert np.abs(difference).max() <= 1, op.name


def test_a_dropped_sign_changes_small_values_and_saves_bytes(network, run) -> None:
    program, weights, inputs = network
    delphi = find_protocol("delphi")
    dropping = delphi.configure("truncated-sign", {"sign_drop": 7})
    (outcome,) = run(delphi, program, weights, inputs[:1], dropping)
    zeroed = 0
    for op in program.activation_ops:
        x, v = outcome.value(f"x:{op.source}"), outcome.traces[Party.CLIENT].arrays[f"x:{op.source}"]
        windowed, y = activation_reference(op, x, v, WINDOWED), outcome.value(f"a:{op.id}")
        assert np.all((y == windowed) | ((y == 0) & (windowed < 1 << 7)))
        zeroed += np.count_nonzero(y != windowed)
    assert zeroed > 0
    saved = [delphi.predict(program, o).online[Party.SERVER] for o in (delphi.configure(), dropping)]
    padded = sum(
        -(-group.count // 32) * 32 for op in program.activation_ops for group in op.groups
        if group.kind is ActivationKind.RELU
    )  # fmt: skip
    assert saved[0] - saved[1] == (7 - 1) * 16 * padded  # windowed drops one bit, which is free


def test_options_that_do_not_fit_are_refused(small_network) -> None:
    program, _, _ = small_network
    delphi = find_protocol("delphi")

    def require(**given: int) -> None:
        delphi.require(program, delphi.configure("truncated-sign", given))

    require(sign_drop=0)
    most = min(op.window_bits - op.truncate_bits for op in program.activation_ops)
    require(sign_drop=most)
    with pytest.raises(UsageError, match=r"layer '.*drop at most"):
        require(sign_drop=most + 1)
    for mode, given, words in (
        ("windowed", {"sign_drop": 1}, "--sign-drop needs --mode truncated-sign, not windowed"),
        ("truncated-sign", {}, "--mode truncated-sign needs --sign-drop K: 0 to 31"),
        ("exact", {"label_chunk": 5}, "--label-chunk 5: give 1 to 4"),
        ("exact", {"label_chunk": True}, "--label-chunk True: give 1 to 4"),
        ("exact", {"other": 5}, "protocol delphi has no option 'other'"),
        ("fast", {}, "protocol delphi has no mode 'fast'; there are windowed, exact, truncated-sign"),
    ):
        with pytest.raises(UsageError, match=f"^{words}$"):
            delphi.configure(mode, given)


def test_a_wrong_share_breaks_the_law(protocol, network, honest) -> None:
    """The check above can fail: one flipped bit in one share is seen."""
    program, weights, inputs = network
    outcome = copy.deepcopy(honest(protocol, network, None)[0])
    share = outcome.traces[Party.SERVER].arrays[f"a:{program.activation_ops[0].id}"]
    share.reshape(-1)[0] ^= 1 << 7
    with pytest.raises(AssertionError):
        _check_law(program, weights, outcome, protocol.law(protocol.configure()), inputs[0])
