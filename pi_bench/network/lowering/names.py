"""Which operators a trace may hold at all, for input formats that look operators up by name."""

from __future__ import annotations

from pi_bench.network.lowering import operators
from pi_bench.network.lowering.advice import advice
from pi_bench.network.lowering.combinations import RULES
from pi_bench.network.lowering.constants import FOLDED


def is_known(stem: str) -> bool:
    """``conv2d``, ``relu_`` …: translated, linear in activations, folded, or without effect."""
    name = stem.removesuffix("_")
    known = operators.TRANSLATORS.keys() | RULES.keys() | FOLDED
    return bool({name, name.lstrip("_")} & known) or name == "_assert_tensor_metadata"


def what_to_use(stem: str) -> str:
    """The advice of a refusal."""
    return advice(stem)
