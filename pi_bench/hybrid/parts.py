"""The parts of the offline phase, by which spans and messages are reported.

>>> from pi_bench.hybrid.script import hybrid_script
>>> from pi_bench.protocol.options import ProtocolOptions
>>> from pi_bench.protocol.prediction import PredictedBytes
>>> from pi_bench.testing import small_network
>>> script = hybrid_script(small_network()[0], ProtocolOptions("exact"))
>>> sorted(PredictedBytes.of(script).offline_parts)
['garbling', 'he', 'ot']
"""

HE = "he"
"""Products under homomorphic encryption."""

OT = "ot"
"""The set-up and the extension of oblivious transfers, and the messages that they mask."""

GARBLING = "garbling"
"""Garbled tables."""

TABLES = "tables"
"""Tables of function secret sharing."""
