"""What a machine's primitives cost: the units of work, their seconds, and files of them.

`CostUnits` counts how often a piece of computing takes each unit: an AND gate evaluated, a polynomial
encrypted, a multiply-accumulate. `Costs` holds the seconds per unit on one machine. Counts follow from public
shapes alone, costs from measurement alone (`pi_bench.launch.costs`). Their product is a prediction.
"""

from pi_bench.costs.costs import CONTENTION, UNITS, Costs
from pi_bench.costs.work import CostUnits

__all__ = ["CONTENTION", "UNITS", "CostUnits", "Costs"]
