"""Describes each cryptographic and arithmetic primitive in one file.

A primitive's file holds everything that the harness knows about its cost:

- its cost units and the functions that count them from public shapes (`CostUnits`), for protocol scripts;
- the cases that the cost model times to find the seconds per unit;
- the cases that `pi-bench micro` times, each with the least work that the machine must do for it.

`pi_bench.primitives.built_in` lists the primitives of this package. A protocol declares its own ones in
`ProtocolInfo.primitives`; `pi-bench micro`, the cost file and predictions treat them alike. This primitive
counts the bytes that a protocol looks up in a table:

>>> from pi_bench.costs import CostUnits
>>> from pi_bench.primitives import Case, CaseSettings, MinimalWork, Primitive, TimedCase
>>> def look_ups(settings: CaseSettings):
...     table, indices = bytes(range(256)), bytes(settings.count)
...     work = MinimalWork(memory_bytes=2)  # one byte read, one byte written
...     yield Case("look bytes up", "byte", settings.count, 1, work, lambda: indices.translate(table))
>>> def timed(settings: CaseSettings):
...     for case in look_ups(settings):
...         yield TimedCase(CostUnits({"looked-up byte": float(case.unit_count)}), case)
>>> LOOK_UP = Primitive("look-ups", ("looked-up byte",), {"lookup": look_ups}, timed)
>>> [case.work.units for case in LOOK_UP.timed_cases(CaseSettings(count=64))]
[{'looked-up byte': 64.0}]
"""

from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork, Primitive, TimedCase

__all__ = ["Case", "CaseSettings", "MinimalWork", "Primitive", "TimedCase"]
