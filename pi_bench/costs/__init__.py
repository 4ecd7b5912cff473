"""What a machine's primitives cost: the units of work, their seconds, and files of them.

A piece of computing is `Work`: how often it takes each unit (an AND gate evaluated, a polynomial encrypted, a
multiply-accumulate). `Costs` are the seconds of a unit on one machine. Work follows from public shapes alone,
costs from measurement alone (`pi_bench.launch.costs`); their product is a prediction.
"""

from pi_bench.costs.costs import TOGETHER, UNITS, Costs
from pi_bench.costs.work import Work

__all__ = ["TOGETHER", "UNITS", "Costs", "Work"]
