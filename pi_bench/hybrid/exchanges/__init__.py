"""The exchanges of the offline phase: their messages, and the computing of both parties around them.

Sizes of messages are defined here alone. The protocol that sends them, the script and the byte prediction
read them from the exchange.
"""

from pi_bench.hybrid.exchanges.cross import CrossChoices, CrossCorrections
from pi_bench.hybrid.exchanges.gadget import Garble, Select, gadget_purpose
from pi_bench.hybrid.exchanges.product import Product
from pi_bench.hybrid.exchanges.seeds import Seeds, Trees
from pi_bench.hybrid.exchanges.table import TableChoices, TableStep, step_count, table_of

__all__ = [
    "CrossChoices",
    "CrossCorrections",
    "Garble",
    "Product",
    "Seeds",
    "Select",
    "TableChoices",
    "TableStep",
    "Trees",
    "gadget_purpose",
    "step_count",
    "table_of",
]
