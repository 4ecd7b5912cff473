"""Every protocol gives the integer network's answer, by the law of its mode."""

from __future__ import annotations

import numpy as np
import pytest

from pi_bench.network.reference import activation_reference, linear_reference, run_reference
from pi_bench.protocol import Party


def _check_law(program, weights, run, mode, encoded) -> None:
    """Shares add up to linear values that are exact and to activations that follow the law."""
    values = {program.input.id: run.value(f"a:{program.input.id}")}
    np.testing.assert_array_equal(values[program.input.id], encoded)
    for op in program.activation_ops:
        values[op.id] = run.value(f"a:{op.id}")
    for op in program.linear_ops:
        np.testing.assert_array_equal(run.value(f"x:{op.id}"), linear_reference(op, values, weights), op.name)
    client = run.traces[Party.CLIENT].arrays
    for op in program.activation_ops:
        x, v = run.value(f"x:{op.source}"), client[f"x:{op.source}"]
        np.testing.assert_array_equal(values[op.id], activation_reference(op, x, v, mode), op.name)
    np.testing.assert_array_equal(run.output, run.value(f"x:{program.output.source}"))


def test_each_activation_follows_the_law(protocol, options, network, run) -> None:
    program, weights, inputs = network
    for encoded, outcome in zip(inputs, run(protocol, program, weights, inputs, options), strict=True):
        _check_law(program, weights, outcome, options.mode, encoded)


def test_exact_mode_equals_the_reference_bit_for_bit(protocol, network, run) -> None:
    program, weights, inputs = network
    for encoded, outcome in zip(inputs, run(protocol, program, weights, inputs, "exact"), strict=True):
        reference = run_reference(program, weights, encoded, "exact")
        for op in program.activation_ops:
            np.testing.assert_array_equal(outcome.value(f"a:{op.id}"), reference.values[op.id], op.name)
        np.testing.assert_array_equal(outcome.output, reference.values[program.output.source])


def test_windowed_activations_are_one_unit_off_at_most(protocol, network, run) -> None:
    program, weights, inputs = network
    (outcome,) = run(protocol, program, weights, inputs[:1], "windowed")
    for op in program.activation_ops:
        x = outcome.value(f"x:{op.source}")
        exact = activation_reference(op, x, np.zeros_like(x), "exact")
        difference = (outcome.value(f"a:{op.id}") - exact).view(np.int32)
        assert np.abs(difference).max() <= 1, op.name


def test_a_wrong_share_breaks_the_law(protocol, network, run) -> None:
    """The check above can fail: one flipped bit in one share is seen."""
    program, weights, inputs = network
    (outcome,) = run(protocol, program, weights, inputs[:1], "windowed")
    share = outcome.traces[Party.SERVER].arrays[f"a:{program.activation_ops[0].id}"]
    tampered = share.copy()
    tampered.reshape(-1)[0] ^= 1 << 7
    outcome.traces[Party.SERVER].arrays[f"a:{program.activation_ops[0].id}"] = tampered
    with pytest.raises(AssertionError):
        _check_law(program, weights, outcome, "windowed", inputs[0])
