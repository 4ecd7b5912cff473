"""Activations in the clear follow the law of every window mode, element by element."""

from __future__ import annotations

import numpy as np
import pytest

from pi_bench.arithmetic.activation_law import EXACT, WINDOWED, WindowLaw
from pi_bench.arithmetic.law import RING_BITS, TRUNCATED_SIGN
from pi_bench.arithmetic.plain import activate_task, fill_channels_task


@pytest.mark.parametrize("law", [WINDOWED, EXACT, WindowLaw(TRUNCATED_SIGN, 3)], ids=lambda law: law.name)
@pytest.mark.parametrize(("truncate_bits", "window_bits"), [(1, 12), (9, 20), (15, 28)])
def test_activations_are_those_of_the_law(law: WindowLaw, truncate_bits: int, window_bits: int) -> None:
    generator = np.random.default_rng(1)
    limit = 1 << (window_bits - 1)
    x = generator.integers(-limit, limit, 1000, np.int32).view(np.uint32)
    relu, truncation = (np.sort(part) for part in np.array_split(generator.permutation(x.size), 2))
    no_share = np.zeros_like(x)
    expected = np.empty_like(x)
    expected[relu] = law.relu(x, no_share, truncate_bits, window_bits)[relu]
    expected[truncation] = law.truncate(x, no_share, truncate_bits)[truncation]
    found, whole = np.empty_like(x), np.empty_like(x)
    offset, above = law.offset(truncate_bits), RING_BITS - 1 - window_bits
    for out, index in ((found, relu), (whole, None)):
        activate_task(x, out, offset=offset, above=above, shift=truncate_bits, is_relu=True, index=index)()
    activate_task(x, found, offset=offset, above=0, shift=truncate_bits, is_relu=False, index=truncation)()
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(whole[relu], expected[relu])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"index": np.array([0, 4])}, "index: need places in x"),
        ({"index": np.array([-1])}, "index: need places in x"),
        ({"above": 20, "shift": 12}, "above, shift: need a sum from 0 to 31"),
        ({"shift": -1}, "above, shift: need a sum from 0 to 31"),
        ({"out": np.zeros(3, np.uint32)}, "out: need 4 items, got 3"),
    ],
)
def test_places_shifts_and_sizes_are_checked(change: dict[str, object], error: str) -> None:
    x, out = np.zeros((2, 4), np.uint32)
    arguments = {"x": x, "out": out, "offset": 0, "above": 0, "shift": 1, "is_relu": True, **change}
    with pytest.raises(ValueError, match=error):
        activate_task(**arguments)


def test_channels_are_whole() -> None:
    with pytest.raises(ValueError, match="whole channels"):
        fill_channels_task(np.zeros(3, np.uint32), np.zeros((1, 2, 2), np.uint32))
