"""Tells which operators a trace may hold, for input formats that look operators up by name."""

from __future__ import annotations

from pi_bench.network.lowering import operators
from pi_bench.network.lowering.combinations import RULES
from pi_bench.network.lowering.constants import FOLDED


def is_known(stem: str) -> bool:
    """Tells if an operator (``conv2d``, ``relu_`` …) is translated, linear in activations, folded, or without
    effect.

    >>> is_known("conv2d"), is_known("relu_"), is_known("gelu")
    (True, True, False)
    """
    name = stem.removesuffix("_")
    known = operators.TRANSLATORS.keys() | RULES.keys() | FOLDED
    return bool({name, name.lstrip("_")} & known) or name == "_assert_tensor_metadata"
