"""The cost table by which fusion plans: public numbers, so that every machine makes the same plan.

The costs of an activation are those of the garbled gadget of `delphi`; `fss` is not priced. Measured
costs would make the plan, and so the digest of the program, depend on the machine. A link is given by its
round trip and its rates, which both parties may know.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

MAC_S = 1.9e-11
LAYER_S = 3e-5
TRUNCATION_BYTES = 10
_TRUNCATION_S = 2e-9
_ROUND_S = 1e-4
"""Costs of a multiply-accumulate, and of a truncated element with its word each way, are those of
`pi-bench micro linear truncate` on one core. Costs of a weighted operator without its products, and of the
two messages of an activation, are those of the layers of `latency --protocol null` on loopback, measured
before commit b6d16e4, which took Python out of its online phase. So they are costs with Python, as `delphi`
has. They are rounded, since only their ratios matter here."""

_UP_BITS, _DOWN_BITS = 32, 1
"""The bits per truncated element from the client to the server, and back (docs/threat-model.md)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A predicted cost: online seconds and offline bytes; infinite if an operator cannot be packed.

    >>> Cost(0.5, 100) + Cost(0.25, 20)
    Cost(online_s=0.75, offline_bytes=120)
    """

    online_s: float = 0.0
    offline_bytes: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Adds both figures."""
        return Cost(self.online_s + other.online_s, self.offline_bytes + other.offline_bytes)


IMPOSSIBLE = Cost(math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class CostTable:
    """Holds the costs that depend on where the parties are, and says if the offline bytes may grow.

    The default is two processes of one machine, where a plan may not add offline bytes. `link_name` is the
    name of the link between two machines; None for one machine.

    >>> CostTable().offline_may_grow
    False
    """

    round_s: float = _ROUND_S
    truncation_s: float = _TRUNCATION_S
    offline_may_grow: bool = False
    link_name: str | None = None

    @classmethod
    def of_link(cls, name: str, rtt_s: float, up_bits_per_s: float, down_bits_per_s: float) -> Self:
        """Returns the costs on a link, where a plan may add offline bytes to save online time.

        >>> CostTable.of_link("slow", rtt_s=0.5, up_bits_per_s=1e8, down_bits_per_s=1e8).round_s
        0.5001
        """
        transfer_s = _UP_BITS / up_bits_per_s + _DOWN_BITS / down_bits_per_s
        return cls(_ROUND_S + rtt_s, _TRUNCATION_S + transfer_s, offline_may_grow=True, link_name=name)


ONE_MACHINE = CostTable()
"""The costs without a link: two processes of one machine."""
