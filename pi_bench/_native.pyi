# Each room is typed by its wrapper in pi_bench.crypto, the only importer.
from typing import Any

symmetric: Any
ot: Any
garble: Any
he: Any
