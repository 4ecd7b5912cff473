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
OT = "ot"
GARBLING = "garbling"
TABLES = "tables"

GARBLED_PARTS = {
    HE: "Homomorphic encryption, which prepares the linear layers.",
    OT: "Oblivious transfers: their set-up, their extension, and the messages that they mask.",
    GARBLING: "Garbled circuits: their tables and labels, for ReLUs and truncations.",
}
"""The parts of a protocol whose gadgets are all garbled, each with a sentence for glossaries."""

TABLE_PARTS = {
    **GARBLED_PARTS,
    GARBLING: "Garbled circuits: their tables and labels, for truncations and for those ReLUs that get no "
    "table of function secret sharing.",
    TABLES: "Tables of function secret sharing: the messages by which both parties grow them, for ReLUs.",
}
"""The parts of a protocol that makes tables of function secret sharing for most ReLUs."""
