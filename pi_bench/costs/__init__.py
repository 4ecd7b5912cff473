"""Counts units of computing, and holds the seconds that each unit takes on one machine.

`CostUnits` counts how often a piece of computing takes each unit, such as an AND gate evaluated, a polynomial
encrypted or a multiply-accumulate. `Costs` holds the seconds per unit on one machine. Counts follow from
public shapes alone. Seconds come from measurement alone (`pi_bench.launch.cached_costs`). Their product is a
prediction.

A unit is a name. Each primitive declares its own units (`pi_bench.primitives`), and a protocol's script may
use units of its own.
"""

from pi_bench.costs.costs import CONTENTION, LINK_UNITS, STREAMED, Costs
from pi_bench.costs.limit_kinds import LIMIT_KINDS, LIMIT_NAMES, LimitKind, LimitName
from pi_bench.costs.units import NOTHING, CostUnits

__all__ = [
    "CONTENTION",
    "LIMIT_KINDS",
    "LIMIT_NAMES",
    "LINK_UNITS",
    "NOTHING",
    "STREAMED",
    "CostUnits",
    "Costs",
    "LimitKind",
    "LimitName",
]
