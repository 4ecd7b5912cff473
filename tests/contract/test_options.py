"""A dropped sign does what its option says, and options that do not fit are refused."""

from __future__ import annotations

import numpy as np
import pytest

from pi_bench.arithmetic.activation_law import WINDOWED
from pi_bench.errors import UsageError
from pi_bench.network.execution.reference import activation_reference
from pi_bench.network.program import ActivationKind
from pi_bench.protocol import Party
from pi_bench.registry import find_protocol


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
