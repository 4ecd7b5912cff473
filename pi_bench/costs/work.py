"""CostUnits: how often a piece of computing takes each unit, from public shapes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pi_bench.crypto.gadget import GadgetSpec
from pi_bench.crypto.he import LinearPlan
from pi_bench.crypto.symmetric import BLOCK_BYTES, LANES

GADGET_STEPS = ("garble", "accept", "encode", "evaluate")
OT_STEPS = ("extend receiver", "extend sender", "add receiver", "add sender")
STREAMED = "table byte"
_OUTPUTS = 32  # output channels that a convolution's kernel computes together

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CostUnits:
    """Units by name (`pi_bench.costs.UNITS`); adding works adds their units."""

    units: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: CostUnits) -> CostUnits:
        names = (*self.units, *(name for name in other.units if name not in self.units))
        return CostUnits({name: self.units.get(name, 0.0) + other.units.get(name, 0.0) for name in names})

    @staticmethod
    def sum(works: Iterable[CostUnits]) -> CostUnits:
        total = CostUnits()
        for work in works:
            total += work
        return total


NOTHING = CostUnits()


def gadget_work(step: str, spec: GadgetSpec, count: int) -> CostUnits:
    """One of `GADGET_STEPS` on `count` elements."""
    kind = ("exact " if spec.exact else "") + ("relu" if spec.kind == "relu" else "truncation")
    units = {f"{step} {kind}": float(count), f"{step} gate": float(count * spec.gate_count)}
    if spec.label_chunk > 1:
        units[f"{step} chunk of {spec.label_chunk}"] = float(count * spec.label_ots)
    return CostUnits(units)


def table_bytes(spec: GadgetSpec, count: int) -> float:
    """What evaluating `count` elements reads of tables and labels."""
    return count * (spec.garbled_group_bytes / LANES + spec.label_ots * BLOCK_BYTES)


def evaluate_work(spec: GadgetSpec, count: int) -> CostUnits:
    """With tables and labels that come from memory, as far as they were not read while the party waited."""
    return gadget_work("evaluate", spec, count) + CostUnits({STREAMED: table_bytes(spec, count)})


def ot_work(step: str, count: int) -> CostUnits:
    """One of `OT_STEPS` on `count` OTs."""
    return CostUnits({f"ot {step}": float(count)})


def encrypt_work(plan: LinearPlan) -> CostUnits:
    return CostUnits({"encrypt polynomial": float(plan.tile_count * plan.in_poly_count)})


def decrypt_work(plan: LinearPlan) -> CostUnits:
    return CostUnits(
        {
            "decrypt polynomial": float(plan.tile_count * plan.out_poly_count),
            "decrypt coefficient": float(plan.released_count),
        }
    )


def respond_work(plan: LinearPlan, *, prepared: bool) -> CostUnits:
    """`prepared`: the weights were transformed before."""
    runs = " of runs" if plan.run > 1 else ""
    units = {
        "load polynomial": float(plan.tile_count * plan.in_poly_count),
        f"product{runs}": float(plan.product_count),
        "answer polynomial": float(plan.tile_count * plan.out_poly_count),
        "answer coefficient": float(plan.released_count),
    }
    if not prepared:
        units[f"transform{runs}"] = float(plan.in_poly_count * plan.out_poly_count)
    return CostUnits(units)


def ring_work(
    in_shape: Shape, out_shape: Shape, kernel: tuple[int, int] = (1, 1), groups: int = 1
) -> CostUnits:
    """Weights applied to a share in the ring; shapes (batch, channels, ...)."""
    batch, taps, pixels = out_shape[0], math.prod(kernel), math.prod(out_shape[2:])
    inputs, outputs = in_shape[1] // groups, out_shape[1] // groups
    if groups > 1 and outputs < 8:  # plane by plane, as native/linear does
        return CostUnits({"ring plane multiply-add": float(batch * out_shape[1] * inputs * taps * pixels)})
    lanes, pairs = -(-outputs // _OUTPUTS) * _OUTPUTS, 2 * (-(-inputs // 2))
    return CostUnits(
        {
            "ring multiply-add": float(batch * groups * taps * pairs * lanes * pixels),
            "ring weight": float(groups * taps * pairs * lanes),
            "ring input": float(math.prod(in_shape)),
            "ring output": float(math.prod(out_shape)),
        }
    )


def words_work(count: int) -> CostUnits:
    """A vector operation on `count` words: adding, gathering, masking."""
    return CostUnits({"word": float(count)})


def random_work(count: int) -> CostUnits:
    """`count` words from the system's generator."""
    return CostUnits({"random word": float(count)})


def fixed_work(name: str, count: int = 1) -> CostUnits:
    """What a step costs whatever its size."""
    return CostUnits({name: float(count)})
