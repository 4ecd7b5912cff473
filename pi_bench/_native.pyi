# Each room is typed by its wrapper in pi_bench.crypto or pi_bench.arithmetic, the only importers.
from typing import Any

__version__: str  # of the project when the module was compiled

symmetric: Any
checksum: Any
ot: Any
garble: Any
he: Any
linear: Any
