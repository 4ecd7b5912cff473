"""The cost of each primitive, held against what the machine itself can do.

A family is a module with ``cases(settings)``: an iterator of `Case`s, each with its buffers ready, a
call to time, and the machine work that one of its units cannot do without. `run` times the calls and
measures the machine's rates for that work in the same run (`MachineLimits`); their ratio says how far
a kernel is from its physical limit.
"""

from pi_bench.measure.micro.case import Case, MinimalWork, Settings
from pi_bench.measure.micro.limits import MachineLimits
from pi_bench.measure.micro.runner import FAMILIES, run_micro

__all__ = ["FAMILIES", "Case", "MachineLimits", "MinimalWork", "Settings", "run_micro"]
