"""Lists the primitives of this package. A protocol declares more in `ProtocolInfo.primitives`."""

from __future__ import annotations

from pi_bench.primitives.channel import CHANNEL
from pi_bench.primitives.cross import CROSS
from pi_bench.primitives.gadget import GADGET
from pi_bench.primitives.he import HE
from pi_bench.primitives.memory import MEMORY
from pi_bench.primitives.ot import OT
from pi_bench.primitives.primitive import Primitive, units_of
from pi_bench.primitives.ring import RING
from pi_bench.primitives.symmetric import SYMMETRIC

BUILT_IN: tuple[Primitive, ...] = (SYMMETRIC, OT, CROSS, GADGET, HE, RING, MEMORY, CHANNEL)

UNITS: tuple[str, ...] = units_of(BUILT_IN)
"""The cost units of all primitives of this package."""
